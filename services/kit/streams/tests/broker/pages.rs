//! Records and facts read without a consumer, forward and back.

use auditrelay_model::delivery::{DeliveryEvent, DeliveryFact, Lane, LaneState};
use auditrelay_model::event::EventKind;
use auditrelay_model::{Clock, Scope, Timestamp};
use auditrelay_runtime::clock::SystemClock;
use auditrelay_streams::{Backwards, Fetched, Start, Streams};

use crate::support::{chain, scope, world};

fn sequences(records: &[Fetched]) -> Vec<u64> {
    records.iter().map(|record| record.head.sequence).collect()
}

/// Everything on the way back, oldest first.
async fn all_back(streams: &Streams, scope: Scope, mut way: Backwards) -> Vec<u64> {
    let mut parts = Vec::new();
    while !way.is_done() {
        parts.push(sequences(&streams.records_back(scope, &mut way).await.unwrap()));
    }
    parts.into_iter().rev().flatten().collect()
}

#[tokio::test]
async fn records_are_read_forward_from_any_place() {
    let world = world().await;
    let (scope, other) = (scope(), scope());
    assert!(world.streams.records_from(scope, 1, 10).await.unwrap().0.is_empty());
    let mine = chain(&world.streams, scope, 5).await;
    chain(&world.streams, other, 5).await;
    let (records, more) = world.streams.records_from(scope, 0, 3).await.unwrap();
    assert_eq!((sequences(&records).as_slice(), more), (&mine[..3], true));
    assert_eq!(records[1].decode().unwrap().first_number, 3);
    assert!(records[1].may_hold(EventKind::Access));
    assert!(!records[1].may_hold(EventKind::Authorization));
    let (records, more) = world.streams.records_from(scope, mine[3], 500).await.unwrap();
    assert_eq!((sequences(&records).as_slice(), more), (&mine[3..], false));
    let (records, more) = world.streams.records_from(scope, mine[4] + 1, 500).await.unwrap();
    assert_eq!((sequences(&records).len(), more), (0, false));
}

#[tokio::test]
async fn records_are_read_back_without_a_gap_whether_dense_or_sparse() {
    let world = world().await;
    let (scope, other) = (scope(), scope());
    let mut mine = chain(&world.streams, scope, 300).await;
    chain(&world.streams, other, 700).await;
    // The second part of the way is as wide as all the others' records and meets many of ours.
    let (low, high) = (mine[3], world.streams.events_state().await.unwrap().last_sequence);
    assert_eq!(all_back(&world.streams, scope, Backwards::new(low, high)).await, mine[3..]);
    mine.truncate(200);
    let way = Backwards::new(1, mine[199]);
    assert_eq!(all_back(&world.streams, scope, way).await, mine);
}

#[tokio::test]
async fn a_part_that_is_too_dense_is_read_in_smaller_ones() {
    let world = world().await;
    let (scope, other) = (scope(), scope());
    let mine = chain(&world.streams, scope, 900).await;
    chain(&world.streams, other, 300).await;
    let high = world.streams.events_state().await.unwrap().last_sequence;
    assert_eq!(all_back(&world.streams, scope, Backwards::new(1, high)).await, mine);
}

/// Stores five facts of a lane; the sequence of the last.
async fn facts(streams: &Streams, scope: Scope) -> u64 {
    let mut last = 0;
    for second in 0..5 {
        let event = DeliveryEvent {
            at: Timestamp::from_nanos(second),
            scope,
            lane: Lane::Live,
            sender: "s".to_owned(),
            fact: DeliveryFact::CaughtUp,
            state: LaneState::default(),
        };
        last = streams.append_delivery(&event, last).await.unwrap();
    }
    last
}

#[tokio::test]
async fn the_last_facts_of_many_lanes_come_at_once() {
    let world = world().await;
    let (scopes, nobody) = ([scope(), scope(), scope()], scope());
    let mut newest = 0;
    for scope in scopes {
        newest = facts(&world.streams, scope).await;
    }
    let lanes: Vec<_> = scopes.iter().chain([&nobody]).map(|scope| (*scope, Lane::Live)).collect();
    let (found, up_to) = world.streams.last_deliveries(&lanes, 1).await.unwrap();
    assert_eq!(up_to, Some(newest));
    let mut named: Vec<_> = found.iter().map(|fact| (fact.scope, fact.at.nanos())).collect();
    named.sort_unstable();
    let mut expected = scopes.map(|scope| (scope, 4)).to_vec();
    expected.sort_unstable();
    assert_eq!(named, expected);
    let (newer, up_to) = world.streams.last_deliveries(&lanes, newest).await.unwrap();
    let newer: Vec<_> = newer.iter().map(|fact| fact.scope).collect();
    assert_eq!((newer, up_to), (vec![scopes[2]], Some(newest)));
    let nothing_newer = world.streams.last_deliveries(&lanes, newest + 1).await.unwrap();
    assert_eq!(nothing_newer, (vec![], Some(newest)));
    let nothing = world.streams.last_deliveries(&[(nobody, Lane::Live)], 1).await.unwrap();
    assert_eq!(nothing, (vec![], None));
    assert_eq!(world.streams.last_deliveries(&[], 1).await.unwrap(), (vec![], None));
}

#[tokio::test]
async fn a_lanes_fact_is_found_by_its_place_or_its_time() {
    let world = world().await;
    let (scope, other) = (scope(), scope());
    let before = SystemClock.now();
    facts(&world.streams, other).await;
    let last = facts(&world.streams, scope).await;
    let at = async |start| {
        let found = world.streams.delivery_at(scope, Lane::Live, start).await.unwrap();
        found.map(|(sequence, fact)| (sequence, fact.at.nanos()))
    };
    assert_eq!(at(Start::Sequence(1)).await, Some((last - 4, 0)));
    assert_eq!(at(Start::Sequence(last)).await, Some((last, 4)));
    assert_eq!(at(Start::Sequence(last + 1)).await, None);
    assert_eq!(at(Start::Time(before)).await, Some((last - 4, 0)));
    assert_eq!(at(Start::Time(SystemClock.now())).await, None);
}

#[tokio::test]
async fn a_lanes_facts_are_read_back() {
    let world = world().await;
    let scope = scope();
    let last = facts(&world.streams, scope).await;
    let mut way = Backwards::new(1, last);
    let facts = world.streams.delivery_back(scope, Lane::Live, &mut way).await.unwrap();
    let times: Vec<i64> = facts.iter().map(|(_, fact)| fact.at.nanos()).collect();
    assert_eq!((times, facts[4].0, way.is_done()), (vec![0, 1, 2, 3, 4], last, true));
}
