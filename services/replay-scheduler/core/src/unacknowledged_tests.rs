use std::collections::BTreeSet;
use std::time::Duration;

use auditrelay_model::Timestamp;
use auditrelay_model::destination::LogFormat;
use auditrelay_model::id::BatchId;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const OURS: DestinationId = DestinationId::from_uuid(Uuid::from_u128(1));
const OTHER: DestinationId = DestinationId::from_uuid(Uuid::from_u128(2));

fn place(epoch: u64, number: u64) -> Position {
    Position { epoch, number, sequence: number }
}

fn attempt(epoch: u64, first: u64, last: u64) -> Attempt {
    Attempt {
        batch: BatchId::from_uuid(Uuid::nil()),
        number: 1,
        first: place(epoch, first),
        last: place(epoch, last),
        events: last - first + 1,
        body_bytes: 1,
        started_at: Timestamp::from_nanos(0),
        duration: Duration::ZERO,
        destination: OURS,
        log_format: LogFormat::Json,
        delivered: true,
        status: Some(200),
        message: String::new(),
        trace_id: String::new(),
        sent: None,
        runs: Vec::new(),
    }
}

fn missing(attempts: &[Attempt], last: Position) -> Vec<(u64, u64, u64)> {
    let mut acknowledged = Acknowledged::by(OURS);
    for attempt in attempts {
        acknowledged.note(attempt);
    }
    let missing = acknowledged.missing(place(1, 0), last);
    missing.iter().map(|one| (one.epoch, one.first, one.last)).collect()
}

#[test]
fn only_what_this_destination_answered_well_counts() {
    let refused = Attempt { delivered: false, ..attempt(1, 1, 5) };
    let elsewhere = Attempt { destination: OTHER, ..attempt(1, 1, 5) };
    assert_eq!(missing(&[refused, elsewhere], place(1, 9)), [(1, 1, 9)]);
    assert_eq!(missing(&[attempt(1, 3, 5)], place(1, 9)), [(1, 1, 2), (1, 6, 9)]);
    assert_eq!(missing(&[attempt(1, 1, 20)], place(1, 9)), []);
}

#[test]
fn a_batch_with_holes_counts_by_its_runs_or_not_at_all() {
    let sparse = Attempt { events: 3, ..attempt(1, 2, 8) };
    assert_eq!(missing(std::slice::from_ref(&sparse), place(1, 9)), [(1, 1, 9)]);
    let told = Attempt { runs: vec![(2, 3), (8, 8)], ..sparse };
    assert_eq!(missing(&[told], place(1, 9)), [(1, 1, 1), (1, 4, 7), (1, 9, 9)]);
}

#[test]
fn a_new_life_of_the_chain_has_numbers_of_its_own() {
    let brought = [attempt(1, 1, 4), attempt(2, 1, 3)];
    assert_eq!(missing(&brought, place(2, 5)), [(1, 5, u64::MAX), (2, 4, 5)]);
}

#[test]
fn too_many_stretches_are_joined_where_that_costs_least() {
    // Every second number, but for one wide stretch in the middle.
    let end = 4 * STRETCHES_MAX as u64;
    let brought: Vec<_> = (1..=end / 2).map(|n| attempt(1, 2 * n, 2 * n)).collect();
    let wide = [attempt(1, 1_001, 1_099)];
    let found = missing(&[brought.as_slice(), &wide].concat(), place(1, end));
    assert!(found.len() <= STRETCHES_MAX, "{}", found.len());
    let covers = |number| found.iter().any(|(_, first, last)| (*first..=*last).contains(&number));
    assert!((1..=end).step_by(2).filter(|n| !(1_001..=1_099).contains(n)).all(covers));
    assert!(!covers(1_050));
}

#[test]
fn stretches_of_two_lives_are_never_joined() {
    let brought: Vec<_> = (1..=STRETCHES_MAX as u64).map(|n| attempt(1, 2 * n, 2 * n)).collect();
    assert_eq!(missing(&brought, place(2, 5)), [(1, 1, u64::MAX), (2, 1, 5)]);
}

proptest! {
    #[test]
    fn what_is_missing_is_everything_that_was_not_brought(
        runs in prop::collection::vec((1u64..3, 1u64..40, 0u64..6), 0..20),
        from in 0u64..40,
    ) {
        let mut acknowledged = Acknowledged::by(OURS);
        let mut brought = BTreeSet::new();
        for (epoch, first, more) in runs {
            acknowledged.note(&attempt(epoch, first, first + more));
            brought.extend((first..=first + more).map(|number| (epoch, number)));
        }
        let found = acknowledged.missing(place(1, from), place(2, 30));
        let has = |epoch, number| {
            found.iter().any(|one| one.meets(Stretch { epoch, first: number, last: number }))
        };
        for number in 1..60 {
            prop_assert_eq!(has(1, number), number > from && !brought.contains(&(1, number)));
            prop_assert_eq!(has(2, number), number <= 30 && !brought.contains(&(2, number)));
        }
        prop_assert!(found.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
