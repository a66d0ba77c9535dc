use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const BURST: Duration = Duration::from_secs(10);

fn allowance(events: u64, bytes: u64) -> Allowance {
    Allowance { events: NonZeroU64::new(events), bytes: NonZeroU64::new(bytes) }
}

fn quotas(organization: Allowance, token: Allowance) -> Quotas {
    Quotas::new(Plan { organization, token, burst: BURST }, 1_000)
}

fn payer(org: u128, token: u128) -> Payer {
    let (org, token) = (Uuid::from_u128(org), Uuid::from_u128(token));
    Payer { org: OrgId::from_uuid(org), token: TokenId::from_uuid(token) }
}

fn events(events: u64) -> Cost {
    Cost { events, bytes: 0 }
}

const fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn a_burst_passes_and_then_only_what_the_rate_allows() {
    let mut quotas = quotas(allowance(10, 0), Allowance::default());
    let me = payer(1, 1);
    assert_eq!(quotas.take(at(0), me, events(100)), Ok(()));
    let refusal = Refusal { quota: Quota::OrganizationEvents, wait: at(500) };
    assert_eq!(quotas.take(at(0), me, events(5)), Err(refusal));
    assert_eq!(quotas.take(at(499), me, events(5)).unwrap_err().wait, at(1));
    assert_eq!(quotas.take(at(500), me, events(5)), Ok(()));
    assert_eq!(quotas.take(at(500), payer(2, 2), events(5)), Ok(()));
}

#[test]
fn a_request_larger_than_the_bucket_passes_when_it_is_full_and_is_paid_off() {
    let mut quotas = quotas(allowance(10, 0), Allowance::default());
    let me = payer(1, 1);
    assert_eq!(quotas.take(at(0), me, events(300)), Ok(()));
    assert_eq!(quotas.take(at(20_000), me, events(1)).unwrap_err().wait, at(100));
    assert_eq!(quotas.take(at(20_100), me, events(1)), Ok(()));
    assert_eq!(quotas.take(at(25_000), me, events(300)).unwrap_err().wait, at(5_100));
    assert_eq!(quotas.take(at(30_100), me, events(300)), Ok(()));
}

#[test]
fn one_quota_that_refuses_leaves_the_others_as_they_were() {
    let mut quotas = quotas(allowance(100, 1_000), allowance(10, 0));
    let (me, other) = (payer(1, 1), payer(1, 2));
    assert_eq!(quotas.take(at(0), me, Cost { events: 100, bytes: 500 }), Ok(()));
    let before = quotas.standings(at(0), other);
    let refused = quotas.take(at(0), me, Cost { events: 20, bytes: 500 }).unwrap_err();
    assert_eq!((refused.quota, refused.wait), (Quota::TokenEvents, at(2_000)));
    assert_eq!(quotas.standings(at(0), other), before);
    assert_eq!(quotas.take(at(0), other, events(100)), Ok(()));
}

#[test]
fn standings_say_what_is_left_and_until_when() {
    let mut quotas = quotas(allowance(10, 0), allowance(0, 1_000));
    let me = payer(1, 1);
    quotas.take(at(0), me, Cost { events: 25, bytes: 20_000 }).unwrap();
    let events = Standing {
        quota: Quota::OrganizationEvents,
        limit: 100,
        window: BURST,
        remaining: 80,
        reset: at(2_000),
    };
    let bytes = Standing {
        quota: Quota::TokenBytes,
        limit: 10_000,
        window: BURST,
        remaining: 0,
        reset: at(19_500),
    };
    assert_eq!(quotas.standings(at(500), me), [events, bytes]);
}

#[test]
fn refused_requests_cannot_make_debts() {
    let mut quotas = quotas(allowance(0, 100), Allowance::default());
    let me = payer(1, 1);
    for _ in 0..9 {
        quotas.spend(at(0), me, Cost { events: 0, bytes: 1_000_000 });
    }
    let one = Cost { events: 1, bytes: 1 };
    assert_eq!(quotas.look(at(0), me, one).unwrap_err().wait, at(10));
    assert_eq!(quotas.look(at(10), me, one), Ok(()));
}

#[test]
fn without_a_limit_nothing_is_remembered() {
    let mut quotas = quotas(Allowance::default(), Allowance::default());
    assert!(!quotas.is_limited());
    assert_eq!(quotas.take(at(0), payer(1, 1), events(u64::MAX)), Ok(()));
    assert_eq!((quotas.buckets(), quotas.standings(at(0), payer(1, 1)).len()), (0, 0));
}

#[test]
fn the_number_of_buckets_is_bounded_and_the_emptiest_are_kept() {
    let plan = Plan { organization: allowance(1, 0), token: Allowance::default(), burst: BURST };
    let mut quotas = Quotas::new(plan, 32);
    quotas.take(at(0), payer(0, 0), events(10)).unwrap();
    for number in 1..1_000 {
        quotas.take(at(number), payer(number.into(), 0), events(1)).unwrap();
        assert!(quotas.buckets() <= 32);
    }
    assert!(quotas.take(at(1_000), payer(0, 0), events(2)).is_err());
    // An hour later all of them are full, which is as good as forgotten.
    for number in 0..33 {
        quotas.take(at(3_600_000), payer(number, 0), events(1)).unwrap();
    }
    assert!(quotas.buckets() <= 32);
}

#[test]
fn quotas_are_told_by_their_names_and_units() {
    let told = Quota::ALL.map(|quota| (quota.name(), quota.unit()));
    let expected = [
        ("org-events", "events"),
        ("org-bytes", "content-bytes"),
        ("token-events", "events"),
        ("token-bytes", "content-bytes"),
    ];
    assert_eq!(told, expected);
}

#[test]
fn room_is_made_for_newcomers_only_and_first_from_what_is_full_again() {
    let plan = Plan { organization: allowance(1, 0), token: Allowance::default(), burst: BURST };
    let mut quotas = Quotas::new(plan, 2);
    assert!(quotas.is_limited());
    let (one, two, three) = (payer(1, 1), payer(2, 1), payer(3, 1));
    quotas.take(at(0), one, events(10)).unwrap();
    quotas.take(at(0), two, events(1)).unwrap();
    quotas.take(at(1), two, events(1)).unwrap();
    assert!(quotas.take(at(1), one, events(1)).is_err(), "whom they know makes nobody forgotten");
    quotas.take(at(5_000), three, events(1)).unwrap();
    assert_eq!(quotas.buckets(), 2);
    assert!(quotas.take(at(5_000), one, events(6)).is_err(), "two was full again");
}

#[test]
fn the_sixteenth_that_is_nearest_to_full_is_forgotten_together() {
    let plan = Plan { organization: allowance(1, 0), token: Allowance::default(), burst: BURST };
    let mut quotas = Quotas::new(plan, 32);
    for number in 0..33 {
        quotas.take(at(number), payer(number.into(), 0), events(1)).unwrap();
    }
    assert_eq!(quotas.buckets(), 30);
}

proptest! {
    /// Whatever comes when: in any stretch of time no more passes than the rate and one bucket
    /// allow, as long as no request is larger than the bucket.
    #[test]
    fn no_more_passes_than_the_rate_and_one_burst(
        requests in prop::collection::vec((0_u64..2_000, 1_u64..80), 1..100),
    ) {
        let mut quotas = quotas(allowance(10, 0), Allowance::default());
        let (mut now, mut passed) = (0, 0);
        for (pause, cost) in requests {
            now += pause;
            if quotas.take(at(now), payer(1, 1), events(cost)).is_ok() {
                passed += cost;
            }
            prop_assert!(passed * 1_000 <= 100_000 + now * 10);
        }
    }
}
