//! Facts about the streams.

use auditrelay_model::Timestamp;

use crate::admin::StreamState;
use crate::append::Outgoing;
use crate::codec;
use crate::connect::Streams;
use crate::error::AppendError;
use crate::subject;

/// A stored fact about the streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RetentionFact {
    /// A stream was created or brought back to what it must be.
    StreamChanged {
        /// Its name.
        stream: String,
        /// What was done, in words.
        changes: Vec<String>,
    },
    /// What EVENTS really holds.
    Coverage(StreamState),
    /// Something threatens the seven days.
    Risk {
        /// `storage`, `hole` or `expiry`.
        kind: String,
        /// In words.
        detail: String,
    },
}

impl Streams {
    /// Stores a fact about the streams.
    pub async fn append_retention(
        &self,
        at: Timestamp,
        fact: &RetentionFact,
    ) -> Result<u64, AppendError> {
        let what = match fact {
            RetentionFact::StreamChanged { .. } => "stream",
            RetentionFact::Coverage(_) => "coverage",
            RetentionFact::Risk { .. } => "risk",
        };
        self.append(Outgoing {
            subject: subject::retention(what),
            payload: codec::retention::encode(at, fact).into(),
            ..Outgoing::default()
        })
        .await
    }
}
