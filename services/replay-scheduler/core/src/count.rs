//! Counting what a job would send, without sending it.

use auditrelay_model::Timestamp;
use auditrelay_model::event::AuditEvent;
use auditrelay_model::record::Position;
use auditrelay_model::replay::{Selection, Stretch, Tally};

/// Most of one request, as the sender fills it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchCaps {
    /// Events.
    pub events: u64,
    /// Bytes of the body before compression.
    pub bytes: u64,
}

/// Counts record by record.
#[derive(Debug, Clone)]
pub struct Counter {
    selection: Selection,
    before: Option<Position>,
    caps: BatchCaps,
    tally: Tally,
    /// What the last request holds so far.
    open: BatchCaps,
}

impl Counter {
    /// Nothing yet; events up to `before` are not part of it.
    pub const fn new(selection: Selection, before: Option<Position>, caps: BatchCaps) -> Self {
        let open = BatchCaps { events: 0, bytes: 0 };
        let tally = Tally { events: 0, bytes: 0, body_bytes: 0, batches: 0 };
        Self { selection, before, caps, tally, open }
    }

    /// Whether a record has to be read.
    pub fn wants(&self, numbers: Stretch, first: Timestamp, last: Timestamp) -> bool {
        self.selection.touches(numbers, first, last)
    }

    /// Counts the events of one record; `stored_bytes` tells what one takes.
    pub fn take(
        &mut self,
        (epoch, first_number): (u64, u64),
        events: &[AuditEvent],
        stored_bytes: impl Fn(&AuditEvent) -> usize,
    ) {
        for (event, number) in events.iter().zip(first_number..) {
            let is_done =
                self.before.is_some_and(|done| (epoch, number) <= (done.epoch, done.number));
            if !is_done && self.selection.admits(epoch, number, event) {
                self.add(stored_bytes(event) as u64, event.weight() as u64);
            }
        }
    }

    fn add(&mut self, stored_bytes: u64, body_bytes: u64) {
        let fits =
            self.open.events < self.caps.events && self.open.bytes + body_bytes <= self.caps.bytes;
        if self.tally.batches == 0 || !fits {
            self.tally.batches += 1;
            self.open = BatchCaps { events: 0, bytes: 0 };
        }
        self.open.events += 1;
        self.open.bytes += body_bytes;
        self.tally.events += 1;
        self.tally.bytes += stored_bytes;
        self.tally.body_bytes += body_bytes;
    }

    /// What was counted.
    pub const fn tally(&self) -> Tally {
        self.tally
    }
}

#[cfg(test)]
mod tests {
    use auditrelay_model::Window;
    use auditrelay_model::event::{Access, Detail};
    use auditrelay_model::id::EventId;
    use uuid::Uuid;

    use super::*;

    fn event(ts: i64) -> AuditEvent {
        AuditEvent::new(
            EventId::from_uuid(Uuid::nil()),
            Timestamp::from_nanos(ts),
            Detail::Access(Access {
                method: String::new(),
                status_code: 200,
                query: String::new(),
            }),
        )
    }

    fn counter(numbers: Option<Vec<Stretch>>, before: Option<Position>, caps: u64) -> Counter {
        let window = Window::stored(Timestamp::from_nanos(10), Timestamp::from_nanos(20));
        let selection = Selection { numbers: numbers.map(Into::into), ..window.into() };
        Counter::new(selection, before, BatchCaps { events: caps, bytes: 1_000_000 })
    }

    #[test]
    fn what_is_selected_is_counted_and_fills_requests() {
        let events: Vec<_> = [9, 10, 15, 20, 21, 12, 13].map(event).into();
        let mut counter = counter(None, None, 2);
        counter.take((1, 1), &events[..2], |_| 7);
        assert_eq!(counter.tally().batches, 1, "the first opens a request");
        counter.take((1, 3), &events[2..], |_| 7);
        let tally = counter.tally();
        assert_eq!((tally.events, tally.bytes, tally.batches), (5, 35, 3));
        assert_eq!(tally.body_bytes, 5 * event(0).weight() as u64);
    }

    #[test]
    fn what_is_done_or_not_among_the_numbers_is_left_out() {
        let numbers = vec![Stretch { epoch: 1, first: 2, last: 6 }];
        let before = Position { epoch: 1, number: 4, sequence: 9 };
        let mut counter = counter(Some(numbers), Some(before), 500);
        counter.take((1, 1), &[15; 9].map(event), |_| 1);
        assert_eq!(counter.tally().events, 2);
        let at = Timestamp::from_nanos(15);
        assert!(counter.wants(Stretch { epoch: 1, first: 6, last: 9 }, at, at));
        assert!(!counter.wants(Stretch { epoch: 1, first: 7, last: 9 }, at, at));
    }

    #[test]
    fn a_request_is_full_by_its_bytes_too() {
        let window = Window::stored(Timestamp::from_nanos(0), Timestamp::from_nanos(9));
        let bytes = 2 * event(0).weight() as u64;
        let caps = BatchCaps { events: 500, bytes };
        let mut counter = Counter::new(window.into(), None, caps);
        counter.take((1, 1), &[1; 5].map(event), |_| 1);
        assert_eq!(counter.tally().batches, 3);
    }
}
