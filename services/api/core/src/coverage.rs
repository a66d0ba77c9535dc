//! What of a log is really held now.

use auditrelay_model::Timestamp;
use auditrelay_model::window::RETENTION;
use serde::Serialize;

/// Coverage on our own wire.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct View {
    /// For how long events can be read and replayed.
    pub retention_seconds: u64,
    /// Storage time of the oldest record held, of any log; none when nothing is.
    pub held_since: Option<String>,
    /// The organization's own log; none when nothing of it is held.
    pub log: Option<LogView>,
}

/// A log from its oldest to its newest event.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct LogView {
    /// The oldest record.
    pub oldest: EdgeView,
    /// The newest record.
    pub newest: EdgeView,
}

/// One end of a log.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct EdgeView {
    /// The life of the chain.
    pub epoch: u64,
    /// The number of the outermost event.
    pub number: u64,
    /// When its record was stored.
    pub stored_at: String,
}

impl EdgeView {
    /// An event's number, and when it was stored.
    pub fn of(epoch: u64, number: u64, stored_at: Timestamp) -> Self {
        Self { epoch, number, stored_at: stored_at.to_string() }
    }
}

impl View {
    /// What is held.
    pub fn of(oldest: Option<Timestamp>, log: Option<LogView>) -> Self {
        let held_since = oldest.map(|at| at.to_string());
        Self { retention_seconds: RETENTION.as_secs(), held_since, log }
    }
}
