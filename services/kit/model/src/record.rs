//! The stored unit and places in a log.

use crate::Timestamp;
use crate::event::AuditEvent;
use crate::id::RecordId;
use crate::scope::Scope;

/// SHA-256 of a record's encoded bytes.
pub type Digest = [u8; 32];

/// Events of one scope that were stored together: one link of the scope's numbered chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Unique; a repeated append finds its own record by it.
    pub id: RecordId,
    /// Whose log.
    pub scope: Scope,
    /// The life of the chain; a new one begins when every record of the scope has expired, or where
    /// the broker lost the last of them.
    pub epoch: u64,
    /// Number of the first event: gapless within an epoch, beginning at 1.
    pub first_number: u64,
    /// The previous record's digest; none for the first of an epoch.
    pub previous_digest: Option<Digest>,
    /// When it was stored, by ingest's clock.
    pub accepted_at: Timestamp,
    /// The request's `Idempotency-Key`; such a record holds that request alone.
    pub idempotency_key: Option<String>,
    /// In the order of acceptance; never empty.
    pub events: Vec<AuditEvent>,
}

impl Record {
    /// Number of the last event.
    pub fn last_number(&self) -> u64 {
        self.first_number.saturating_add(self.events.len().saturating_sub(1) as u64)
    }
}

/// What a record's head says of its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers {
    /// The life of the chain.
    pub epoch: u64,
    /// Number of the first event.
    pub first: u64,
    /// Number of the last event.
    pub last: u64,
}

impl Numbers {
    /// Of a record that was stored at a time, whether they can be: somebody else than ingest may
    /// have stored it. Who believed in a thousand million events, or in an epoch that is still to
    /// come, would wait for them.
    pub fn can_be(self, stored_at: Timestamp) -> bool {
        let latest = u64::try_from(stored_at.millis()).unwrap_or(0).saturating_add(AHEAD_MILLIS);
        let counted = self.last.checked_sub(self.first);
        self.epoch <= latest
            && (1..=u64::MAX / 2).contains(&self.first)
            && counted.is_some_and(|others| others < EVENTS_MAX)
    }
}

/// Events of one record, at most: it has 256 KiB, and each of them takes more than four bytes.
const EVENTS_MAX: u64 = 65_536;
/// Epochs are named by ingest's clock, and the broker's may be a day behind it.
const AHEAD_MILLIS: u64 = 24 * 60 * 60 * 1_000;

/// Where an event stands in its scope's log, as receivers are told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The life of the chain.
    pub epoch: u64,
    /// The event's number in it.
    pub number: u64,
}

/// A cursor in a scope's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Position {
    /// The life of the chain.
    pub epoch: u64,
    /// The event's number in it.
    pub number: u64,
    /// Stream sequence of the event's record.
    pub sequence: u64,
}

/// How a record fits behind a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It brings the next event: skip this many events of it, then go on (0 unless only part of
    /// the record was delivered).
    Next {
        /// Events at the record's head that are already delivered.
        skip: usize,
    },
    /// All of it is delivered already.
    Known,
    /// Events are missing between the cursor and the record.
    Gap {
        /// The number that should have come.
        expected: u64,
    },
}

/// Checks a record's numbers against the last delivered event. Without a cursor any record fits.
pub fn fit(cursor: Option<Position>, epoch: u64, first_number: u64, last_number: u64) -> Fit {
    let Some(cursor) = cursor else { return Fit::Next { skip: 0 } };
    let expected = if epoch == cursor.epoch { cursor.number.saturating_add(1) } else { 1 };
    if epoch < cursor.epoch || last_number < expected {
        Fit::Known
    } else if first_number > expected {
        Fit::Gap { expected }
    } else {
        Fit::Next { skip: usize::try_from(expected - first_number).unwrap_or(usize::MAX) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_no_record_has_are_told_from_those_that_one_may_have() {
        let stored_at = Timestamp::from_nanos(1_800_000_000_000_000_000);
        let now = 1_800_000_000_000;
        let a_day = 86_400_000;
        let table = [
            (now, 1, 1, true),
            (1, 7, 1_006, true),
            (now + a_day, 1, EVENTS_MAX, true),
            (now, 1, EVENTS_MAX + 1, false),
            (now, 9, 8, false),
            (now, 0, 3, false),
            (now, u64::MAX, u64::MAX, false),
            (now, 1, u64::MAX, false),
            (now + a_day + 1, 1, 1, false),
            (u64::MAX, 1, 1, false),
        ];
        for (epoch, first, last, can_be) in table {
            let numbers = Numbers { epoch, first, last };
            assert_eq!(numbers.can_be(stored_at), can_be, "{numbers:?}");
        }
    }

    #[test]
    fn a_record_is_next_known_or_beyond_a_gap() {
        let cursor = Some(Position { epoch: 2, number: 10, sequence: 7 });
        let table = [
            (None, 1, 50, 60, Fit::Next { skip: 0 }),
            (cursor, 2, 11, 12, Fit::Next { skip: 0 }),
            (cursor, 2, 11, 11, Fit::Next { skip: 0 }),
            (cursor, 2, 9, 12, Fit::Next { skip: 2 }),
            (cursor, 2, 9, 10, Fit::Known),
            (cursor, 2, 12, 13, Fit::Gap { expected: 11 }),
            (cursor, 1, 11, 12, Fit::Known),
            (cursor, 3, 1, 4, Fit::Next { skip: 0 }),
            (cursor, 3, 2, 4, Fit::Gap { expected: 1 }),
        ];
        for (cursor, epoch, first, last, expected) in table {
            assert_eq!(fit(cursor, epoch, first, last), expected, "{epoch} {first}..{last}");
        }
    }
}
