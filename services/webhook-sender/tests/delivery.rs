//! The whole sender against a real broker and a receiver that listens on a socket.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed step is a failed test")]

#[path = "delivery/builders.rs"]
mod builders;
#[path = "delivery/crowd.rs"]
mod crowd;
#[path = "delivery/log.rs"]
mod log;
#[path = "delivery/pace.rs"]
mod pace;
#[path = "delivery/proofs.rs"]
mod proofs;
#[path = "delivery/receiver.rs"]
mod receiver;
#[path = "delivery/world.rs"]
mod world;

use std::collections::BTreeSet;
use std::time::Duration;

use auditrelay_model::delivery::Lane;
use auditrelay_model::test_delivery::TestPhase;
use auditrelay_model::{Clock as _, Timestamp};
use auditrelay_runtime::clock::SystemClock;
use world::World;

#[tokio::test(flavor = "multi_thread")]
async fn events_are_delivered_in_order_each_with_its_signature() {
    let world = World::new().await;
    let sender = world.sender("a").await;
    for _ in 0..20 {
        world.append(7).await;
    }
    world.delivered(140).await;
    let ids = world.receiver.ids();
    assert_eq!(ids, world.appended(), "in order, each once");
    for request in world.receiver.requests() {
        world.check(&request);
    }
    world.caught_up().await;
    sender.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_delivery_is_a_real_request_that_leaves_the_lane_as_it_was() {
    let world = World::new().await;
    let sender = world.sender("a").await;
    world.append(3).await;
    world.caught_up().await;
    let before = world.state(Lane::Live).await;
    world.receiver.forget();
    let report = world.test(|_| {}).await;
    assert!(report.is_delivered(), "{report:?}");
    assert_eq!(report.seen.answer.unwrap().status, 200);
    let requests = world.receiver.requests();
    assert_eq!(requests.len(), 1);
    world.check(&requests[0]);
    assert_eq!(requests[0].header("x-auditrelay-test"), "true");
    assert_eq!(requests[0].ids(), [report.event.to_string()]);
    world.receiver.answer(500);
    let report = world.test(|_| {}).await;
    assert_eq!(report.seen.failure.unwrap().reason, "the receiver answered 500");
    let broken = world.test(|destination| destination.authorization.ciphertext.clear()).await;
    assert_eq!(broken.seen.failure.unwrap().phase, TestPhase::Endpoint);
    let after = world.state(Lane::Live).await;
    assert_eq!((after.last_attempt, after.totals), (before.last_attempt, before.totals));
    sender.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_was_down_gets_everything_when_it_is_back() {
    let world = World::new().await;
    let sender = world.sender("a").await;
    world.append(3).await;
    world.delivered(3).await;
    world.receiver.answer(503);
    for _ in 0..150 {
        world.append(2).await;
    }
    world.until("held and behind", |state| state.hold.is_some() && state.behind.is_some()).await;
    world.append(5).await;
    world.receiver.answer(200);
    world.delivered(308).await;
    assert_eq!(world.receiver.ids(), world.appended(), "in order, each once");
    world.until("live again", |state| state.hold.is_none() && state.behind.is_none()).await;
    world.append(1).await;
    world.delivered(309).await;
    sender.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_is_killed_leaves_nothing_behind_that_another_does_not_deliver() {
    let world = World::new().await;
    let first = world.sender("a").await;
    for _ in 0..50 {
        world.append(4).await;
    }
    world.receiver.slow(Duration::from_millis(20));
    world.delivered(40).await;
    first.kill().await;
    let second = world.sender("a").await;
    for _ in 0..50 {
        world.append(4).await;
    }
    world.delivered(400).await;
    let ids = world.receiver.ids();
    let distinct: BTreeSet<&String> = ids.iter().collect();
    assert_eq!(first_receipts(&ids), world.appended(), "in order, none missing");
    assert!(ids.len() - distinct.len() <= world::BATCH_EVENTS, "{} repeated", ids.len() - 400);
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_and_comes_back_costs_nothing_but_repeats() {
    let world = World::new().await;
    let sender = world.sender("a").await;
    world.receiver.slow(Duration::from_millis(10));
    for _ in 0..60 {
        world.append(3).await;
    }
    world.delivered(30).await;
    world.restart_broker().await;
    for _ in 0..20 {
        world.append(3).await;
    }
    world.delivered(240).await;
    assert_eq!(first_receipts(&world.receiver.ids()), world.appended(), "in order, none missing");
    world.caught_up().await;
    sender.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_sender_takes_its_share_and_a_drained_one_hands_over_without_repeats() {
    let world = World::new().await;
    let first = world.sender("a").await;
    let second = world.sender("b").await;
    for round in 0..40 {
        world.append(3).await;
        if round == 20 {
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
    }
    first.stop().await;
    world.append(3).await;
    world.delivered(123).await;
    assert_eq!(world.receiver.ids(), world.appended(), "in order, each once");
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_webhook_goes_on_where_it_was_when_it_is_enabled() {
    let world = World::new().await;
    let sender = world.sender("a").await;
    world.append(2).await;
    world.delivered(2).await;
    world.webhook(false).await;
    world.until("behind", |state| state.behind.is_some()).await;
    world.append(3).await;
    world.webhook(true).await;
    world.delivered(5).await;
    assert_eq!(world.receiver.ids(), world.appended());
    sender.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_whose_facts_have_expired_goes_on_at_once_and_repeats_nothing() {
    let world = World::new().await;
    let sender = world.sender("a").await;
    world.append(2).await;
    world.delivered(2).await;
    world.caught_up().await;
    world.expire_facts().await;
    world.append(3).await;
    world.delivered(5).await;
    world.append(1).await;
    world.delivered(6).await;
    world.until("stored", |state| state.totals.events_delivered == 6).await;
    assert_eq!(world.receiver.ids(), world.appended(), "in order, each once");
    sender.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_last_fact_that_cannot_be_read_costs_nothing_but_repeats() {
    let world = World::new().await;
    let first = world.sender("a").await;
    world.append(2).await;
    world.append(2).await;
    world.caught_up().await;
    first.stop().await;
    world.tear_facts().await;
    let second = world.sender("b").await;
    world.until("readable again", |state| state.totals.requests > 0).await;
    world.append(3).await;
    world.delivered(7).await;
    assert_eq!(first_receipts(&world.receiver.ids()), world.appended(), "in order, none missing");
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_last_record_that_cannot_be_read_stops_no_lane_that_is_behind() {
    let world = World::new().await;
    let first = world.sender("a").await;
    world.append(2).await;
    world.delivered(2).await;
    world.webhook(false).await;
    world.until("behind", |state| state.behind.is_some()).await;
    world.append(2).await;
    first.stop().await;
    world.tear_log().await;
    let second = world.sender("b").await;
    world.webhook(true).await;
    world.delivered(4).await;
    assert_eq!(world.receiver.ids(), world.appended(), "in order, each once");
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_disabled_webhook_outlives_the_lanes_facts_and_its_sender() {
    let world = World::new().await;
    let first = world.sender("a").await;
    world.append(2).await;
    world.delivered(2).await;
    world.webhook(false).await;
    world.until("behind", |state| state.behind.is_some()).await;
    world.append(3).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    world.expire_facts().await;
    first.stop().await;
    let second = world.sender("b").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.webhook(true).await;
    world.delivered(5).await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_event_that_is_refused_alone_is_set_aside_and_the_rest_flows() {
    let world = World::new().await;
    let ids = world.append(20).await;
    world.receiver.refuse(&ids[13]);
    let sender = world.sender("a").await;
    world.delivered(19).await;
    world.until("quarantined", |state| state.totals.events_quarantined == 1).await;
    let expected: Vec<String> = ids.iter().filter(|id| **id != ids[13]).cloned().collect();
    assert_eq!(world.receiver.ids(), expected);
    sender.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_cannot_be_read_is_parked_event_by_event_and_the_rest_flows() {
    let world = World::new().await;
    let sender = world.sender("a").await;
    world.append(2).await;
    world.append_torn(3).await;
    world.append(2).await;
    world.delivered(4).await;
    world.until("set aside", |state| state.totals.events_quarantined == 3).await;
    assert_eq!(world.receiver.ids(), world.appended(), "in order, each once");
    let parked = world.parked().await;
    let numbers: Vec<u64> = parked.iter().map(|parked| parked.position.number).collect();
    assert_eq!(numbers, [3, 4, 5], "each by its place");
    assert!(parked.iter().all(|parked| parked.message.contains("cannot be read")), "{parked:?}");
    world.until("live", |state| state.behind.is_none() && state.hold.is_none()).await;
    sender.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attempt_says_which_it_is_and_when_the_first_was() {
    let world = World::new().await;
    let sender = world.sender("a").await;
    world.receiver.answer(503);
    world.append(1).await;
    world.until("tried twice", |state| state.totals.requests >= 2).await;
    world.receiver.answer(200);
    world.delivered(1).await;
    world.append(1).await;
    world.delivered(2).await;
    let tried = world.receiver.tried();
    let attempts: Vec<&str> = tried.iter().map(|one| one.header("x-auditrelay-attempt")).collect();
    let first = tried[0].header("x-auditrelay-first-attempt");
    let at = Timestamp::parse_rfc3339(first).unwrap();
    assert!(SystemClock.now().since(at) < Duration::from_mins(1), "{first}");
    let retries =
        tried.iter().filter(|one| one.header("webhook-id") == tried[0].header("webhook-id"));
    for (index, retry) in retries.enumerate() {
        assert_eq!(retry.header("x-auditrelay-attempt"), (index + 1).to_string(), "{attempts:?}");
        assert_eq!(retry.header("x-auditrelay-first-attempt"), first);
        assert_eq!(retry.body, tried[0].body, "the same over all attempts");
    }
    let last = tried.last().unwrap();
    assert_eq!(last.header("x-auditrelay-attempt"), "1", "{attempts:?}");
    assert!(Timestamp::parse_rfc3339(last.header("x-auditrelay-first-attempt")).unwrap() > at);
    sender.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_sends_its_window_again_and_survives_its_sender() {
    let world = World::new().await;
    world.webhook(false).await;
    for _ in 0..40 {
        world.append(5).await;
    }
    world.webhook(true).await;
    let first = world.sender("a").await;
    world.delivered(200).await;
    world.receiver.forget();
    world.receiver.slow(Duration::from_millis(20));
    let job = world.replay().await;
    world.delivered(30).await;
    first.kill().await;
    let second = world.sender("a").await;
    world.delivered(200).await;
    world
        .lane_until(Lane::Replay(job), "complete", |state| state.totals.events_delivered == 200)
        .await;
    let ids = world.receiver.ids();
    let distinct: BTreeSet<&String> = ids.iter().collect();
    assert_eq!(distinct.len(), 200);
    assert!(ids.len() - distinct.len() <= world::BATCH_EVENTS);
    let marked = world.receiver.requests().iter().all(|request| {
        let first = request.header("x-auditrelay-first-attempt");
        request.header("x-auditrelay-replay-job") == job.to_string()
            && Timestamp::parse_rfc3339(first).is_ok()
    });
    assert!(marked, "every request of a replay names its job and when it was first tried");
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_holds_goes_on_when_its_destination_is_mended() {
    let mut world = World::new().await;
    let sender = world.sender("a").await;
    world.append(5).await;
    world.delivered(5).await;
    world.receiver.forget();
    let right = world.move_to("http://127.0.0.1:1/").await;
    let job = world.replay().await;
    world.lane_until(Lane::Replay(job), "held", |state| state.hold.is_some()).await;
    world.move_to(&right).await;
    world.delivered(5).await;
    sender.stop().await;
}

fn first_receipts(ids: &[String]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    ids.iter().filter(|id| seen.insert(*id)).cloned().collect()
}
