//! The follower behind a projection.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use crate::connect::Streams;
use crate::error::ReadError;
use crate::fold::Fold;
use crate::projection::Shared;

/// How long to wait before following again after the broker was gone.
const AGAIN_AFTER: Duration = Duration::from_millis(200);
/// Messages on their way at any time.
const PREFETCH: usize = 500;
const PULL_EXPIRES: Duration = Duration::from_secs(30);
const HEARTBEAT: Duration = Duration::from_secs(5);
const THRESHOLD: Duration = Duration::from_mins(1);

pub(crate) struct Follower<F: Fold> {
    pub(crate) streams: Streams,
    pub(crate) shared: Arc<Shared<F>>,
}

impl<F: Fold> Follower<F> {
    /// Follows until it is stopped. Every time the consumer is lost a new one begins behind the
    /// last message that was applied.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut next_sequence = 1;
        loop {
            let followed = tokio::select! {
                () = stop.cancelled() => return,
                followed = self.follow(&mut next_sequence) => followed,
            };
            if let Err(error) = followed {
                tracing::debug!(stream = %F::STREAM, %error, "following again");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(AGAIN_AFTER) => {}
            }
        }
    }

    async fn follow(&self, next_sequence: &mut u64) -> Result<(), ReadError> {
        let mut connections = self.streams.connections.subscribe();
        connections.mark_unchanged();
        let mut messages = self.consume(*next_sequence).await?;
        loop {
            let message = tokio::select! {
                biased;
                _ = connections.changed() => return Ok(()),
                () = self.shared.is_behind() => {
                    tracing::warn!(stream = %F::STREAM, "a replica stands still: following anew");
                    return Ok(());
                }
                message = messages.next() => message,
            };
            let Some(message) = message else { return Ok(()) };
            let message = message.map_err(ReadError::unavailable)?;
            let sequence = message.info().map_err(ReadError::unavailable)?.stream_sequence;
            self.shared.apply(&message.subject, sequence, &message.payload);
            *next_sequence = sequence + 1;
        }
    }

    async fn consume(&self, next_sequence: u64) -> Result<pull::Stream, ReadError> {
        let deliver_policy = if F::LAST_IS_ENOUGH && next_sequence == 1 {
            DeliverPolicy::LastPerSubject
        } else {
            DeliverPolicy::ByStartSequence { start_sequence: next_sequence }
        };
        let config = pull::Config {
            deliver_policy,
            ack_policy: AckPolicy::None,
            filter_subject: F::STREAM.subjects().to_owned(),
            memory_storage: true,
            num_replicas: 1,
            inactive_threshold: THRESHOLD,
            ..pull::Config::default()
        };
        let stream = self.streams.handle(F::STREAM).await?;
        let consumer = stream.create_consumer(config).await.map_err(ReadError::unavailable)?;
        consumer
            .stream()
            .max_messages_per_batch(PREFETCH)
            .expires(PULL_EXPIRES)
            .heartbeat(HEARTBEAT)
            .messages()
            .await
            .map_err(ReadError::unavailable)
    }
}
