//! What is known of a record before it is decoded: its place, and whether it can be one.

use auditrelay_model::record::{Digest, Numbers, Place, Position, Record};
use auditrelay_model::{Scope, Timestamp};

use crate::codec;
use crate::error::ReadError;
use crate::header;
use crate::stored::Stored;
use crate::subject;

/// What a record's headers say: enough to skip it undecoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordHead {
    /// Whose log.
    pub scope: Scope,
    /// Where it is in EVENTS.
    pub sequence: u64,
    /// When the broker stored it.
    pub stored_at: Timestamp,
    /// The life of the chain.
    pub epoch: u64,
    /// Number of its first event.
    pub first_number: u64,
    /// Number of its last event.
    pub last_number: u64,
    /// Earliest event time in it.
    pub ts_min: Timestamp,
    /// Latest event time in it.
    pub ts_max: Timestamp,
    /// W3C `traceparent` of the request that brought its first traced event in.
    pub traceparent: Option<String>,
    /// SHA-256 of its bytes as they were written; none where nobody named it.
    pub digest: Option<Digest>,
    /// The last event that the broker lost right before it, where it lost some.
    pub lost: Option<Place>,
}

impl RecordHead {
    /// The place of its last event.
    pub const fn end(&self) -> Position {
        Position { epoch: self.epoch, number: self.last_number, sequence: self.sequence }
    }
}

/// A message where records are.
pub(crate) enum Found {
    /// A record.
    Record(RecordHead),
    /// Something else, at this sequence.
    Strange(u64),
}

pub(super) fn head_of_stored(stored: &Stored) -> Result<RecordHead, ReadError> {
    head(&stored.subject, (stored.sequence, stored.at), &stored.headers, &stored.payload)
}

/// Reads the head of what a direct get brought.
pub(crate) fn found(answer: &async_nats::Message) -> Result<Found, ReadError> {
    let empty = async_nats::HeaderMap::new();
    let headers = answer.headers.as_ref().unwrap_or(&empty);
    let parts = (
        header::text(headers, "Nats-Subject"),
        header::text(headers, "Nats-Sequence").and_then(|text| text.parse().ok()),
        header::text(headers, "Nats-Time-Stamp")
            .and_then(|text| Timestamp::parse_rfc3339(text).ok()),
    );
    match parts {
        (Some(subject), Some(sequence), Some(stored_at)) => {
            let head = head(subject, (sequence, stored_at), headers, &answer.payload);
            Ok(head.map_or(Found::Strange(sequence), Found::Record))
        }
        _ => Err(ReadError::Corrupt("a direct get without its headers".to_owned())),
    }
}

/// Reads a record's head from its headers, and where they cannot be read from itself.
pub(crate) fn head(
    subject: &str,
    place: (u64, Timestamp),
    headers: &async_nats::HeaderMap,
    payload: &[u8],
) -> Result<RecordHead, ReadError> {
    of_headers(subject, place, headers).or_else(|_| of_payload(subject, place, payload))
}

fn of_headers(
    subject: &str,
    (sequence, stored_at): (u64, Timestamp),
    headers: &async_nats::HeaderMap,
) -> Result<RecordHead, ReadError> {
    let parts = (
        subject::scope_at_end(subject),
        header::numbers(headers),
        header::time(headers, header::TS_MIN),
        header::time(headers, header::TS_MAX),
    );
    let (Some(scope), Some((epoch, first_number, last_number)), Some(ts_min), Some(ts_max)) = parts
    else {
        return Err(ReadError::Corrupt(format!("record {sequence} has no readable headers")));
    };
    let numbers = Numbers { epoch, first: first_number, last: last_number };
    if !numbers.can_be(stored_at) {
        return Err(ReadError::Corrupt(format!("no record has the numbers of {sequence}")));
    }
    let traceparent = header::text(headers, header::TRACEPARENT).map(ToOwned::to_owned);
    let digest = header::text(headers, header::DIGEST).and_then(header::unhex);
    Ok(RecordHead {
        scope,
        sequence,
        stored_at,
        epoch,
        first_number,
        last_number,
        ts_min,
        ts_max,
        traceparent,
        digest,
        lost: header::lost(headers),
    })
}

fn of_payload(
    subject: &str,
    (sequence, stored_at): (u64, Timestamp),
    payload: &[u8],
) -> Result<RecordHead, ReadError> {
    let corrupt = |error: String| ReadError::Corrupt(format!("record {sequence}: {error}"));
    let scope = subject::scope_at_end(subject)
        .ok_or_else(|| corrupt(format!("{subject} belongs to no scope")))?;
    let record =
        codec::event::decode_record(payload).map_err(|error| corrupt(error.to_string()))?;
    if !is_own(&record, scope, stored_at) {
        return Err(corrupt("it is not of this log".to_owned()));
    }
    let (ts_min, ts_max) = header::span(&record);
    Ok(RecordHead {
        scope,
        sequence,
        stored_at,
        epoch: record.epoch,
        first_number: record.first_number,
        last_number: record.last_number(),
        ts_min,
        ts_max,
        traceparent: None,
        digest: None,
        lost: None,
    })
}

/// Whether a record belongs where it is stored.
pub(crate) fn is_own(record: &Record, scope: Scope, stored_at: Timestamp) -> bool {
    let (epoch, first, last) = (record.epoch, record.first_number, record.last_number());
    record.scope == scope && Numbers { epoch, first, last }.can_be(stored_at)
}
