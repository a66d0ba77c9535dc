//! How fast a receiver is served, and how many requests it has in hand.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use auditrelay_model::Scope;
use auditrelay_model::delivery::Lane;
use auditrelay_model::id::{OrgId, PortalId};
use auditrelay_runtime::ids::uuid_v7;
use auditrelay_streams::shard_of;
use tokio::time::Instant;

use crate::first_receipts;
use crate::log::Log;
use crate::world::{BATCH_EVENTS, World};

#[tokio::test(flavor = "multi_thread")]
async fn one_request_is_out_unless_the_operator_gives_order_up() {
    for (in_flight, busiest) in [("1", 1), ("4", 4)] {
        let world = World::new().await;
        world.receiver.slow(Duration::from_millis(50));
        for _ in 0..40 {
            world.append(10).await;
        }
        let more = [("SENDER_MAX_IN_FLIGHT", in_flight)];
        let sender = world.sender_with("a", &more).await;
        world.delivered(400).await;
        assert_eq!(world.receiver.busiest(), busiest);
        world.caught_up().await;
        let (mut ids, mut appended) = (world.receiver.ids(), world.appended());
        if busiest > 1 {
            ids.sort();
            appended.sort();
        }
        assert_eq!(ids, appended, "each once");
        sender.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_with_several_requests_out_repeats_no_more_than_those() {
    let world = World::new().await;
    world.receiver.slow(Duration::from_millis(50));
    for _ in 0..40 {
        world.append(10).await;
    }
    let more = [("SENDER_MAX_IN_FLIGHT", "4")];
    let first = world.sender_with("a", &more).await;
    world.delivered(100).await;
    first.kill().await;
    let second = world.sender_with("a", &more).await;
    world.delivered(400).await;
    let ids = world.receiver.ids();
    let distinct: BTreeSet<&String> = ids.iter().collect();
    assert_eq!(distinct.len(), 400, "none is missing");
    assert!(ids.len() - 400 <= 4 * BATCH_EVENTS, "{} repeated", ids.len() - 400);
    second.stop().await;
}

/// Logs of one organization, one in each shard, so that every sender delivers some of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_cap_on_events_a_second_holds_over_all_senders() {
    let world = World::new().await;
    let org = OrgId::from_uuid(uuid_v7());
    let mut logs: BTreeMap<u8, Log> = BTreeMap::new();
    while logs.len() < 8 {
        let scope = Scope::Portal(org, PortalId::from_uuid(uuid_v7()));
        logs.entry(shard_of(scope)).or_insert_with(|| world.another_log(scope));
    }
    let to = world.another_destination(&world.receiver.url());
    for log in logs.values() {
        world.webhook_of(log.scope, &to, true).await;
    }
    let more = [("SENDER_DESTINATION_RATE", "40")];
    let senders = [world.sender_with("a", &more).await, world.sender_with("b", &more).await];
    let shares = || senders.each_ref().map(|one| one.shows("auditrelay_webhook_shards"));
    let begun = Instant::now();
    while shares() != [4, 4] {
        assert!(begun.elapsed() < Duration::from_mins(1), "{:?}", shares());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let begun = Instant::now();
    for log in logs.values() {
        log.append(40).await;
    }
    world.delivered(320).await;
    let took = begun.elapsed();
    // Each sender may save up for a second, and the last batch of each log is owed.
    let least = Duration::from_secs((320 - 40 - 8 * 10) / 40);
    assert!(took >= least, "320 events in {took:?}");
    for sender in senders {
        sender.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_makes_room_for_live_delivery_that_is_late() {
    let world = World::new().await;
    let more = [("SENDER_LIVE_LAG", "300ms")];
    let sender = world.sender_with("a", &more).await;
    for _ in 0..30 {
        world.append(10).await;
    }
    world.delivered(300).await;
    world.receiver.slow(Duration::from_millis(150));
    for _ in 0..30 {
        world.append(10).await;
    }
    let job = world.replay().await;
    world.lane_until(Lane::Replay(job), "yielding", |state| state.yielding.is_some()).await;
    world.caught_up().await;
    world.receiver.slow(Duration::ZERO);
    let all = |state: &auditrelay_model::delivery::LaneState| {
        state.yielding.is_none() && state.totals.events_delivered == 600
    };
    world.lane_until(Lane::Replay(job), "done", all).await;
    let live = world.receiver.requests();
    let live = live.iter().filter(|one| one.header("x-auditrelay-replay-job").is_empty());
    let ids: Vec<String> = live.flat_map(crate::receiver::Request::ids).collect();
    assert_eq!(first_receipts(&ids), world.appended());
    sender.stop().await;
}
