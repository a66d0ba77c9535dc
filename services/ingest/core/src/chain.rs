//! A scope's log is a numbered chain of records.
//!
//! A record is appended on the condition that the chain's tip is still the one it was numbered
//! behind. When the broker says otherwise, or nobody knows what became of an append, the tip is
//! read again and [`resolve`] tells whether the record is in already.

use auditrelay_model::event::AuditEvent;
use auditrelay_model::id::RecordId;
use auditrelay_model::record::{Digest, Place, Record};
use auditrelay_model::{Scope, Timestamp};

/// The end of a scope's chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tip {
    /// The life of the chain.
    pub epoch: u64,
    /// Number of the last event.
    pub last_number: u64,
    /// Digest of the last record.
    pub digest: Digest,
    /// Stream sequence of the last record: the condition of the next append.
    pub sequence: u64,
}

impl Tip {
    /// The tip that a stored record makes.
    pub fn of(record: &Record, digest: Digest, sequence: u64) -> Self {
        Self { epoch: record.epoch, last_number: record.last_number(), digest, sequence }
    }

    /// The place of the last event.
    pub const fn place(&self) -> Place {
        Place { epoch: self.epoch, number: self.last_number }
    }
}

/// Where a scope's log ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Nothing is stored.
    Nothing,
    /// With a record.
    At(Tip),
    /// With a message of which nobody can tell what it is: the next record begins an epoch, so
    /// that everybody sees where the chain was cut.
    Unreadable {
        /// Its stream sequence.
        sequence: u64,
    },
    /// Before something that was stored: the broker has lost it. Whoever got it would take another
    /// record with its numbers for the same one, so the next record begins an epoch.
    Cut {
        /// Stream sequence of the last record that is left.
        sequence: u64,
        /// The last event that is left.
        left: Place,
        /// The last event that is known to have been stored.
        known: Place,
    },
}

impl End {
    /// What a log's last record makes of it for who knows that this event was stored.
    pub fn of(last: Tip, known: Option<Place>) -> Self {
        let left = last.place();
        match known.filter(|known| *known > left) {
            Some(known) => Self::Cut { sequence: last.sequence, left, known },
            None => Self::At(last),
        }
    }

    /// The last event that was lost behind it, if any was.
    pub const fn lost(&self) -> Option<Place> {
        match self {
            Self::Cut { known, .. } => Some(*known),
            Self::Nothing | Self::At(_) | Self::Unreadable { .. } => None,
        }
    }

    /// The record to number behind, if there is one.
    pub const fn tip(&self) -> Option<&Tip> {
        match self {
            Self::At(tip) => Some(tip),
            Self::Nothing | Self::Unreadable { .. } | Self::Cut { .. } => None,
        }
    }

    /// The stream sequence that the next append is conditional on: 0 for a log without records.
    pub const fn expected_sequence(&self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::At(tip) => tip.sequence,
            Self::Unreadable { sequence } | Self::Cut { sequence, .. } => *sequence,
        }
    }
}

/// Numbers `record` behind `tip`; again, when another writer was first. The same tip always gives
/// the same record. Without a tip a new epoch begins, named by the time in milliseconds: every
/// record of the last epoch has expired, so its name lies days in the past (or was erased, so it
/// lies at least behind the one that the record would have joined, and behind that of an event that
/// is known to have been stored).
pub fn number_behind(tip: Option<&Tip>, known: Option<Place>, record: &mut Record) {
    if let Some(tip) = tip {
        record.epoch = tip.epoch;
        record.first_number = tip.last_number.saturating_add(1);
        record.previous_digest = Some(tip.digest);
    } else {
        let millis = u64::try_from(record.accepted_at.millis()).unwrap_or(0);
        let erased = record.previous_digest.take().map_or(0, |_| record.epoch);
        let renewed = record.first_number == 1 && record.epoch > millis;
        let epoch = if renewed { record.epoch } else { millis.max(erased + 1) };
        let later = known.map_or(0, |known| known.epoch.saturating_add(1));
        (record.epoch, record.first_number) = (epoch.max(later), 1);
    }
}

/// A record of a scope that has no number yet.
pub const fn unnumbered(
    id: RecordId,
    scope: Scope,
    accepted_at: Timestamp,
    idempotency_key: Option<String>,
    events: Vec<AuditEvent>,
) -> Record {
    Record {
        id,
        scope,
        epoch: 0,
        first_number: 0,
        previous_digest: None,
        accepted_at,
        idempotency_key,
        events,
    }
}

/// What the chain's last record says about a record whose append was refused or unanswered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// It is the record: an earlier attempt came through.
    Stored,
    /// Another writer was first: number again behind its record.
    Behind,
}

/// Compares the record that was to be stored with the chain's last record.
pub fn resolve(record: RecordId, last: Option<RecordId>) -> Resolution {
    if last == Some(record) { Resolution::Stored } else { Resolution::Behind }
}

/// Whether the broker's answer speaks of an earlier attempt: it dropped this one as a repetition
/// of the record's id and named the place of the first, which lies before the condition.
pub const fn is_earlier_attempt(answered: u64, expected: u64) -> bool {
    answered <= expected
}

#[cfg(test)]
mod tests;
