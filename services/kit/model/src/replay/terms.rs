//! What a job is asked for beyond its window.

use crate::destination::LogFormat;
use crate::event::EventKind;
use crate::id::{DestinationId, JobId};
use crate::record::Position;

/// What a job is asked for beyond its window; the default is what the compatible API asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Terms {
    /// A name for people.
    pub name: Option<String>,
    /// Only events of these kinds; empty for all of them.
    pub kinds: Vec<EventKind>,
    /// Only events that the destination has not acknowledged yet.
    pub unacknowledged_only: bool,
    /// Where they go.
    pub target: Target,
    /// The job whose rest this one sends.
    pub remainder: Option<Remainder>,
}

/// Where a job sends; the default is the scope's webhook as it is when the job runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Target {
    /// Another destination of the organization.
    pub destination: Option<DestinationId>,
    /// Another format than the destination's.
    pub log_format: Option<LogFormat>,
}

/// The rest of a job that did not end well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remainder {
    /// That job.
    pub of: JobId,
    /// The last event that was done there; none when nothing was.
    pub after: Option<Position>,
}
