//! How much goes into one request: the configured caps, what the receiver taught us (413), and
//! the search for an event that it refuses (400, 422).

use std::ops::Range;
use std::sync::Arc;

use auditrelay_model::event::AuditEvent;
use auditrelay_model::id::BatchId;
use auditrelay_model::record::{Place, Position, Record};

/// Most of something that is counted in events and in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Events.
    pub events: usize,
    /// Bytes of the body before compression.
    pub bytes: usize,
}

/// Consecutive events of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// The record.
    pub record: Arc<Record>,
    /// Which of its events.
    pub range: Range<usize>,
}

/// Events that are sent in one request, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The same over all attempts.
    pub id: BatchId,
    /// The events.
    pub slices: Vec<Slice>,
    /// First event.
    pub first: Position,
    /// Last event. Inside a record that is not finished with it, its sequence is the one before
    /// that record: everything up to a cursor's sequence is done.
    pub last: Position,
    /// How many events.
    pub events: usize,
    /// About as many bytes as they take once they are written.
    pub weight: usize,
}

impl Batch {
    /// Its events with their places in the log, in order.
    pub fn placed(&self) -> impl Iterator<Item = (Place, &AuditEvent)> {
        self.slices.iter().flat_map(|slice| {
            let events = slice.record.events.get(slice.range.clone()).unwrap_or_default();
            let epoch = slice.record.epoch;
            let first = slice.record.first_number + slice.range.start as u64;
            (first..).zip(events).map(move |(number, event)| (Place { epoch, number }, event))
        })
    }

    /// Its events, in order.
    pub fn iter(&self) -> impl Iterator<Item = &AuditEvent> {
        self.slices
            .iter()
            .flat_map(|slice| slice.record.events.get(slice.range.clone()).unwrap_or_default())
    }

    /// First and last numbers of its runs, where it leaves some numbers out between its ends.
    pub(crate) fn runs(&self) -> Vec<(u64, u64)> {
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for slice in &self.slices {
            let number = |index: usize| slice.record.first_number + index as u64;
            let (first, next) = (number(slice.range.start), number(slice.range.end));
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == first => *last = next.saturating_sub(1),
                _ => runs.push((first, next.saturating_sub(1))),
            }
        }
        if runs.len() > 1 { runs } else { Vec::new() }
    }
}

/// About as many bytes as an event's line takes; the exact size is known once it is written.
pub fn weight(event: &AuditEvent) -> usize {
    event.weight()
}

/// Chooses how much the next batch takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizer {
    configured: Caps,
    current: Caps,
    /// Batches delivered since the caps last changed.
    delivered: u32,
    /// This many next events are known to hold one that the receiver refuses.
    suspects: usize,
}

/// Batches that must be delivered before a cap that was halved is doubled again.
const DELIVERIES_BEFORE_GROWTH: u32 = 64;

impl Sizer {
    /// Starts at the configured caps.
    pub const fn new(configured: Caps) -> Self {
        Self { configured, current: configured, delivered: 0, suspects: 0 }
    }

    /// Caps of the next batch. A probe risks one event; suspects are halved.
    pub fn caps(&self, probing: bool) -> Caps {
        let events = match self.suspects {
            _ if probing => 1,
            0 => self.current.events,
            suspects => suspects.div_ceil(2).min(self.current.events),
        };
        Caps { events: events.max(1), bytes: self.current.bytes }
    }

    /// A batch was delivered.
    pub fn delivered(&mut self, events: usize) {
        self.suspects = self.suspects.saturating_sub(events);
        self.delivered += 1;
        if self.delivered >= DELIVERIES_BEFORE_GROWTH {
            self.delivered = 0;
            self.current = Caps {
                events: self.current.events.saturating_mul(2).min(self.configured.events),
                bytes: self.current.bytes.saturating_mul(2).min(self.configured.bytes),
            };
        }
    }

    /// A batch of more than one event was too large for the receiver.
    pub fn too_large(&mut self, events: usize, body_bytes: usize) {
        self.delivered = 0;
        self.current.events = (events / 2).max(1);
        self.current.bytes = (body_bytes / 2).clamp(1, self.current.bytes.max(1));
    }

    /// A batch of more than one event was refused: one of its events is to blame.
    pub fn refused(&mut self, events: usize) {
        self.suspects = events;
    }

    /// Whether an event that is refused is being looked for.
    pub const fn is_searching(&self) -> bool {
        self.suspects > 0
    }

    /// The event that was to blame is out of the way, or the events are no longer at hand.
    pub fn forget_suspects(&mut self) {
        self.suspects = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPS: Caps = Caps { events: 500, bytes: 1_000_000 };

    /// Requests until the one poisoned event among `events` is refused alone.
    fn requests_to_find(poison: usize, events: usize) -> usize {
        let mut sizer = Sizer::new(CAPS);
        let (mut done, mut requests) = (0, 0);
        loop {
            let take = sizer.caps(false).events.min(events - done);
            requests += 1;
            if !(done..done + take).contains(&poison) {
                sizer.delivered(take);
                done += take;
            } else if take == 1 {
                return requests;
            } else {
                sizer.refused(take);
            }
        }
    }

    #[test]
    fn a_refused_event_is_found_by_halving() {
        for poison in [0, 1, 249, 250, 251, 498, 499] {
            // log2(500) rounded up, the first request, and the one that is refused alone.
            let requests = requests_to_find(poison, 500);
            assert!(requests <= 9 + 2, "{poison}: {requests}");
        }
        assert_eq!(requests_to_find(0, 1), 1);
    }

    #[test]
    fn a_cap_is_halved_and_grows_back_slowly() {
        let mut sizer = Sizer::new(CAPS);
        sizer.too_large(500, 400_000);
        assert_eq!(sizer.caps(false), Caps { events: 250, bytes: 200_000 });
        sizer.too_large(1, 3);
        assert_eq!(sizer.caps(false), Caps { events: 1, bytes: 1 });
        for _ in 0..DELIVERIES_BEFORE_GROWTH {
            sizer.delivered(1);
        }
        assert_eq!(sizer.caps(false), Caps { events: 2, bytes: 2 });
        for _ in 0..DELIVERIES_BEFORE_GROWTH * 20 {
            sizer.delivered(1);
        }
        assert_eq!(sizer.caps(false), CAPS);
    }

    #[test]
    fn a_probe_is_one_event() {
        assert_eq!(Sizer::new(CAPS).caps(true).events, 1);
    }

    #[test]
    fn who_was_found_is_searched_for_no_more() {
        let mut sizer = Sizer::new(CAPS);
        sizer.refused(8);
        assert_eq!(sizer.caps(false).events, 4);
        sizer.forget_suspects();
        assert_eq!(sizer.caps(false).events, 500);
    }
}
