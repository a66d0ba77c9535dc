//! What a job reads, what it has done, and why it failed.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::Stretch;
use crate::delivery::LaneState;
use crate::id::EventId;
use crate::record::{Digest, Position};

/// What a job reads of EVENTS.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// First matching stream sequence.
    pub from_sequence: u64,
    /// Last matching stream sequence; reaching it completes the job. Below `from_sequence` when
    /// nothing matches.
    pub until_sequence: u64,
    /// Most events that the records between them hold.
    pub estimated_events: u64,
    /// The place just before the first event: what is missing behind it, is missing.
    pub before: Option<Position>,
    /// The numbers to send, where not all of them are.
    pub numbers: Option<Arc<[Stretch]>>,
    /// What will be sent, where it was counted.
    pub tally: Option<Tally>,
}

/// What will be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Events.
    pub events: u64,
    /// Their bytes as they are stored.
    pub bytes: u64,
    /// About as many bytes as the bodies take before compression.
    pub body_bytes: u64,
    /// Requests that they fill when each takes as much as it may.
    pub batches: u64,
}

impl Plan {
    /// A plan that reads nothing.
    pub const EMPTY: Self = Self {
        from_sequence: 1,
        until_sequence: 0,
        estimated_events: 0,
        before: None,
        numbers: None,
        tally: None,
    };

    /// Whether there is nothing to read.
    pub const fn is_empty(&self) -> bool {
        self.until_sequence < self.from_sequence
    }
}

/// What a job has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Delivered to the receiver.
    pub events_sent: u64,
    /// Read but not selected.
    pub events_skipped: u64,
    /// Refused by the receiver one by one.
    pub events_quarantined: u64,
    /// Gone from the stream before they could be read.
    pub events_expired: u64,
    /// Bytes of the bodies before compression.
    pub bytes_sent: u64,
    /// HTTP requests, failed ones included.
    pub requests: u64,
    /// Stream sequence up to which everything is done.
    pub sequence: u64,
    /// The last event up to which everything is done.
    pub cursor: Option<Position>,
    /// Which events were delivered.
    pub sent: Option<SentIds>,
}

impl Progress {
    /// What a lane has done, in a job's words.
    pub fn of(lane: &LaneState) -> Self {
        Self {
            events_sent: lane.totals.events_delivered,
            events_skipped: lane.totals.events_passed,
            events_quarantined: lane.totals.events_quarantined,
            events_expired: lane.totals.events_expired,
            bytes_sent: lane.totals.bytes_delivered,
            requests: lane.totals.requests,
            sequence: lane.cursor.map_or(0, |cursor| cursor.sequence),
            cursor: lane.cursor,
            sent: lane.sent,
        }
    }

    /// Events that were dealt with, in whichever way.
    pub const fn accounted(&self) -> u64 {
        self.events_sent + self.events_skipped + self.events_quarantined + self.events_expired
    }
}

/// Which events were delivered, in the order of their numbers: enough to prove afterwards that a
/// list of ids is that of this job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentIds {
    /// The first.
    pub first: EventId,
    /// The last.
    pub last: EventId,
    /// `h(n) = SHA-256(h(n-1) ‖ id(n))` over the 16 bytes of each id, from 32 bytes of zero on.
    pub digest: Digest,
}

impl SentIds {
    /// The digest in hexadecimal digits.
    pub fn digest_text(&self) -> String {
        self.digest.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
    }

    /// These ids, and what was delivered before them.
    pub fn extend(before: Option<Self>, ids: impl IntoIterator<Item = EventId>) -> Option<Self> {
        ids.into_iter().fold(before, |before, id| {
            let (first, digest) = before.map_or((id, [0; 32]), |sent| (sent.first, sent.digest));
            let digest = Sha256::new().chain_update(digest).chain_update(id.uuid().as_bytes());
            Some(Self { first, last: id, digest: digest.finalize().into() })
        })
    }
}

/// Why a job failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// One lower-case word for machines: `no_webhook`, `no_destination`, `disabled`, `gap`,
    /// `expired`, `receiver`, `corrupt`, `superseded`.
    pub code: String,
    /// What went wrong and who can act, in words.
    pub reason: String,
}

/// Who can do something about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// Whoever configures the organization, or runs its receiver.
    Organization,
    /// Whoever runs this system.
    Operator,
    /// Nobody needs to, or can.
    Nobody,
}

impl Actor {
    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Operator => "operator",
            Self::Nobody => "nobody",
        }
    }
}

impl Failure {
    /// Who can act.
    pub fn actor(&self) -> Actor {
        match self.code.as_str() {
            "no_webhook" | "no_destination" | "disabled" | "removed" | "receiver" => {
                Actor::Organization
            }
            "superseded" | "expired" => Actor::Nobody,
            _ => Actor::Operator,
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_digest_does_not_depend_on_how_the_ids_were_batched() {
        let ids: Vec<_> = (1..=7).map(|n| EventId::from_uuid(Uuid::from_u128(n))).collect();
        let whole = SentIds::extend(None, ids.iter().copied());
        let (head, tail) = ids.split_at(3);
        let parts = SentIds::extend(SentIds::extend(None, head.to_vec()), tail.to_vec());
        assert_eq!(whole, parts);
        let sent = whole.unwrap();
        assert_eq!((sent.first, sent.last), (ids[0], ids[6]));
        let other = SentIds::extend(None, ids.iter().rev().copied()).unwrap();
        assert_ne!(sent.digest, other.digest, "the order counts");
        assert_eq!(SentIds::extend(None, []), None);
        assert_eq!(SentIds { digest: [0x0a; 32], ..sent }.digest_text(), "0a".repeat(32));
    }

    #[test]
    fn what_became_of_every_event_is_accounted_for() {
        let progress = Progress {
            events_sent: 8,
            events_skipped: 4,
            events_quarantined: 2,
            events_expired: 1,
            ..Progress::default()
        };
        assert_eq!(progress.accounted(), 15);
    }
}
