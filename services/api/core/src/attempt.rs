//! The requests that a lane sent.

use auditrelay_model::delivery::{Attempt, DeliveryEvent, DeliveryFact};
use serde::Serialize;

use crate::fault::{Fault, Wrong};
use crate::query::Query;

const SIZE: usize = 20;
const SIZE_MAX: u64 = 100;

/// How many attempts a query asks for.
pub fn parse_size(query: &Query) -> Result<usize, Vec<Fault>> {
    let fault = |wrong| Err(vec![Fault::query("page[size]", wrong)]);
    match query.get("page[size]").map(str::parse::<u64>) {
        None => Ok(SIZE),
        Some(Err(_)) => fault(Wrong::Type("integer")),
        Some(Ok(0)) => fault(Wrong::Min(1)),
        Some(Ok(size)) if size > SIZE_MAX => fault(Wrong::Max(SIZE_MAX)),
        Some(Ok(size)) => Ok(usize::try_from(size).unwrap_or(SIZE)),
    }
}

/// One request on our own wire.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct View {
    /// When it ended.
    pub at: String,
    /// How long it took.
    pub duration_ms: u64,
    /// The same over all attempts of a batch.
    pub batch_id: String,
    /// 1 for the batch's first attempt.
    pub attempt: u32,
    /// Where it went.
    pub destination_id: String,
    /// How the batch was written.
    pub log_format: &'static str,
    /// The life of the chain that the numbers belong to.
    pub epoch: u64,
    /// Number of the first event.
    pub first_number: u64,
    /// Number of the last event.
    pub last_number: u64,
    /// How many events.
    pub events: u64,
    /// Bytes before compression.
    pub body_bytes: u64,
    /// Whether the receiver took it.
    pub delivered: bool,
    /// HTTP status; none when no answer came.
    pub status: Option<u16>,
    /// First bytes of the answer, or the error.
    pub message: String,
    /// W3C trace id; none when it is not traced.
    pub trace_id: Option<String>,
}

impl View {
    /// The request that a fact tells of; none for other facts.
    pub fn of(event: &DeliveryEvent) -> Option<Self> {
        match &event.fact {
            DeliveryFact::Attempt(attempt) => Some(Self::shown(event.at.to_string(), attempt)),
            DeliveryFact::FellBehind { .. }
            | DeliveryFact::CaughtUp
            | DeliveryFact::Held(_)
            | DeliveryFact::Resumed
            | DeliveryFact::Quarantined(_)
            | DeliveryFact::Passed { .. }
            | DeliveryFact::Expired { .. }
            | DeliveryFact::Stopped { .. } => None,
        }
    }

    fn shown(at: String, attempt: &Attempt) -> Self {
        Self {
            at,
            duration_ms: u64::try_from(attempt.duration.as_millis()).unwrap_or(u64::MAX),
            batch_id: attempt.batch.to_string(),
            attempt: attempt.number,
            destination_id: attempt.destination.to_string(),
            log_format: attempt.log_format.name(),
            epoch: attempt.first.epoch,
            first_number: attempt.first.number,
            last_number: attempt.last.number,
            events: attempt.events,
            body_bytes: attempt.body_bytes,
            delivered: attempt.delivered,
            status: attempt.status,
            message: attempt.message.clone(),
            trace_id: Some(attempt.trace_id.clone()).filter(|id| !id.is_empty()),
        }
    }
}
