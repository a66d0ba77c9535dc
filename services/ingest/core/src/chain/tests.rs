use auditrelay_model::id::OrgId;
use auditrelay_model::record::Place;
use uuid::Uuid;

use super::*;

fn record(id: u128, events: usize) -> Record {
    let scope = Scope::Organization(OrgId::from_uuid(Uuid::nil()));
    let at = Timestamp::from_nanos(1_750_280_556_123_000_000);
    let events = vec![crate::admit::tests::event(1); events];
    unnumbered(RecordId::from_uuid(Uuid::from_u128(id)), scope, at, None, events)
}

#[test]
fn a_chain_begins_at_one_and_goes_on_without_a_gap() {
    let mut first = record(1, 3);
    number_behind(None, None, &mut first);
    assert_eq!((first.epoch, first.first_number), (1_750_280_556_123, 1));
    assert_eq!(first.previous_digest, None);
    assert_eq!(End::Nothing.expected_sequence(), 0);

    let tip = Tip::of(&first, [7; 32], 42);
    let mut second = record(2, 2);
    number_behind(Some(&tip), None, &mut second);
    assert_eq!((second.epoch, second.first_number, second.last_number()), (first.epoch, 4, 5));
    assert_eq!(second.previous_digest, Some([7; 32]));
    assert_eq!((End::At(tip).tip(), End::At(tip).expected_sequence()), (Some(&tip), 42));
}

#[test]
fn a_record_that_lost_the_race_is_numbered_again() {
    let mut theirs = record(1, 3);
    number_behind(None, None, &mut theirs);
    let mut mine = record(2, 1);
    number_behind(None, None, &mut mine);
    assert_eq!(resolve(mine.id, Some(theirs.id)), Resolution::Behind);
    number_behind(Some(&Tip::of(&theirs, [1; 32], 9)), None, &mut mine);
    assert_eq!((mine.epoch, mine.first_number), (theirs.epoch, 4));
}

#[test]
fn a_record_whose_answer_was_lost_is_found_again() {
    let mine = record(2, 1);
    assert_eq!(resolve(mine.id, Some(mine.id)), Resolution::Stored);
    assert_eq!(resolve(mine.id, None), Resolution::Behind);
    assert!(is_earlier_attempt(7, 9) && !is_earlier_attempt(10, 9));
}

#[test]
fn a_chain_that_was_erased_begins_a_later_epoch() {
    let mut record = record(1, 1);
    let tip = Tip { epoch: u64::MAX / 2, last_number: 7, digest: [7; 32], sequence: 9 };
    number_behind(Some(&tip), None, &mut record);
    number_behind(None, None, &mut record);
    assert_eq!((record.epoch, record.first_number), (tip.epoch + 1, 1));
    let numbered = record.clone();
    number_behind(None, None, &mut record);
    assert_eq!(record, numbered, "the same tip gives the same record");
}

#[test]
fn behind_what_nobody_can_read_an_epoch_begins() {
    let end = End::Unreadable { sequence: 9 };
    let mut next = record(2, 1);
    number_behind(end.tip(), None, &mut next);
    assert_eq!((next.first_number, next.previous_digest, end.expected_sequence()), (1, None, 9));
}

#[test]
fn behind_what_the_broker_lost_an_epoch_begins() {
    let last = Tip { epoch: 5, last_number: 4, digest: [7; 32], sequence: 40 };
    let known = |epoch, number| Some(Place { epoch, number });
    for known in [None, known(5, 3), known(5, 4), known(4, 9)] {
        assert_eq!(End::of(last, known), End::At(last), "{known:?}");
    }
    for known in [known(5, 5), known(6, 1)] {
        let end = End::of(last, known);
        let cut = End::Cut { sequence: 40, left: last.place(), known: known.unwrap() };
        assert_eq!((end, end.tip(), end.expected_sequence()), (cut, None, 40));
        assert_eq!((end.lost(), End::At(last).lost()), (known, None));
    }
}

#[test]
fn an_epoch_is_later_than_any_that_is_known_whatever_the_clock_says() {
    let now = 1_750_280_556_123;
    for (known, epoch) in [(now - 1, now), (now, now + 1), (now + 9, now + 10)] {
        let mut record = record(1, 1);
        number_behind(None, Some(Place { epoch: known, number: 3 }), &mut record);
        assert_eq!((record.epoch, record.first_number), (epoch, 1));
    }
}
