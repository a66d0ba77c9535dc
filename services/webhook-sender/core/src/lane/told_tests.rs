//! What a lane says of itself: in words for metrics, in reasons for people, in facts.

use super::bench::{Bench, DAY, answered, record, target};
use super::*;
use crate::outcome::{FailureKind, Outcome};

#[test]
fn a_lane_says_what_it_is_at() {
    let mut bench = Bench::live();
    assert_eq!(bench.lane.standing(), "live");
    bench.step(record(1, 1, &[0]));
    bench.answer(401);
    assert_eq!(bench.lane.standing(), "holding");
    bench.step(Input::Configured(Switch::On(target(1))));
    bench.step(record(1, 1, &[0]));
    bench.answer(200);
    assert_eq!(bench.lane.standing(), "behind");
    bench.step(Input::Configured(Switch::Off));
    assert_eq!(bench.lane.standing(), "resting");
    bench.step(Input::Configured(Switch::Gone));
    assert_eq!(bench.lane.standing(), "ended");
    let mut replay = Bench::replay(0, 20, 9);
    replay.step(Input::Yield(true));
    assert_eq!(replay.lane.standing(), "yielding");
}

#[test]
fn the_oldest_event_is_the_first_that_waits() {
    let mut bench = Bench::live();
    assert_eq!(bench.lane.oldest(), None);
    bench.step(record(1, 1, &[0]));
    assert_eq!(bench.lane.oldest(), Some(Timestamp::from_nanos(DAY * 400)));
    bench.answer(200);
    assert_eq!(bench.lane.oldest(), None);
}

#[test]
fn what_the_receiver_said_is_told_and_why_the_lane_holds() {
    let said = |message: &str| Outcome::Answered {
        status: 401,
        retry_after: None,
        message: message.to_owned(),
    };
    let failed = Outcome::Failed { kind: FailureKind::Tls, message: "no session".to_owned() };
    let table = [
        (said("no entry"), Some(401), "no entry", "the receiver answered 401: no entry"),
        (said(""), Some(401), "", "the receiver answered 401"),
        (failed, None, "no session", "no session"),
    ];
    for (outcome, status, message, reason) in table {
        let mut bench = Bench::live();
        bench.step(record(1, 1, &[0]));
        bench.outcome(outcome);
        let state = bench.lane.state();
        let last = state.last_attempt.as_ref().unwrap();
        assert_eq!((last.status, last.message.as_str()), (status, message));
        assert_eq!(state.hold.as_ref().unwrap().reason, reason);
    }
}

#[test]
fn a_batch_is_known_until_it_is_told_and_expected_until_it_is_answered() {
    let mut bench = Bench::parallel(2);
    bench.step(record(1, 1, &[0]));
    let first = bench.sent.clone().unwrap().batch.id;
    assert!(bench.lane.knows(first));
    bench.step(record(2, 2, &[0; 10]));
    let second = bench.sent.clone().unwrap().batch.id;
    assert!(bench.lane.expects(first) && bench.lane.expects(second));
    bench.outcome_of(second, answered(200));
    assert!(bench.lane.knows(second) && !bench.lane.expects(second), "one before it is out");
    bench.outcome_of(first, answered(200));
    assert!(!bench.lane.knows(first) && !bench.lane.knows(second));
    assert!(!bench.lane.expects(first));
}

#[test]
fn batches_that_are_made_together_have_ids_of_their_own_behind_the_fresh_one() {
    let mut bench = Bench::parallel(2);
    let effects = bench.effects(record(1, 1, &[0; 20]));
    let ids: Vec<u128> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Send(request) => Some(request.batch.id.uuid().as_u128()),
            _ => None,
        })
        .collect();
    assert_eq!(ids, [bench.ids << 32, (bench.ids << 32) + 1]);
}
