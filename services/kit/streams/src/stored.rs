//! Single messages, read from a stream's leader.

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::RawMessageErrorKind;
use auditrelay_model::Timestamp;
use bytes::Bytes;

use crate::connect::Streams;
use crate::error::ReadError;
use crate::topology::StreamName;

/// A stored message as it came from the broker.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) subject: String,
    pub(crate) sequence: u64,
    pub(crate) at: Timestamp,
    pub(crate) headers: async_nats::HeaderMap,
    pub(crate) payload: Bytes,
}

impl From<StreamMessage> for Stored {
    fn from(message: StreamMessage) -> Self {
        Self {
            subject: message.subject.to_string(),
            sequence: message.sequence,
            at: timestamp(message.time),
            headers: message.headers,
            payload: message.payload,
        }
    }
}

/// The broker's time in our terms.
pub(crate) fn timestamp(time: async_nats::datetime::DateTime) -> Timestamp {
    Timestamp::from_nanos(i64::try_from(time.unix_timestamp_nanos()).unwrap_or(i64::MAX))
}

impl Streams {
    /// The last message on a subject, from the leader: what was stored before the call is seen.
    pub(crate) async fn last(
        &self,
        stream: StreamName,
        subject: &str,
    ) -> Result<Option<Stored>, ReadError> {
        let stream = self.handle(stream).await?;
        found(stream.get_last_raw_message_by_subject(subject).await)
    }

    /// The first message on a subject at or after a sequence, from the leader.
    pub(crate) async fn next(
        &self,
        stream: StreamName,
        subject: &str,
        sequence: u64,
    ) -> Result<Option<Stored>, ReadError> {
        let stream = self.handle(stream).await?;
        found(stream.raw_message_builder().sequence(sequence).next_by_subject(subject).send().await)
    }

    pub(crate) async fn handle(
        &self,
        name: StreamName,
    ) -> Result<async_nats::jetstream::stream::Stream<()>, ReadError> {
        self.context.get_stream_no_info(name.as_str()).await.map_err(ReadError::unavailable)
    }
}

fn found(
    answer: Result<StreamMessage, async_nats::jetstream::stream::RawMessageError>,
) -> Result<Option<Stored>, ReadError> {
    match answer {
        Ok(message) => Ok(Some(message.into())),
        Err(error) => match error.kind() {
            RawMessageErrorKind::NoMessageFound => Ok(None),
            RawMessageErrorKind::JetStream(error)
                if error.error_code() == ErrorCode::NO_MESSAGE_FOUND =>
            {
                Ok(None)
            }
            _ => Err(ReadError::unavailable(error)),
        },
    }
}
