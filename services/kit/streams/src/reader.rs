//! Reading records from EVENTS, in the order they were stored.

use std::time::Duration;

use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy};
use async_nats::jetstream::context::ConsumerInfoErrorKind;
use async_nats::jetstream::{self, Message};
use auditrelay_model::Scope;
use auditrelay_model::id::JobId;
use auditrelay_model::record::Record;
use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use tokio::sync::watch;

use crate::connect::Streams;
use crate::error::ReadError;
use crate::record::{RecordHead, genuine, head};
use crate::subject;
use crate::topology::StreamName;

/// Records on their way at any time; a record is at most 256 KiB.
const PREFETCH: usize = 64;
/// Bytes on their way to a reader of a shard.
const SHARD_BYTES: usize = 4 << 20;
/// The same for one of many readers, which read a scope each.
const SCOPE_BYTES: usize = 1 << 20;
/// How long one pull stays open at the broker. A sender that vanishes without closing its
/// connection leaves its pulls behind, and they would take records away from whoever takes over:
/// they end before its lease does.
const PULL_EXPIRES: Duration = Duration::from_secs(6);
/// Silence of twice this means that the broker or the consumer is gone.
const HEARTBEAT: Duration = Duration::from_secs(3);
/// Long, because who takes over resets the consumer to its ack floor instead of waiting.
const ACK_WAIT: Duration = Duration::from_mins(5);
/// Records handed out and not acknowledged, at most.
const ACK_PENDING_MAX: i64 = 4_096;
/// Records wait for no longer while a reader looks at its consumer.
const LOOK: Duration = Duration::from_secs(1);
/// A disposable consumer ends by itself when its reader is gone.
const DISPOSABLE_THRESHOLD: Duration = Duration::from_mins(1);

/// Reads records one after another. After an error it is of no use: make a new one, which begins
/// at the first record that is not acknowledged.
pub struct Reader {
    messages: pull::Stream,
    acks: bool,
    pending: u64,
    connections: watch::Receiver<u64>,
    consumer: Consumer<pull::Config>,
}

/// What somebody has done to a consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tampering {
    /// It does not do what it was made for.
    pub is_changed: bool,
    /// For how long the broker hands nothing out.
    pub paused_for: Option<Duration>,
}

/// What a reader is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// One of a few.
    Shard,
    Job,
    /// Acknowledges nothing.
    Disposable,
}

/// One record as it was read.
#[derive(Debug, Clone)]
pub struct Pulled {
    /// What its headers say.
    pub head: RecordHead,
    payload: Bytes,
    acker: Acker,
}

/// Acknowledges one record.
#[derive(Debug, Clone)]
pub struct Acker {
    message: Option<(jetstream::Context, async_nats::Subject)>,
}

/// What is stored cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot be decoded: {0}")]
pub struct Undecodable(pub String);

impl Reader {
    /// Up to `max` records; waits up to `wait` for the first and takes what has come with it.
    pub async fn next(&mut self, max: usize, wait: Duration) -> Result<Vec<Pulled>, ReadError> {
        let mut records = Vec::new();
        let first = tokio::select! {
            biased;
            changed = self.connections.changed() => {
                // Records sent over the old connection may be lost on the way.
                drop(changed);
                return Err(ReadError::Unavailable("the connection was renewed".to_owned()));
            }
            first = tokio::time::timeout(wait, self.messages.next()) => first,
        };
        let Ok(first) = first else { return Ok(records) };
        let mut next = first;
        loop {
            match next {
                Some(Ok(message)) => records.extend(self.pulled(message).await?),
                Some(Err(error)) => return Err(ReadError::unavailable(error)),
                None => return Err(ReadError::Unavailable("the consumer is gone".to_owned())),
            }
            if records.len() >= max {
                return Ok(records);
            }
            match self.messages.next().now_or_never() {
                Some(more) => next = more,
                None => return Ok(records),
            }
        }
    }

    /// Records still to come after the last one that was read.
    pub const fn pending(&self) -> u64 {
        self.pending
    }

    /// Looks whether somebody has paused or changed the consumer; none when the broker does not say.
    pub async fn tampering(&self) -> Option<Tampering> {
        let info = tokio::time::timeout(LOOK, self.consumer.get_info()).await.ok()?.ok()?;
        let (made, is) = (&self.consumer.cached_info().config, &info.config);
        let same = made.max_deliver == is.max_deliver
            && made.inactive_threshold == is.inactive_threshold
            && made.ack_policy == is.ack_policy
            && made.ack_wait == is.ack_wait
            && made.max_ack_pending == is.max_ack_pending
            && made.filter_subject == is.filter_subject;
        let paused_for = info.pause_remaining.filter(|_| info.paused);
        Some(Tampering { is_changed: !same, paused_for })
    }

    /// None for a message that is no record at all: it is skipped, and the numbers of its scope
    /// tell that something is missing.
    async fn pulled(&mut self, message: Message) -> Result<Option<Pulled>, ReadError> {
        let info = message.info().map_err(ReadError::unavailable)?;
        let place = (info.stream_sequence, crate::stored::timestamp(info.published));
        self.pending = info.pending;
        let acker = Acker {
            message: message
                .reply
                .clone()
                .filter(|_| self.acks)
                .map(|reply| (message.context.clone(), reply)),
        };
        let message = message.message;
        let headers = message.headers.unwrap_or_default();
        match head(&message.subject, place, &headers, &message.payload) {
            Ok(head) => Ok(Some(Pulled { head, payload: message.payload, acker })),
            Err(error) => {
                tracing::error!(sequence = place.0, %error, "a stored message is not a record");
                acker.ack().await;
                Ok(None)
            }
        }
    }
}

impl Pulled {
    /// The record itself.
    pub fn decode(&self) -> Result<Record, Undecodable> {
        genuine(self.head.digest, &self.payload)
    }

    /// Bytes of the record as it is stored.
    pub fn len(&self) -> usize {
        self.payload.len()
    }

    /// Whether there are no bytes at all.
    pub fn is_empty(&self) -> bool {
        self.payload.is_empty()
    }

    /// What acknowledges it, for later.
    pub fn acker(&self) -> Acker {
        self.acker.clone()
    }
}

impl Acker {
    /// Tells the broker that this record is done. A lost acknowledgement is a record that comes
    /// again, so there is no error to handle.
    pub async fn ack(&self) {
        let Some((context, reply)) = &self.message else { return };
        if let Err(error) = context.client().publish(reply.clone(), "+ACK".into()).await {
            tracing::debug!(%error, "acknowledgement was not sent");
        }
    }
}

impl Streams {
    /// The records of one shard. Durable; starts at the first record that is not acknowledged,
    /// in order: only one reader of a shard may run at a time.
    pub async fn shard_reader(&self, shard: u8) -> Result<Reader, ReadError> {
        let name = format!("live-{shard}");
        let config = pull::Config {
            deliver_policy: DeliverPolicy::All,
            filter_subject: subject::shard(shard),
            ..durable(&name)
        };
        self.durable_reader(&name, config).await
    }

    /// The records of one scope from a sequence on, through a consumer that ends with its reader.
    pub async fn scope_reader(
        &self,
        name: &str,
        scope: Scope,
        from_sequence: u64,
    ) -> Result<Reader, ReadError> {
        let stream = self.handle(StreamName::Events).await?;
        let config = pull::Config {
            name: Some(name.to_owned()),
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: from_sequence.max(1) },
            ack_policy: AckPolicy::None,
            filter_subject: subject::events(scope),
            memory_storage: true,
            num_replicas: 1,
            inactive_threshold: DISPOSABLE_THRESHOLD,
            ..pull::Config::default()
        };
        // Left over from an earlier reader that stood elsewhere: it cannot be moved, only remade.
        drop(stream.delete_consumer(name).await);
        let consumer = stream.create_consumer(config).await.map_err(ReadError::unavailable)?;
        let pending = consumer.cached_info().num_pending;
        self.reader(consumer, Kind::Disposable, pending).await
    }

    /// Makes the consumer of a replay job: the scope's records from a sequence on. To make it
    /// twice is harmless.
    pub async fn create_replay_consumer(
        &self,
        scope: Scope,
        job: JobId,
        from_sequence: u64,
    ) -> Result<(), ReadError> {
        let stream = self.handle(StreamName::Events).await?;
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: from_sequence.max(1) },
            filter_subject: subject::events(scope),
            ..durable(&replay_name(job))
        };
        stream.create_consumer(config).await.map(drop).map_err(ReadError::unavailable)
    }

    /// The records of a replay job, from the first that is not acknowledged; none when the job
    /// has no consumer.
    pub async fn replay_reader(&self, job: JobId) -> Result<Option<Reader>, ReadError> {
        let stream = self.handle(StreamName::Events).await?;
        let name = replay_name(job);
        let consumer = match stream.get_consumer::<pull::Config>(&name).await {
            Ok(consumer) => consumer,
            Err(_) if !self.consumer_exists(&stream, &name).await? => return Ok(None),
            Err(error) => return Err(ReadError::Unavailable(error.to_string())),
        };
        let reset = stream.reset_consumer(&name, None).await.map_err(ReadError::unavailable)?;
        self.reader(consumer, Kind::Job, reset.info.num_pending).await.map(Some)
    }

    /// Removes the consumer of a replay job, if there is one.
    pub async fn delete_replay_consumer(&self, job: JobId) -> Result<(), ReadError> {
        let stream = self.handle(StreamName::Events).await?;
        let name = replay_name(job);
        match stream.delete_consumer(&name).await {
            Ok(_) => Ok(()),
            Err(_) if !self.consumer_exists(&stream, &name).await? => Ok(()),
            Err(error) => Err(ReadError::unavailable(error)),
        }
    }

    /// The jobs that have a consumer, whatever their state.
    pub async fn replay_consumers(&self) -> Result<Vec<JobId>, ReadError> {
        let stream = self.handle(StreamName::Events).await?;
        let mut names = stream.consumer_names();
        let mut jobs = Vec::new();
        while let Some(name) = names.next().await {
            let name = name.map_err(ReadError::unavailable)?;
            jobs.extend(name.strip_prefix("replay-").and_then(|job| job.parse::<JobId>().ok()));
        }
        Ok(jobs)
    }

    async fn consumer_exists(
        &self,
        stream: &jetstream::stream::Stream<()>,
        name: &str,
    ) -> Result<bool, ReadError> {
        match stream.consumer_info(name).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ConsumerInfoErrorKind::NotFound => Ok(false),
            Err(error) => Err(ReadError::unavailable(error)),
        }
    }

    async fn durable_reader(&self, name: &str, config: pull::Config) -> Result<Reader, ReadError> {
        let stream = self.handle(StreamName::Events).await?;
        let wanted = config.clone();
        let consumer = stream.create_consumer(config).await.map_err(ReadError::unavailable)?;
        let made = &consumer.cached_info().config;
        if made.max_deliver != wanted.max_deliver || made.filter_subject != wanted.filter_subject {
            return Err(ReadError::Unavailable(format!(
                "consumer {name} is not as it must be: filter {}, max_deliver {}",
                made.filter_subject, made.max_deliver
            )));
        }
        let reset = stream.reset_consumer(name, None).await.map_err(ReadError::unavailable)?;
        self.reader(consumer, Kind::Shard, reset.info.num_pending).await
    }

    async fn reader(
        &self,
        consumer: Consumer<pull::Config>,
        kind: Kind,
        pending: u64,
    ) -> Result<Reader, ReadError> {
        let mut connections = self.connections.subscribe();
        connections.mark_unchanged();
        let bytes = match kind {
            Kind::Shard => SHARD_BYTES,
            Kind::Job | Kind::Disposable => SCOPE_BYTES,
        };
        let messages = consumer
            .stream()
            .max_messages_per_batch(PREFETCH)
            .max_bytes_per_batch(bytes)
            .expires(PULL_EXPIRES)
            .heartbeat(HEARTBEAT);
        let messages = messages.messages().await.map_err(ReadError::unavailable)?;
        let acks = kind != Kind::Disposable;
        Ok(Reader { messages, acks, pending, connections, consumer })
    }
}

/// A consumer whose position survives everything: no limit of deliveries, no threshold of
/// inactivity, because both lose silently.
fn durable(name: &str) -> pull::Config {
    pull::Config {
        durable_name: Some(name.to_owned()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        max_deliver: -1,
        max_ack_pending: ACK_PENDING_MAX,
        ..pull::Config::default()
    }
}

fn replay_name(job: JobId) -> String {
    format!("replay-{job}")
}
