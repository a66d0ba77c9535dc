//! Where a scope's chain ends.

use auditrelay_model::id::RecordId;
use auditrelay_model::record::{Digest, Numbers, Record};
use auditrelay_model::{Scope, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::codec;
use crate::connect::{RECORD_TIMEOUT, Streams};
use crate::error::ReadError;
use crate::header;
use crate::record::is_own;
use crate::stored::Stored;
use crate::subject;
use crate::topology::StreamName;

/// The last message of a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainEnd {
    /// Where it is in EVENTS.
    pub sequence: u64,
    /// What it is; none when neither its headers nor its bytes can be read.
    pub link: Option<LastLink>,
    /// Whether its bytes are no record, or others than were stored.
    pub is_damaged: bool,
}

/// What the next record has to know of the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastLink {
    /// Its id.
    pub record: RecordId,
    /// The life of the chain.
    pub epoch: u64,
    /// Number of its last event.
    pub last_number: u64,
    /// SHA-256 of the bytes that were stored.
    pub digest: Digest,
}

impl Streams {
    /// The scope's last message, from the leader. Damage to its bytes does not end the chain as
    /// long as its headers say where it stands.
    pub async fn chain_end(&self, scope: Scope) -> Result<Option<ChainEnd>, ReadError> {
        let subject = subject::events(scope);
        let asking = self.last(StreamName::Events, &subject);
        let last = tokio::time::timeout(RECORD_TIMEOUT, asking).await;
        let last = last.unwrap_or_else(|_| Err(ReadError::unavailable("no answer in time")));
        self.heard(!matches!(last, Err(ReadError::Unavailable(_)))).await;
        Ok(last?.map(|stored| chain_end(&stored, scope)))
    }
}

fn chain_end(stored: &Stored, scope: Scope) -> ChainEnd {
    let digest: Digest = Sha256::digest(&stored.payload).into();
    let named = header::text(&stored.headers, header::DIGEST);
    let is_intact = named.is_none_or(|named| named == header::hex(&digest));
    let record = codec::event::decode_record(&stored.payload).ok();
    // What somebody put there from elsewhere says nothing about this chain.
    let record = record.filter(|record| is_own(record, scope, stored.at));
    let is_damaged = record.is_none() || !is_intact;
    let link = record
        .as_ref()
        .filter(|_| is_intact)
        .map(|record| of_record(record, digest))
        .or_else(|| of_headers(&stored.headers, stored.at));
    ChainEnd { sequence: stored.sequence, link, is_damaged }
}

fn of_record(record: &Record, digest: Digest) -> LastLink {
    let last_number = record.last_number();
    LastLink { record: record.id, epoch: record.epoch, last_number, digest }
}

fn of_headers(headers: &async_nats::HeaderMap, stored_at: Timestamp) -> Option<LastLink> {
    let (epoch, first, last_number) = header::numbers(headers)?;
    if !(Numbers { epoch, first, last: last_number }).can_be(stored_at) {
        return None;
    }
    let record = header::text(headers, "Nats-Msg-Id")?.parse().ok()?;
    let digest = header::text(headers, header::DIGEST).and_then(header::unhex)?;
    Some(LastLink { record, epoch, last_number, digest })
}
