//! What is taken out of the buffer, and what is left in it.

use std::sync::Arc;

use auditrelay_model::id::BatchId;
use uuid::Uuid;

use super::super::bench::{event, of_epoch, record};
use super::super::{Arrival, Body, Input};
use super::*;

const CAPS: Caps = Caps { events: 10, bytes: 1_000_000 };

fn one() -> usize {
    weight(&event(0))
}

fn stored(record: Input) -> (Arc<Record>, u64) {
    let Input::Arrived(Arrival { body: Body::Record(record), sequence, .. }) = record else {
        unreachable!()
    };
    (record, sequence)
}

/// Two lives of a log: numbers 1 to 3 and 4 to 6 of the first, 1 to 2 of the second.
fn buffer() -> Buffer {
    let mut buffer = Buffer::default();
    let second = of_epoch(2, record(9, 1, &[0; 2]), Vec::new());
    for record in [record(1, 1, &[0; 3]), record(2, 4, &[0; 3]), second] {
        let (record, sequence) = stored(record);
        buffer.push_record(&record, sequence, 0, None);
    }
    buffer
}

fn place(epoch: u64, number: u64) -> Position {
    Position { epoch, number, sequence: 0 }
}

/// First and last number, and how many.
fn batch(buffer: &Buffer, between: Between, caps: Caps) -> Option<(u64, u64, usize)> {
    let batch = buffer.batch(between, caps, BatchId::from_uuid(Uuid::nil()))?;
    assert_eq!(batch.iter().count(), batch.events);
    Some((batch.first.number, batch.last.number, batch.events))
}

#[test]
fn a_batch_holds_what_lies_between_two_places_of_one_life() {
    let buffer = buffer();
    let table = [
        (None, None, Some((1, 6, 6))),
        (Some(place(1, 2)), None, Some((3, 6, 4))),
        (None, Some(place(1, 5)), Some((1, 4, 4))),
        (Some(place(1, 2)), Some(place(1, 4)), Some((3, 3, 1))),
        (Some(place(1, 3)), Some(place(1, 4)), None),
        (Some(place(1, 6)), None, Some((1, 2, 2))),
        (Some(place(1, 6)), Some(place(2, 1)), None),
        (None, Some(place(1, 1)), None),
        (Some(place(2, 1)), None, Some((2, 2, 1))),
    ];
    for (after, until, expected) in table {
        assert_eq!(batch(&buffer, Between { after, until }, CAPS), expected, "{after:?} {until:?}");
    }
}

#[test]
fn nothing_overtakes_an_event_that_does_not_fit_any_more() {
    let mut buffer = Buffer::default();
    let (large, sequence) = stored(record(1, 2, &[0]));
    let mut large = Record::clone(&large);
    large.events[0].uri = "x".repeat(100);
    for (record, sequence) in
        [stored(record(1, 1, &[0])), (Arc::new(large), sequence + 1), stored(record(3, 3, &[0]))]
    {
        buffer.push_record(&record, sequence, 0, None);
    }
    let caps = Caps { events: 10, bytes: one() * 2 };
    assert_eq!(batch(&buffer, Between::default(), caps), Some((1, 1, 1)));
}

#[test]
fn what_is_done_is_no_load_any_more() {
    let mut buffer = buffer();
    assert_eq!(buffer.load(), Caps { events: 8, bytes: 8 * one() });
    assert!(buffer.advance(place(1, 2)).is_empty());
    assert_eq!(buffer.load(), Caps { events: 6, bytes: 6 * one() });
    assert_eq!(buffer.advance(place(1, 3)), [1]);
    assert_eq!(buffer.load(), Caps { events: 5, bytes: 5 * one() });
    assert_eq!(buffer.advance(place(2, 1)), [2]);
    assert_eq!(buffer.load(), Caps { events: 1, bytes: one() });
    assert_eq!(buffer.advance(place(2, 2)), [9]);
    assert_eq!(buffer.load(), Caps { events: 0, bytes: 0 });
}

#[test]
fn runs_name_what_a_batch_leaves_out_between_its_ends() {
    let runs = |buffer: &Buffer, between| {
        let batch = buffer.batch(between, CAPS, BatchId::from_uuid(Uuid::nil()));
        batch.unwrap().runs()
    };
    let whole = buffer();
    assert!(runs(&whole, Between::default()).is_empty(), "nothing is left out");
    let mut gapped = Buffer::default();
    for record in [record(1, 1, &[0; 3]), record(2, 4, &[0; 2]), record(4, 9, &[0])] {
        let (record, sequence) = stored(record);
        gapped.push_record(&record, sequence, 0, None);
    }
    assert_eq!(runs(&gapped, Between::default()), [(1, 5), (9, 9)]);
}
