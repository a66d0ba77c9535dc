//! Stored facts of a scope's replay jobs.

use std::fmt;

use super::{Failure, Plan, Progress, Terms};
use crate::Timestamp;
use crate::id::JobId;
use crate::origin::Origin;
use crate::scope::Scope;
use crate::window::Window;

/// A stored fact of a scope's replay jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayEvent {
    /// When.
    pub at: Timestamp,
    /// Whose jobs.
    pub scope: Scope,
    /// Which of them.
    pub job: JobId,
    /// Who caused it: a token's id, or the name of a service.
    pub actor: String,
    /// The request behind it, where somebody asked for it.
    pub origin: Option<Origin>,
    /// What happened.
    pub fact: ReplayFact,
}

/// What happened to a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplayFact {
    /// Recorded.
    Accepted {
        /// What to send again.
        window: Window,
        /// Last sequence of EVENTS at that moment.
        snapshot_sequence: u64,
        /// What else was asked for.
        terms: Terms,
        /// It waits behind the job that is under way, instead of taking its place.
        waits: bool,
    },
    /// Planned.
    Scheduled(Plan),
    /// A sender took the lane.
    Started {
        /// The sender.
        holder: String,
    },
    /// It came further.
    Advanced(Progress),
    /// Somebody has it wait.
    Paused {
        /// Why.
        reason: String,
    },
    /// It goes on.
    Resumed,
    /// Everything was delivered.
    Completed(Progress),
    /// It ended with a reason.
    Failed {
        /// Why.
        failure: Failure,
        /// How far it had come.
        progress: Progress,
    },
    /// Somebody ended it.
    Cancelled {
        /// Why.
        reason: String,
        /// How far it had come.
        progress: Progress,
    },
}

impl ReplayFact {
    /// Its name, as facts are counted and told by.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::Scheduled(_) => "scheduled",
            Self::Started { .. } => "started",
            Self::Advanced(_) => "advanced",
            Self::Paused { .. } => "paused",
            Self::Resumed => "resumed",
            Self::Completed(_) => "completed",
            Self::Failed { .. } => "failed",
            Self::Cancelled { .. } => "cancelled",
        }
    }

    /// Whether the job will not change any more.
    pub const fn is_end(&self) -> bool {
        match self {
            Self::Completed(_) | Self::Failed { .. } | Self::Cancelled { .. } => true,
            Self::Accepted { .. }
            | Self::Scheduled(_)
            | Self::Started { .. }
            | Self::Advanced(_)
            | Self::Paused { .. }
            | Self::Resumed => false,
        }
    }

    /// Why it happened, where somebody said so.
    pub fn reason(&self) -> &str {
        match self {
            Self::Paused { reason } | Self::Cancelled { reason, .. } => reason,
            Self::Failed { failure, .. } => &failure.reason,
            Self::Accepted { .. }
            | Self::Scheduled(_)
            | Self::Started { .. }
            | Self::Advanced(_)
            | Self::Resumed
            | Self::Completed(_) => "",
        }
    }
}

impl fmt::Display for ReplayFact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
