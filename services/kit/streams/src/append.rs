//! Appending to a stream.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::message::PublishMessage;
use bytes::Bytes;

use crate::connect::{REQUEST_TIMEOUT, Streams};
use crate::error::{AppendError, append_error};
use crate::failpoint::{Step, reach};

/// One message on its way into a stream.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    pub(crate) subject: String,
    pub(crate) payload: Bytes,
    pub(crate) headers: HeaderMap,
    /// Stored once within the stream's duplicate window.
    pub(crate) message_id: Option<String>,
    /// The subject's last sequence as we know it; 0 when it must be empty.
    pub(crate) expect_last: Option<u64>,
    /// The whole stream's last sequence as we know it.
    pub(crate) expect_end: Option<u64>,
    /// Deleted by the broker after this long.
    pub(crate) ttl: Option<Duration>,
}

impl Streams {
    /// Stores a message and returns its sequence once the broker has it on disk.
    pub(crate) async fn append(&self, message: Outgoing) -> Result<u64, AppendError> {
        self.append_within(REQUEST_TIMEOUT, message).await
    }

    /// The same for who rather asks again than waits for long.
    pub(crate) async fn append_within(
        &self,
        patience: Duration,
        message: Outgoing,
    ) -> Result<u64, AppendError> {
        let mut publish = PublishMessage::build().payload(message.payload).headers(message.headers);
        if let Some(id) = &message.message_id {
            publish = publish.message_id(id);
        }
        if let Some(sequence) = message.expect_last {
            publish = publish.expected_last_subject_sequence(sequence);
        }
        if let Some(sequence) = message.expect_end {
            publish = publish.expected_last_sequence(sequence);
        }
        if let Some(ttl) = message.ttl {
            publish = publish.ttl(ttl);
        }
        let sent = async {
            let acknowledged = self.context.send_publish(message.subject, publish).await?;
            reach(Step::Published);
            acknowledged.await
        };
        // Sending itself can wait for room in the client's buffer while there is no connection.
        let stored = match tokio::time::timeout(patience, sent).await {
            Ok(Ok(ack)) => {
                reach(Step::Acknowledged);
                Ok(ack.sequence)
            }
            Ok(Err(error)) => Err(append_error(&error)),
            Err(_) => Err(AppendError::Unavailable("no answer in time".to_owned())),
        };
        self.heed(stored).await
    }
}
