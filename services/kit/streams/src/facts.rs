//! Facts one after another, each handed to one reader and handed out again until it is done.

use std::marker::PhantomData;
use std::time::Duration;

use async_nats::jetstream::AckKind;
use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy, pull};
use auditrelay_model::Timestamp;
use futures::StreamExt;
use tokio::sync::watch;

use crate::connect::Streams;
use crate::error::ReadError;
use crate::fold::Fold;

/// A fact whose reader is silent for so long is handed out again.
const ACK_WAIT: Duration = Duration::from_secs(6);
const PULL_EXPIRES: Duration = Duration::from_secs(6);
const HEARTBEAT: Duration = Duration::from_secs(3);

/// Reads the facts of a stream in order, all of them once, together with every other reader of
/// the same name. After an error it is of no use: make a new one.
pub struct FactReader<F: Fold> {
    messages: pull::Stream,
    connections: watch::Receiver<u64>,
    _consumer: Consumer<pull::Config>,
    _fold: PhantomData<F>,
}

/// A fact to be dealt with.
pub struct StoredFact<F: Fold> {
    /// What it belongs to.
    pub key: F::Key,
    /// What happened.
    pub event: F::Event,
    /// Where it is in its stream.
    pub sequence: u64,
    /// When the broker stored it.
    pub stored_at: Timestamp,
    /// It was handed out before: whoever had it may have dealt with it.
    pub again: bool,
    message: Message,
}

impl<F: Fold> FactReader<F> {
    /// The next fact. One that cannot be read is reported and passed over.
    pub async fn next(&mut self) -> Result<StoredFact<F>, ReadError> {
        loop {
            let message = tokio::select! {
                biased;
                _ = self.connections.changed() => None,
                message = self.messages.next() => message,
            };
            let gone = || ReadError::Unavailable("the consumer is gone".to_owned());
            let message = message.ok_or_else(gone)?.map_err(ReadError::unavailable)?;
            if let Some(fact) = stored(message).await? {
                return Ok(fact);
            }
        }
    }
}

async fn stored<F: Fold>(message: Message) -> Result<Option<StoredFact<F>>, ReadError> {
    let info = message.info().map_err(ReadError::unavailable)?;
    let (sequence, again) = (info.stream_sequence, info.delivered > 1);
    let stored_at = crate::stored::timestamp(info.published);
    if let Some((key, event)) = F::key(&message.subject).zip(F::decode(&message.payload).ok()) {
        Ok(Some(StoredFact { key, event, sequence, stored_at, again, message }))
    } else {
        tracing::error!(stream = %F::STREAM, sequence, "a stored fact was skipped");
        message.ack().await.map_err(ReadError::unavailable)?;
        Ok(None)
    }
}

impl<F: Fold> StoredFact<F> {
    /// Says that it is dealt with. A lost acknowledgement is a fact that comes again.
    pub async fn done(&self) {
        self.say(AckKind::Ack).await;
    }

    /// Says that it is still being dealt with.
    pub async fn going_on(&self) {
        self.say(AckKind::Progress).await;
    }

    async fn say(&self, what: AckKind) {
        if let Err(error) = self.message.ack_with(what).await {
            tracing::debug!(%error, "acknowledgement was not sent");
        }
    }
}

impl Streams {
    /// The facts of a stream that nobody of this name has dealt with yet, one at a time.
    pub async fn fact_reader<F: Fold>(&self, name: &str) -> Result<FactReader<F>, ReadError> {
        let stream = self.handle(F::STREAM).await?;
        let config = pull::Config {
            durable_name: Some(name.to_owned()),
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::Explicit,
            ack_wait: ACK_WAIT,
            max_deliver: -1,
            // In order, and never more than one in doubt.
            max_ack_pending: 1,
            filter_subject: F::STREAM.subjects().to_owned(),
            ..pull::Config::default()
        };
        let mut connections = self.connections.subscribe();
        connections.mark_unchanged();
        let consumer = stream.create_consumer(config).await.map_err(ReadError::unavailable)?;
        let messages = consumer
            .stream()
            .max_messages_per_batch(1)
            .expires(PULL_EXPIRES)
            .heartbeat(HEARTBEAT)
            .messages()
            .await
            .map_err(ReadError::unavailable)?;
        Ok(FactReader { messages, connections, _consumer: consumer, _fold: PhantomData })
    }
}
