//! Reading without a consumer: stretches of one subject, forward or from the newest back.
//!
//! Any replica may answer, so what was stored a moment ago may be missing: who must not miss it
//! compares with the leader's last message.

use async_nats::StatusCode;
use auditrelay_model::delivery::{DeliveryEvent, Lane};
use auditrelay_model::event::EventKind;
use auditrelay_model::record::{Position, Record};
use auditrelay_model::{Scope, Timestamp};
use futures::StreamExt;

use crate::codec;
use crate::connect::{REQUEST_TIMEOUT, Streams};
use crate::error::ReadError;
use crate::header;
use crate::reader::Undecodable;
use crate::record::{Found, RecordHead, found, genuine};
use crate::subject;
use crate::topology::StreamName;

mod backwards;

pub use backwards::Backwards;

/// The status of the message that ends a batch.
const END_OF_BATCH: u16 = 204;
/// Messages of one answer, at most.
const MESSAGES_MAX: usize = 500;
/// Subjects of one question, at most; the broker answers about no more than 1,024.
const SUBJECTS_MAX: usize = 500;
/// Bytes of one answer, about; there is no flow control.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// One record as it was fetched, not decoded yet.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// What its headers say.
    pub head: RecordHead,
    kinds: Option<String>,
    payload: bytes::Bytes,
}

impl Fetched {
    /// Whether events of the kind may be in it.
    pub fn may_hold(&self, kind: EventKind) -> bool {
        let Some(kinds) = &self.kinds else { return true };
        kinds.split(',').any(|name| name == kind.name())
    }

    /// Bytes of the record as it is stored.
    pub fn len(&self) -> usize {
        self.payload.len()
    }

    /// Whether there are no bytes at all.
    pub fn is_empty(&self) -> bool {
        self.payload.is_empty()
    }

    /// The record itself.
    pub fn decode(&self) -> Result<Record, Undecodable> {
        genuine(self.head.digest, &self.payload)
    }
}

/// Where in a lane's facts to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At this sequence, or at the next one of the lane.
    Sequence(u64),
    /// At the first that was stored then or later.
    Time(Timestamp),
}

/// Messages that follow each other, and whether more do.
pub(crate) struct Stretch {
    pub(crate) messages: Vec<async_nats::Message>,
    pub(crate) more: bool,
    /// The stream's last sequence when the last messages of many subjects were asked for.
    up_to: Option<u64>,
}

impl Streams {
    /// The scope's records from a sequence on, at most `max` and a few megabytes of them; and
    /// whether more follow. What is no record is passed over.
    pub async fn records_from(
        &self,
        scope: Scope,
        sequence: u64,
        max: usize,
    ) -> Result<(Vec<Fetched>, bool), ReadError> {
        let (subject, mut from) = (subject::events(scope), sequence);
        loop {
            let stretch = self.stretch(StreamName::Events, &subject, from, max).await?;
            let last = stretch.messages.last().map(self::sequence).transpose()?;
            let records = all_fetched(stretch.messages)?;
            match last {
                Some(last) if records.is_empty() && stretch.more => from = last + 1,
                Some(_) | None => return Ok((records, stretch.more)),
            }
        }
    }

    /// The record that holds the event at a position; none when it is no longer kept. A cursor may
    /// stand at the record before it.
    pub async fn record_of(
        &self,
        scope: Scope,
        position: Position,
    ) -> Result<Option<Fetched>, ReadError> {
        let (records, _) = self.records_from(scope, position.sequence, 2).await?;
        Ok(records.into_iter().find(|record| {
            let (head, numbers) =
                (&record.head, record.head.first_number..=record.head.last_number);
            head.epoch == position.epoch && numbers.contains(&position.number)
        }))
    }

    /// The next of the scope's records on the way back, in the order they were stored; a part of
    /// the way may have none.
    pub async fn records_back(
        &self,
        scope: Scope,
        way: &mut Backwards,
    ) -> Result<Vec<Fetched>, ReadError> {
        all_fetched(self.back(StreamName::Events, &subject::events(scope), way).await?)
    }

    /// The next of a lane's facts on the way back, in the order they were stored, each with its
    /// sequence; a part of the way may have none. What cannot be read is reported and left out.
    pub async fn delivery_back(
        &self,
        scope: Scope,
        lane: Lane,
        way: &mut Backwards,
    ) -> Result<Vec<(u64, DeliveryEvent)>, ReadError> {
        let subject = subject::delivery(scope, lane);
        let found = self.back(StreamName::Delivery, &subject, way).await?;
        let facts = found.iter().map(delivery);
        readable(facts, |error| {
            tracing::error!(%scope, lane = lane.token(), error, "a fact is skipped");
        })
    }

    /// The facts of all lanes of a scope from a sequence on, a few megabytes of them, each with its
    /// sequence; and behind which sequence more follow, if more do. What cannot be read is reported
    /// and left out.
    pub async fn deliveries_from(
        &self,
        scope: Scope,
        from: u64,
    ) -> Result<(Vec<(u64, DeliveryEvent)>, Option<u64>), ReadError> {
        let subject = subject::deliveries(scope);
        let stretch = self.stretch(StreamName::Delivery, &subject, from, MESSAGES_MAX).await?;
        let of_lanes = stretch.messages.iter().filter(|message| is_of_lane(message));
        let facts = readable(of_lanes.map(delivery), |error| {
            tracing::error!(%scope, error, "a fact is skipped");
        })?;
        let read_to = stretch.messages.last().map(sequence).transpose()?;
        Ok((facts, read_to.filter(|_| stretch.more)))
    }

    /// A lane's first readable fact at or after a sequence or a time, with its sequence.
    pub async fn delivery_at(
        &self,
        scope: Scope,
        lane: Lane,
        from: Start,
    ) -> Result<Option<(u64, DeliveryEvent)>, ReadError> {
        let subject = subject::delivery(scope, lane);
        let request = match from {
            Start::Sequence(sequence) => serde_json::json!({
                "seq": sequence.max(1), "next_by_subj": subject, "batch": 1,
            }),
            Start::Time(at) => serde_json::json!({
                "start_time": at.to_string(), "next_by_subj": subject, "batch": 1,
            }),
        };
        let mut stretch = self.whole(StreamName::Delivery, request.to_string()).await?;
        while let Some(message) = stretch.messages.first() {
            match delivery(message) {
                Err(ReadError::Corrupt(_)) => {
                    let next = sequence(message)? + 1;
                    stretch = self.stretch(StreamName::Delivery, &subject, next, 1).await?;
                }
                read => return read.map(Some),
            }
        }
        Ok(None)
    }

    /// The last facts of many lanes, those that were stored at a sequence or after it, with as few
    /// requests as they need; and up to which sequence that is all, if a lane ever did anything. What
    /// cannot be read is reported and left out.
    pub async fn last_deliveries(
        &self,
        lanes: &[(Scope, Lane)],
        from: u64,
    ) -> Result<(Vec<DeliveryEvent>, Option<u64>), ReadError> {
        let (mut found, mut up_to) = (Vec::new(), None);
        for part in lanes.chunks(SUBJECTS_MAX) {
            let subjects: Vec<_> =
                part.iter().map(|(scope, lane)| subject::delivery(*scope, *lane)).collect();
            let request = serde_json::json!({ "multi_last": subjects, "seq": from.max(1) });
            let stretch = self.whole(StreamName::Delivery, request.to_string()).await?;
            let facts = stretch.messages.iter().map(delivery);
            let facts = readable(facts, |error| tracing::error!(error, "a fact is skipped"))?;
            found.extend(facts.into_iter().map(|(_, event)| event));
            up_to = [up_to, stretch.up_to].into_iter().flatten().min();
        }
        Ok((found, up_to))
    }

    /// Goes one part of the way back; a part that holds too much for one answer is taken smaller.
    pub(crate) async fn back(
        &self,
        stream: StreamName,
        subject: &str,
        way: &mut Backwards,
    ) -> Result<Vec<async_nats::Message>, ReadError> {
        while let Some(part) = way.part() {
            let stretch = self.stretch(stream, subject, *part.start(), MESSAGES_MAX).await?;
            let last = stretch.messages.last().map(sequence).transpose()?;
            if stretch.more && last.is_none_or(|last| last < *part.end()) {
                way.narrow();
                continue;
            }
            let mut found = Vec::new();
            for message in stretch.messages {
                if sequence(&message)? <= *part.end() {
                    found.push(message);
                }
            }
            way.pass(found.len());
            return Ok(found);
        }
        Ok(Vec::new())
    }

    /// The subject's messages from a sequence on, by one batched direct get.
    pub(crate) async fn stretch(
        &self,
        stream: StreamName,
        subject: &str,
        sequence: u64,
        max: usize,
    ) -> Result<Stretch, ReadError> {
        let request = serde_json::json!({
            "seq": sequence.max(1),
            "next_by_subj": subject,
            "batch": max.clamp(1, MESSAGES_MAX),
            "max_bytes": BYTES_MAX,
        });
        self.whole(stream, request.to_string()).await
    }

    /// A whole answer, in time and over one connection.
    async fn whole(&self, stream: StreamName, request: String) -> Result<Stretch, ReadError> {
        let connection = *self.connections.borrow();
        let answer = self.answer(stream, request);
        let stretch = tokio::time::timeout(REQUEST_TIMEOUT, answer)
            .await
            .map_err(|_| ReadError::Unavailable("a batch did not end in time".to_owned()))??;
        // What was sent over the old connection may be lost in the middle.
        if *self.connections.borrow() != connection {
            return Err(ReadError::Unavailable("the connection was renewed".to_owned()));
        }
        Ok(stretch)
    }

    async fn answer(&self, stream: StreamName, request: String) -> Result<Stretch, ReadError> {
        let client = self.context.client();
        let inbox = client.new_inbox();
        let mut answers = client.subscribe(inbox.clone()).await.map_err(ReadError::unavailable)?;
        client
            .publish_with_reply(format!("$JS.API.DIRECT.GET.{stream}"), inbox, request.into())
            .await
            .map_err(ReadError::unavailable)?;
        let mut messages = Vec::new();
        while let Some(answer) = answers.next().await {
            match answer.status {
                None => messages.push(answer),
                Some(status) if status.as_u16() == END_OF_BATCH => {
                    let said = answer.headers.unwrap_or_default();
                    let more = header::text(&said, "Nats-Num-Pending") != Some("0");
                    let up_to = header::text(&said, "Nats-UpTo-Sequence");
                    let up_to = up_to.and_then(|sequence| sequence.parse().ok());
                    return Ok(Stretch { messages, more, up_to });
                }
                Some(StatusCode::NOT_FOUND) => {
                    return Ok(Stretch { messages, more: false, up_to: None });
                }
                Some(status) => {
                    return Err(ReadError::Unavailable(format!(
                        "direct get answered {status} {}",
                        answer.description.unwrap_or_default()
                    )));
                }
            }
        }
        Err(ReadError::Unavailable("the answer ended early".to_owned()))
    }
}

pub(crate) fn sequence(message: &async_nats::Message) -> Result<u64, ReadError> {
    let headers = message.headers.as_ref();
    headers
        .and_then(|headers| header::text(headers, "Nats-Sequence")?.parse().ok())
        .ok_or_else(|| ReadError::Corrupt("a direct get without its headers".to_owned()))
}

fn is_of_lane(message: &async_nats::Message) -> bool {
    let headers = message.headers.as_ref();
    let subject = headers.and_then(|headers| header::text(headers, "Nats-Subject"));
    subject.is_some_and(subject::is_lane)
}

/// A lane's fact, with its sequence.
fn delivery(message: &async_nats::Message) -> Result<(u64, DeliveryEvent), ReadError> {
    let event = codec::delivery::decode(&message.payload)
        .map_err(|error| ReadError::Corrupt(error.to_string()))?;
    Ok((sequence(message)?, event))
}

/// What of it can be read; the rest is reported.
pub(crate) fn readable<T>(
    all: impl Iterator<Item = Result<T, ReadError>>,
    report: impl Fn(&str),
) -> Result<Vec<T>, ReadError> {
    let mut found = Vec::new();
    for one in all {
        match one {
            Ok(one) => found.push(one),
            Err(ReadError::Corrupt(error)) => report(&error),
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Those that are records: what is none is reported where live delivery meets it.
fn all_fetched(messages: Vec<async_nats::Message>) -> Result<Vec<Fetched>, ReadError> {
    let fetched = messages.into_iter().map(fetched);
    fetched.filter_map(Result::transpose).collect()
}

fn fetched(message: async_nats::Message) -> Result<Option<Fetched>, ReadError> {
    let Found::Record(head) = found(&message)? else { return Ok(None) };
    let headers = message.headers.as_ref();
    let kinds = headers.and_then(|headers| header::text(headers, header::KINDS));
    Ok(Some(Fetched { head, kinds: kinds.map(ToOwned::to_owned), payload: message.payload }))
}
