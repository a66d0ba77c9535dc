//! Quarantine: events that a receiver refused alone, and what was done about them.

use std::time::Duration;

use crate::delivery::Lane;
use crate::id::{DestinationId, EventId};
use crate::record::Position;
use crate::{Scope, Timestamp};

/// An event that a receiver refused alone. The sequence it is stored with is its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// When it was set aside.
    pub at: Timestamp,
    /// Whose log.
    pub scope: Scope,
    /// On which lane.
    pub lane: Lane,
    /// The sender that set it aside.
    pub sender: String,
    /// Where the event is.
    pub position: Position,
    /// Which event.
    pub event: EventId,
    /// Whose receiver refused it.
    pub destination: DestinationId,
    /// HTTP status of the refusal.
    pub status: u16,
    /// First bytes of the answer, printable.
    pub message: String,
}

/// What was done about a parked event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released {
    /// When.
    pub at: Timestamp,
    /// Whose log.
    pub scope: Scope,
    /// Sequence of the [`Parked`].
    pub parked: u64,
    /// Who wanted it: a token's id.
    pub actor: String,
    /// The sender that did it.
    pub sender: String,
    /// What.
    pub what: Release,
}

/// A way out of quarantine, or a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Release {
    /// It was sent once more; it stays parked unless it was delivered.
    Resent(Resent),
    /// Nobody wants it delivered any more.
    Discarded {
        /// Why.
        reason: String,
    },
}

/// A parked event was sent once more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resent {
    /// Where to.
    pub destination: DestinationId,
    /// The receiver answered 2xx.
    pub delivered: bool,
    /// HTTP status; none when no answer came.
    pub status: Option<u16>,
    /// First bytes of the answer, or the error.
    pub message: String,
    /// How long it took.
    pub duration: Duration,
    /// W3C trace id of the request's span; empty when it is not traced.
    pub trace_id: String,
}

impl Release {
    /// Whether the event is out of quarantine after it.
    pub const fn is_final(&self) -> bool {
        match self {
            Self::Resent(resent) => resent.delivered,
            Self::Discarded { .. } => true,
        }
    }
}

/// A command about a parked event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineCommand {
    /// Whose log.
    pub scope: Scope,
    /// Sequence of the [`Parked`].
    pub parked: u64,
    /// Who asks: a token's id.
    pub actor: String,
    /// W3C Trace Context of the request behind it.
    pub traceparent: Option<String>,
    /// What to do.
    pub action: QuarantineAction,
}

/// What can be done about a parked event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QuarantineAction {
    /// Send it once more, to the destination that the webhook has now.
    Resend,
    /// Never send it.
    Discard {
        /// Why.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_event_that_was_refused_again_can_be_released_again() {
        let resent = |delivered| {
            Release::Resent(Resent {
                destination: DestinationId::from_uuid(Uuid::nil()),
                delivered,
                status: None,
                message: String::new(),
                duration: Duration::ZERO,
                trace_id: String::new(),
            })
        };
        assert!(!resent(false).is_final());
        assert!(resent(true).is_final());
        assert!(Release::Discarded { reason: "known".to_owned() }.is_final());
    }
}
