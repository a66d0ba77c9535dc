use std::time::Duration;

use auditrelay_model::Scope;
use auditrelay_model::id::{OrgId, RecordId};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::chain;

const NOW: Timestamp = Timestamp::from_nanos(0);

fn id(number: u128) -> EventId {
    EventId::from_uuid(Uuid::from_u128(number))
}

fn ids(numbers: impl IntoIterator<Item = u128>) -> Vec<EventId> {
    numbers.into_iter().map(id).collect()
}

fn entry(number: u128, bytes: usize, supplied_id: bool) -> Entry {
    Entry { event: crate::admit::tests::event(number), bytes, supplied_id }
}

fn submission(ticket: u32, key: Option<&str>, numbers: &[u128], supplied: bool) -> Submission<u32> {
    let entries = numbers.iter().map(|number| entry(*number, 100, supplied)).collect();
    Submission::new(ticket, key.map(str::to_owned), entries)
}

fn recent() -> Recent {
    Recent::new(Duration::from_mins(2), 1_000)
}

fn record(load: &mut Load<u32>) -> Record {
    let scope = Scope::Organization(OrgId::from_uuid(Uuid::nil()));
    let key = load.key().map(str::to_owned);
    let events = std::mem::take(&mut load.events);
    chain::unnumbered(RecordId::from_uuid(Uuid::nil()), scope, NOW, key, events)
}

fn numbers(record: &Record) -> Vec<u128> {
    record.events.iter().map(|event| event.id.uuid().as_u128()).collect()
}

fn stored(ticket: u32, numbers: &[u128], duplicates: usize) -> (u32, Outcome) {
    let ids = ids(numbers.iter().copied());
    (ticket, Outcome::Stored { ids, duplicates, conflicts: 0 })
}

/// Stores records until nothing waits; their events' numbers and the answers.
fn store_all(
    backlog: &mut Backlog<u32>,
    recent: &mut Recent,
) -> (Vec<Vec<u128>>, Vec<(u32, Outcome)>) {
    let (mut records, mut answers) = (Vec::new(), Vec::new());
    loop {
        let taken = backlog.take(recent);
        answers.extend(taken.answered);
        let Some(mut load) = taken.load else { return (records, answers) };
        let record = record(&mut load);
        records.push(numbers(&record));
        answers.extend(load.stored(&record, recent, NOW));
    }
}

#[test]
fn what_waits_shares_a_record() {
    let (mut backlog, mut recent) = (Backlog::new(1_000), recent());
    backlog.push(submission(1, None, &[1, 2], false));
    backlog.push(submission(2, None, &[3], false));
    let (records, answers) = store_all(&mut backlog, &mut recent);
    assert_eq!(records, [vec![1, 2, 3]]);
    assert_eq!(answers, [stored(1, &[1, 2], 0), stored(2, &[3], 0)]);
}

#[test]
fn a_record_holds_so_many_bytes_and_no_half_of_a_request() {
    let (mut backlog, mut recent) = (Backlog::new(250), recent());
    backlog.push(submission(1, None, &[1], false));
    backlog.push(submission(2, None, &[2, 3], false));
    backlog.push(submission(3, None, &[4], false));
    let (records, answers) = store_all(&mut backlog, &mut recent);
    assert_eq!(records, [vec![1], vec![2, 3], vec![4]]);
    assert_eq!(answers, [stored(1, &[1], 0), stored(2, &[2, 3], 0), stored(3, &[4], 0)]);
}

#[test]
fn what_is_known_takes_no_room() {
    let (mut backlog, mut recent) = (Backlog::new(250), recent());
    backlog.push(submission(1, None, &[1, 2], true));
    store_all(&mut backlog, &mut recent);
    backlog.push(submission(2, None, &[3], true));
    backlog.push(submission(3, None, &[1, 2, 4], true));
    let (records, answers) = store_all(&mut backlog, &mut recent);
    assert_eq!(records, [vec![3, 4]]);
    assert_eq!(answers, [stored(2, &[3], 0), stored(3, &[1, 2, 4], 2)]);
}

#[test]
fn a_request_with_a_key_has_its_record_to_itself() {
    let (mut backlog, mut recent) = (Backlog::new(1_000), recent());
    backlog.push(submission(1, None, &[1], false));
    backlog.push(submission(2, Some("k"), &[2, 3, 4], false));
    backlog.push(submission(3, None, &[5], false));
    let (records, answers) = store_all(&mut backlog, &mut recent);
    assert_eq!(records, [vec![1], vec![2, 3, 4], vec![5]]);
    assert_eq!(answers, [stored(1, &[1], 0), stored(2, &[2, 3, 4], 0), stored(3, &[5], 0)]);
}

#[test]
fn a_repeated_key_answers_with_the_first_ids() {
    let (mut backlog, mut recent) = (Backlog::new(1_000), recent());
    backlog.push(submission(1, Some("k"), &[1, 2], false));
    store_all(&mut backlog, &mut recent);
    backlog.push(submission(2, Some("k"), &[8, 9], false));
    let (records, answers) = store_all(&mut backlog, &mut recent);
    assert!(records.is_empty());
    assert_eq!(answers, [stored(2, &[1, 2], 2)]);
}

#[test]
fn a_key_of_a_request_of_another_size_is_taken() {
    let (mut backlog, mut recent) = (Backlog::new(1_000), recent());
    recent.remember_key(NOW, "k", ids([1, 2]).into_iter());
    for numbers in [&[7][..], &[7, 8, 9]] {
        backlog.push(submission(1, Some("k"), numbers, false));
        assert_eq!(store_all(&mut backlog, &mut recent).1, [(1, Outcome::KeyTaken)]);
    }
}

#[test]
fn a_repeated_id_is_stored_once() {
    let (mut backlog, mut recent) = (Backlog::new(1_000), recent());
    backlog.push(submission(1, None, &[1, 2], true));
    backlog.push(submission(2, None, &[2], true));
    backlog.push(submission(3, None, &[2, 3], true));
    let (records, answers) = store_all(&mut backlog, &mut recent);
    assert_eq!(records, [vec![1, 2, 3]]);
    assert_eq!(answers, [stored(1, &[1, 2], 0), stored(2, &[2], 1), stored(3, &[2, 3], 1)]);
    backlog.push(submission(4, None, &[1], true));
    let (records, answers) = store_all(&mut backlog, &mut recent);
    assert!(records.is_empty());
    assert_eq!(answers, [stored(4, &[1], 1)]);
}

#[test]
fn a_repetition_waits_for_the_record_that_holds_the_first() {
    let (mut backlog, recent) = (Backlog::new(1_000), recent());
    backlog.push(submission(1, None, &[1], true));
    backlog.push(submission(2, None, &[1], true));
    let taken = backlog.take(&recent);
    assert!(taken.answered.is_empty());
    assert_eq!(taken.load.unwrap().give_up(), [1, 2]);
}

#[test]
fn what_nobody_waits_for_is_dropped_and_who_waits_can_be_told_that_nothing_is_stored() {
    let mut backlog = Backlog::new(1_000);
    assert!(backlog.is_empty());
    for ticket in 1..=3 {
        backlog.push(submission(ticket, None, &[u128::from(ticket)], false));
    }
    backlog.retain(|ticket| *ticket != 2);
    assert!(!backlog.is_empty());
    assert_eq!(backlog.give_up(), [1, 3]);
    assert!(backlog.is_empty());
}

#[test]
fn a_load_knows_its_size_and_whether_it_may_come_again() {
    let table = [(None, false, false), (None, true, true), (Some("k"), false, true)];
    for (key, supplied, repeatable) in table {
        let mut backlog = Backlog::new(1_000);
        backlog.push(submission(1, key, &[1, 2], supplied));
        let load = backlog.take(&recent()).load.unwrap();
        assert_eq!((load.bytes(), load.is_repeatable()), (200, repeatable), "{key:?} {supplied}");
    }
}

#[test]
fn what_another_writer_stored_first_comes_out_again() {
    let (mut backlog, mut recent) = (Backlog::new(1_000), recent());
    backlog.push(submission(1, None, &[1, 2], true));
    backlog.push(submission(2, None, &[3], true));
    let mut load = backlog.take(&recent).load.unwrap();
    let mut mine = record(&mut load);
    recent.remember(NOW, id(2), Fingerprint::of(&crate::admit::tests::event(2)));
    load.withdraw(&mut mine, &recent);
    assert_eq!(numbers(&mine), [1, 3]);
    let answers = load.stored(&mine, &mut recent, NOW);
    assert_eq!(answers, [stored(1, &[1, 2], 1), stored(2, &[3], 0)]);
}

#[test]
fn a_key_that_another_writer_stored_first_comes_out_again() {
    let (mut backlog, mut recent) = (Backlog::new(1_000), recent());
    backlog.push(submission(1, Some("k"), &[8, 9], false));
    let mut load = backlog.take(&recent).load.unwrap();
    let mut mine = record(&mut load);
    recent.remember_key(NOW, "k", ids([1, 2]).into_iter());
    load.withdraw(&mut mine, &recent);
    assert!(mine.events.is_empty());
    assert_eq!(load.stored(&mine, &mut recent, NOW), [stored(1, &[1, 2], 2)]);
}

#[test]
fn another_content_under_a_stored_id_is_counted() {
    let (mut backlog, mut recent) = (Backlog::new(1_000), recent());
    backlog.push(submission(1, None, &[1, 2], true));
    store_all(&mut backlog, &mut recent);
    let mut other = entry(1, 100, true);
    other.event.uri = "/other".to_owned();
    let same = entry(2, 100, true);
    backlog.push(Submission::new(2, None, vec![other, same, entry(3, 100, true)]));
    let mut late = entry(3, 100, true);
    late.event.uri = "/other".to_owned();
    backlog.push(Submission::new(3, None, vec![late]));
    let (records, answers) = store_all(&mut backlog, &mut recent);
    assert_eq!(records, [[3]]);
    let counted = |duplicates, conflicts, numbers: &[u128]| Outcome::Stored {
        ids: ids(numbers.iter().copied()),
        duplicates,
        conflicts,
    };
    assert_eq!(answers, [(2, counted(2, 1, &[1, 2, 3])), (3, counted(1, 1, &[3]))]);
}

proptest! {
    /// Whatever comes in: every event is stored once, in order, in records that fit.
    #[test]
    fn every_event_is_stored_once_in_order_and_no_request_by_halves(
        requests in prop::collection::vec((prop::collection::vec(1_usize..300, 1..8), any::<bool>()), 0..12),
        max in 50_usize..400,
    ) {
        let (mut backlog, mut recent) = (Backlog::new(max), recent());
        let mut number = 0;
        for (ticket, (sizes, keyed)) in (0..).zip(&requests) {
            let entries = sizes.iter().map(|bytes| { number += 1; entry(number, *bytes, false) });
            let entries = entries.collect();
            backlog.push(Submission::new(ticket, keyed.then(|| ticket.to_string()), entries));
        }
        let sizes: Vec<usize> = requests.iter().flat_map(|(sizes, _)| sizes.clone()).collect();
        let ends: Vec<u128> = requests.iter().scan(0, |end, (sizes, _)| {
            *end += sizes.len() as u128;
            Some(*end)
        }).collect();
        let (records, answers) = store_all(&mut backlog, &mut recent);
        prop_assert_eq!(records.concat(), (1..=number).collect::<Vec<_>>());
        prop_assert_eq!(answers.len(), requests.len());
        for record in records {
            let bytes: usize = record.iter().map(|n| sizes[usize::try_from(*n).unwrap() - 1]).sum();
            let requests = ends.iter().filter(|end| record.contains(end)).count();
            prop_assert!(bytes <= max || requests == 1);
            prop_assert!(record.last().is_none_or(|last| ends.contains(last)), "half a request");
        }
    }
}
