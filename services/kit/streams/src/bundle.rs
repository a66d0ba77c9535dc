//! Bundles: records that are stored together or not at all.
//!
//! A request may need more than one record, because it is large or because it belongs to several
//! scopes. Its records travel as one of the broker's atomic batches: the broker stages them and
//! stores all of them with the last one, if every scope's last record is still the expected one.

use async_nats::header::{
    NATS_BATCH_COMMIT, NATS_BATCH_COMMIT_FINAL, NATS_BATCH_ID, NATS_BATCH_SEQUENCE,
    NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, NATS_MESSAGE_ID,
};
use async_nats::jetstream::ErrorCode;
use async_nats::{HeaderMap, Message, Request};

use crate::connect::{REQUEST_TIMEOUT, Streams};
use crate::error::{AppendError, append_error_of};
use crate::failpoint::{Step, reach};
use crate::record::EncodedRecord;

/// The broker takes no more messages in one batch.
pub const BUNDLE_RECORDS_MAX: usize = 1_000;

/// One record of a bundle.
#[derive(Debug)]
pub struct Link {
    /// The record.
    pub record: EncodedRecord,
    /// For the first record of a scope, the sequence of the scope's last one (0 when it has none);
    /// none for those that stand behind another of the bundle.
    pub expect_last: Option<u64>,
}

/// A bundle is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bundled {
    /// Now; the records have consecutive sequences from this one on.
    From(u64),
    /// An earlier attempt with the same records was.
    Before,
}

impl Streams {
    /// Stores a bundle. Returns once all of it is on disk; after an error nothing of it is, unless
    /// the broker did not answer.
    pub async fn append_bundle(&self, links: Vec<Link>) -> Result<Bundled, AppendError> {
        let count = links.len() as u64;
        let stored = match tokio::time::timeout(REQUEST_TIMEOUT, self.send_bundle(links)).await {
            Ok(Ok(answer)) => bundled(&answer, count),
            Ok(Err(reason)) => Err(AppendError::Unavailable(reason)),
            Err(_) => Err(AppendError::Unavailable("no answer in time".to_owned())),
        };
        self.heed(stored).await
    }

    /// Publishes every record; the answer to the last one.
    async fn send_bundle(&self, links: Vec<Link>) -> Result<Message, String> {
        let client = self.context.client();
        let inbox = client.new_inbox();
        let batch = inbox.rsplit('.').next().unwrap_or_default();
        let last = links.len();
        for (link, place) in links.into_iter().zip(1..) {
            let EncodedRecord { subject, mut headers, payload, id, .. } = link.record;
            headers.insert(NATS_MESSAGE_ID, id);
            headers.insert(NATS_BATCH_ID, batch);
            headers.insert(NATS_BATCH_SEQUENCE, place.to_string());
            expect(&mut headers, link.expect_last);
            if place < last {
                let sent = client.publish_with_headers(subject, headers, payload).await;
                sent.map_err(|error| error.to_string())?;
                continue;
            }
            headers.insert(NATS_BATCH_COMMIT, NATS_BATCH_COMMIT_FINAL);
            let request = Request::new().headers(headers).payload(payload);
            reach(Step::Published);
            let answer = client.send_request(subject, request).await;
            reach(Step::Acknowledged);
            return answer.map_err(|error| error.to_string());
        }
        Err("a bundle without records".to_owned())
    }
}

fn expect(headers: &mut HeaderMap, sequence: Option<u64>) {
    if let Some(sequence) = sequence {
        headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, sequence.to_string());
    }
}

fn bundled(answer: &Message, count: u64) -> Result<Bundled, AppendError> {
    let answer: serde_json::Value = serde_json::from_slice(&answer.payload)
        .map_err(|error| AppendError::Unavailable(error.to_string()))?;
    let number = |pointer: &str| answer.pointer(pointer).and_then(serde_json::Value::as_u64);
    match (number("/error/err_code").map(ErrorCode), number("/seq")) {
        (Some(ErrorCode::ATOMIC_PUBLISH_CONTAINS_DUPLICATE_MESSAGE), _) => Ok(Bundled::Before),
        (Some(code), _) => Err(append_error_of(code, &answer)),
        (None, Some(last)) => Ok(Bundled::From(last.saturating_sub(count.saturating_sub(1)))),
        (None, None) => Err(AppendError::Unavailable(answer.to_string())),
    }
}
