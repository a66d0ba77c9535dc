//! What can go wrong between a service and the broker.

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};

/// A message was not stored, or it is not known whether it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The subject's last sequence is not the expected one: somebody else appended.
    #[error("somebody else appended")]
    Conflict,
    /// The message is larger than the broker takes.
    #[error("the message is larger than the broker takes")]
    TooLarge,
    /// The stream has reached its limit and refuses new messages.
    #[error("the stream is full")]
    Full,
    /// No answer in time, no connection or no leader: the message may be stored or not.
    #[error("the broker did not answer: {0}")]
    Unavailable(String),
}

/// Something could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// No answer in time, no connection or no leader: try again.
    #[error("the broker did not answer: {0}")]
    Unavailable(String),
    /// What is stored cannot be understood.
    #[error("stored data cannot be read: {0}")]
    Corrupt(String),
    /// What is stored was written by a version that knows more than this one.
    #[error("a newer version wrote this: {0}")]
    Newer(String),
}

impl ReadError {
    /// Wraps a client error: its text is for people.
    pub(crate) fn unavailable(error: impl std::fmt::Display) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<AppendError> for ReadError {
    fn from(error: AppendError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// "wrong last sequence: another write to the subject is in flight", which a cluster's leader
/// answers instead of 10071; the client has no name for it.
const WRITE_IN_FLIGHT: ErrorCode = ErrorCode(10164);

/// Limits answered by the store: `maximum bytes exceeded` and the like.
const STORE_REFUSED: [ErrorCode; 3] = [
    ErrorCode::STREAM_STORE_FAILED,
    ErrorCode::STORAGE_RESOURCES_EXCEEDED,
    ErrorCode::INSUFFICIENT_RESOURCES,
];

pub(crate) fn append_error(error: &PublishError) -> AppendError {
    let code = std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<async_nats::jetstream::Error>())
        .map(async_nats::jetstream::Error::error_code);
    match (error.kind(), code) {
        (PublishErrorKind::WrongLastSequence, _) => AppendError::Conflict,
        (PublishErrorKind::MaxPayloadExceeded, _) => AppendError::TooLarge,
        (_, Some(code)) => append_error_of(code, error),
        // During an election the stream has no responder, which the client calls "not found".
        (_, None) => AppendError::Unavailable(error.to_string()),
    }
}

/// What the broker's refusal means.
pub(crate) fn append_error_of(code: ErrorCode, text: &impl std::fmt::Display) -> AppendError {
    match code {
        ErrorCode::STREAM_WRONG_LAST_SEQUENCE | WRITE_IN_FLIGHT => AppendError::Conflict,
        code if STORE_REFUSED.contains(&code) => AppendError::Full,
        _ => AppendError::Unavailable(text.to_string()),
    }
}
