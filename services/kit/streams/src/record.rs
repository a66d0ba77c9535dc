//! Records of audit events: appending them, finding them.

use auditrelay_model::event::AuditEvent;
use auditrelay_model::record::{Digest, Place, Position, Record};
use auditrelay_model::{Scope, Timestamp};
use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::append::Outgoing;
use crate::codec;
use crate::connect::{RECORD_TIMEOUT, Streams};
use crate::error::{AppendError, ReadError};
use crate::header;
use crate::reader::Undecodable;
use crate::stored::Stored;
use crate::subject;
use crate::topology::StreamName;

mod head;

pub use head::RecordHead;
use head::head_of_stored;
pub(crate) use head::{Found, found, head, is_own};

/// A record with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// The record.
    pub record: Record,
    /// Where it is in EVENTS.
    pub sequence: u64,
    /// When the broker stored it.
    pub stored_at: Timestamp,
    /// SHA-256 of its bytes; the next record carries it.
    pub digest: Digest,
}

/// A record that is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Where it is in EVENTS.
    pub sequence: u64,
    /// SHA-256 of its bytes.
    pub digest: Digest,
}

/// A record as it is sent to the broker.
#[derive(Debug)]
pub struct EncodedRecord {
    pub(crate) subject: String,
    pub(crate) headers: async_nats::HeaderMap,
    pub(crate) payload: Bytes,
    pub(crate) digest: Digest,
    pub(crate) id: String,
}

impl EncodedRecord {
    /// Encodes a record.
    pub fn of(record: &Record) -> Self {
        let payload = Bytes::from(codec::event::encode_record(record));
        let digest = Sha256::digest(&payload).into();
        Self {
            subject: subject::events(record.scope),
            headers: header::of_record(record, &digest),
            payload,
            digest,
            id: record.id.to_string(),
        }
    }

    /// The same for a record that is stored where the broker lost events, up to this one.
    #[must_use]
    pub fn behind(mut self, lost: Option<Place>) -> Self {
        if let Some(Place { epoch, number }) = lost {
            self.headers.insert(header::LOST, format!("{epoch}.{number}"));
        }
        self
    }

    /// SHA-256 of its bytes.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// What a reader makes of its bytes.
    pub fn decode(&self) -> Result<Record, Undecodable> {
        genuine(Some(self.digest), &self.payload)
    }
}

/// Bytes that an event takes inside a record.
pub fn encoded_len(event: &AuditEvent) -> usize {
    codec::event::length(event)
}

impl Streams {
    /// Stores a record behind the scope's last one, whose sequence must be `expect_last` (0 when
    /// the scope has none). Returns once it is on disk.
    pub async fn append_record(
        &self,
        record: &Record,
        expect_last: u64,
    ) -> Result<Appended, AppendError> {
        self.append_encoded(EncodedRecord::of(record), expect_last).await
    }

    /// The same for a record that is encoded already.
    pub async fn append_encoded(
        &self,
        record: EncodedRecord,
        expect_last: u64,
    ) -> Result<Appended, AppendError> {
        let EncodedRecord { subject, headers, payload, digest, id } = record;
        let message = Outgoing {
            subject,
            headers,
            payload,
            message_id: Some(id),
            expect_last: Some(expect_last),
            ..Outgoing::default()
        };
        let sequence = self.append_within(RECORD_TIMEOUT, message).await?;
        Ok(Appended { sequence, digest })
    }

    /// The head of the scope's last record, from the leader. What is stored behind it and is no
    /// record is passed over.
    pub async fn last_head(&self, scope: Scope) -> Result<Option<RecordHead>, ReadError> {
        match self.last(StreamName::Events, &subject::events(scope)).await? {
            None => Ok(None),
            Some(stored) => match head_of_stored(&stored) {
                Ok(head) => Ok(Some(head)),
                Err(_) => self.last_record_up_to(scope, stored.sequence - 1).await,
            },
        }
    }

    /// The head of the scope's first record at or after a sequence, from the leader; what is no
    /// record is passed over.
    pub async fn next_head(
        &self,
        scope: Scope,
        sequence: u64,
    ) -> Result<Option<RecordHead>, ReadError> {
        self.next_that_is(scope, sequence, |stored| head_of_stored(stored).ok()).await
    }

    /// The scope's last record, from the leader.
    pub async fn last_record(&self, scope: Scope) -> Result<Option<StoredRecord>, ReadError> {
        let stored = self.last(StreamName::Events, &subject::events(scope)).await?;
        stored.map(|stored| stored_record(&stored)).transpose()
    }

    /// Where the scope's last record ends, from the leader. Of one that cannot be read only the
    /// sequence is known.
    pub async fn last_place(&self, scope: Scope) -> Result<Option<Position>, ReadError> {
        let stored = self.last(StreamName::Events, &subject::events(scope)).await?;
        Ok(stored.map(|stored| match head_of_stored(&stored) {
            Ok(head) => head.end(),
            Err(error) => {
                tracing::error!(%scope, %error, "the last record of a log cannot be read");
                Position { sequence: stored.sequence, ..Position::default() }
            }
        }))
    }

    /// The scope's first record at or after a sequence.
    pub async fn next_record(
        &self,
        scope: Scope,
        sequence: u64,
    ) -> Result<Option<StoredRecord>, ReadError> {
        let stored =
            self.next(StreamName::Events, &subject::events(scope), sequence.max(1)).await?;
        stored.map(|stored| stored_record(&stored)).transpose()
    }

    /// The same, passing over messages that are no records.
    pub async fn next_readable_record(
        &self,
        scope: Scope,
        sequence: u64,
    ) -> Result<Option<StoredRecord>, ReadError> {
        let read = |stored: &Stored| {
            stored_record(stored)
                .inspect_err(|error| tracing::warn!(%scope, %error, "a message is passed over"))
                .ok()
        };
        self.next_that_is(scope, sequence, read).await
    }

    /// The first of the scope's messages at or after a sequence that can be read as something.
    async fn next_that_is<T>(
        &self,
        scope: Scope,
        mut sequence: u64,
        read: impl Fn(&Stored) -> Option<T>,
    ) -> Result<Option<T>, ReadError> {
        let subject = subject::events(scope);
        while let Some(stored) = self.next(StreamName::Events, &subject, sequence.max(1)).await? {
            if let Some(found) = read(&stored) {
                return Ok(Some(found));
            }
            sequence = stored.sequence + 1;
        }
        Ok(None)
    }

    /// The scope's first record that was stored at or after a time; what is no record is passed
    /// over.
    pub async fn first_record_at(
        &self,
        scope: Scope,
        from: Timestamp,
    ) -> Result<Option<RecordHead>, ReadError> {
        let request = serde_json::json!({
            "start_time": from.to_string(),
            "next_by_subj": subject::events(scope),
            "batch": 1,
        });
        match self.direct(&request).await? {
            None => Ok(None),
            Some(Found::Record(head)) => Ok(Some(head)),
            Some(Found::Strange(sequence)) => self.next_head(scope, sequence + 1).await,
        }
    }

    /// The scope's last record at or before a sequence; what is no record is passed over.
    pub async fn last_record_up_to(
        &self,
        scope: Scope,
        mut sequence: u64,
    ) -> Result<Option<RecordHead>, ReadError> {
        while sequence > 0 {
            let request = serde_json::json!({
                "multi_last": [subject::events(scope)],
                "up_to_seq": sequence,
                "batch": 1,
            });
            match self.direct(&request).await? {
                None => return Ok(None),
                Some(Found::Record(head)) => return Ok(Some(head)),
                Some(Found::Strange(found)) => sequence = found - 1,
            }
        }
        Ok(None)
    }

    /// One answer of a direct get with a form that the client library has no call for.
    async fn direct(&self, request: &serde_json::Value) -> Result<Option<Found>, ReadError> {
        let subject = format!("$JS.API.DIRECT.GET.{}", StreamName::Events);
        let answer = self
            .context
            .client()
            .request(subject, request.to_string().into())
            .await
            .map_err(ReadError::unavailable)?;
        match answer.status {
            None => found(&answer).map(Some),
            Some(async_nats::StatusCode::NOT_FOUND) => Ok(None),
            Some(status) => Err(ReadError::Unavailable(format!(
                "direct get answered {status} {}",
                answer.description.unwrap_or_default()
            ))),
        }
    }
}

/// Reads a record whose bytes must be those that were written.
pub(crate) fn genuine(digest: Option<Digest>, payload: &[u8]) -> Result<Record, Undecodable> {
    if digest.is_some_and(|written| written != Digest::from(Sha256::digest(payload))) {
        return Err(Undecodable("its bytes are not those that were written".to_owned()));
    }
    codec::event::decode_record(payload).map_err(|error| Undecodable(error.to_string()))
}

fn stored_record(stored: &Stored) -> Result<StoredRecord, ReadError> {
    let record = codec::event::decode_record(&stored.payload)
        .map_err(|error| ReadError::Corrupt(format!("record {}: {error}", stored.sequence)))?;
    Ok(StoredRecord {
        record,
        sequence: stored.sequence,
        stored_at: stored.at,
        digest: Sha256::digest(&stored.payload).into(),
    })
}
