//! Streams as things to look at and to change.

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::stream::{
    Compression, Config, DiscardPolicy, Info, PersistenceMode, RetentionPolicy, StorageType,
};
use auditrelay_model::Timestamp;
use auditrelay_model::stream::{Discard, Storage, StreamSpec};

use crate::connect::Streams;
use crate::error::ReadError;
use crate::topology::StreamName;

/// What a stream is and holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Its settings.
    pub spec: StreamSpec,
    /// What it holds.
    pub state: StreamState,
}

/// What a stream holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StreamState {
    /// Sequence of the oldest message held; one beyond the last when it is empty.
    pub first_sequence: u64,
    /// Sequence of the newest message ever stored.
    pub last_sequence: u64,
    /// How many messages it holds.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Storage time of the oldest one; none when it is empty.
    pub oldest: Option<Timestamp>,
}

impl Streams {
    /// Looks at a stream; none when it does not exist.
    pub async fn observe(&self, name: StreamName) -> Result<Option<Observed>, ReadError> {
        match self.context.get_stream(name.as_str()).await {
            Ok(stream) => Ok(Some(observed(stream.cached_info()))),
            Err(error) if is_not_found(&error) => Ok(None),
            Err(error) => Err(ReadError::unavailable(error)),
        }
    }

    /// Creates a stream, and checks that the broker made it as it was asked to.
    pub async fn create_stream(&self, spec: &StreamSpec) -> Result<(), ReadError> {
        let stream =
            self.context.create_stream(config(spec)).await.map_err(ReadError::unavailable)?;
        obeyed(spec, &observed(stream.cached_info()).spec)
    }

    /// Changes a stream's settings, and checks that the broker obeyed.
    pub async fn update_stream(&self, spec: &StreamSpec) -> Result<(), ReadError> {
        let info =
            self.context.update_stream(config(spec)).await.map_err(ReadError::unavailable)?;
        obeyed(spec, &observed(&info).spec)
    }

    /// What EVENTS holds; its last sequence is a snapshot of all that was accepted before.
    pub async fn events_state(&self) -> Result<StreamState, ReadError> {
        self.observe(StreamName::Events)
            .await?
            .map(|observed| observed.state)
            .ok_or_else(|| ReadError::Unavailable("stream EVENTS does not exist".to_owned()))
    }
}

fn is_not_found(error: &async_nats::jetstream::context::GetStreamError) -> bool {
    use async_nats::jetstream::context::GetStreamErrorKind;
    matches!(error.kind(), GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

fn obeyed(wanted: &StreamSpec, made: &StreamSpec) -> Result<(), ReadError> {
    if wanted == made {
        return Ok(());
    }
    Err(ReadError::Unavailable(format!(
        "the broker made stream {} otherwise than asked: {made:?} instead of {wanted:?}",
        wanted.name
    )))
}

fn config(spec: &StreamSpec) -> Config {
    Config {
        name: spec.name.clone(),
        subjects: spec.subjects.clone(),
        retention: RetentionPolicy::Limits,
        max_age: spec.max_age,
        max_bytes: spec.max_bytes,
        max_messages: -1,
        max_messages_per_subject: spec.max_messages_per_subject,
        max_consumers: spec.max_consumers,
        discard: match spec.discard {
            Discard::Old => DiscardPolicy::Old,
            Discard::New => DiscardPolicy::New,
        },
        storage: match spec.storage {
            Storage::File => StorageType::File,
            Storage::Memory => StorageType::Memory,
        },
        num_replicas: spec.replicas,
        compression: Some(if spec.compressed { Compression::S2 } else { Compression::None }),
        allow_direct: spec.allow_direct,
        deny_delete: spec.deny_delete,
        duplicate_window: spec.duplicate_window,
        allow_message_ttl: spec.allow_message_ttl,
        allow_atomic_publish: spec.allow_atomic,
        ..Config::default()
    }
}

fn observed(info: &Info) -> Observed {
    let config = &info.config;
    let spec = StreamSpec {
        name: config.name.clone(),
        subjects: config.subjects.clone(),
        max_age: config.max_age,
        max_bytes: config.max_bytes,
        max_messages_per_subject: config.max_messages_per_subject,
        max_consumers: config.max_consumers,
        discard: match config.discard {
            DiscardPolicy::Old => Discard::Old,
            DiscardPolicy::New => Discard::New,
        },
        storage: match config.storage {
            StorageType::File => Storage::File,
            StorageType::Memory => Storage::Memory,
        },
        replicas: config.num_replicas,
        compressed: matches!(config.compression, Some(Compression::S2)),
        allow_direct: config.allow_direct,
        deny_delete: config.deny_delete,
        duplicate_window: config.duplicate_window,
        allow_message_ttl: config.allow_message_ttl,
        allow_atomic: config.allow_atomic_publish,
        acks_before_write: matches!(config.persist_mode, Some(PersistenceMode::Async)),
    };
    let state = &info.state;
    let oldest = (state.messages > 0).then(|| crate::stored::timestamp(state.first_timestamp));
    Observed {
        spec,
        state: StreamState {
            first_sequence: state.first_sequence,
            last_sequence: state.last_sequence,
            messages: state.messages,
            bytes: state.bytes,
            oldest,
        },
    }
}
