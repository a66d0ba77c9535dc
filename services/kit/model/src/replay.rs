//! Replay jobs: their state and how facts change it.

use std::fmt;

use crate::Timestamp;
use crate::aggregate::Corrupt;
use crate::id::JobId;
use crate::origin::Origin;
use crate::scope::Scope;
use crate::window::Window;

/// A scope's newest replay job. Before the first there is none: *unconfigured*.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// New at each configuration.
    pub id: JobId,
    /// What is sent again.
    pub window: Window,
    /// Last sequence of EVENTS when the job was accepted.
    pub snapshot_sequence: u64,
    /// Who asked for it.
    pub actor: String,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// How far it is.
    pub phase: Phase,
}

/// How far a job is, with what is known only there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// The request is recorded.
    Accepted,
    /// It is known what will be read.
    Pending(Plan),
    /// A sender holds the lane.
    Running {
        /// What is read.
        plan: Plan,
        /// The sender.
        holder: String,
        /// How far it has come.
        progress: Progress,
    },
    /// Everything in the window was delivered.
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

/// What a job reads of EVENTS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// First matching stream sequence.
    pub from_sequence: u64,
    /// Last matching stream sequence; reaching it completes the job. Below `from_sequence` when
    /// nothing matches.
    pub until_sequence: u64,
    /// Most events that the records between them hold.
    pub estimated_events: u64,
}

impl Plan {
    /// A plan that reads nothing.
    pub const EMPTY: Self = Self { from_sequence: 1, until_sequence: 0, estimated_events: 0 };

    /// Whether there is nothing to read.
    pub const fn is_empty(self) -> bool {
        self.until_sequence < self.from_sequence
    }
}

/// What a job has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Delivered to the receiver.
    pub events_sent: u64,
    /// Read but outside the window.
    pub events_skipped: u64,
    /// Refused by the receiver one by one.
    pub events_quarantined: u64,
    /// Gone from the stream before they could be read.
    pub events_expired: u64,
    /// Bytes of the bodies before compression.
    pub bytes_sent: u64,
    /// HTTP requests, failed ones included.
    pub requests: u64,
    /// Stream sequence up to which everything is done.
    pub sequence: u64,
}

/// Why a job failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// One lower-case word for machines: `no_webhook`, `disabled`, `gap`, `expired`, `receiver`,
    /// `corrupt`, `superseded`.
    pub code: String,
    /// What went wrong and who can act, in words.
    pub reason: String,
}

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

impl Job {
    /// The state's name as people read it.
    pub const fn state_name(&self) -> &'static str {
        match self.phase {
            Phase::Accepted => "accepted",
            Phase::Pending(_) => "pending",
            Phase::Running { .. } => "running",
            Phase::Completed(_) => "completed",
            Phase::Failed { .. } => "failed",
            Phase::Cancelled { .. } => "cancelled",
        }
    }

    /// Whether it will not change any more.
    pub const fn is_ended(&self) -> bool {
        matches!(self.phase, Phase::Completed(_) | Phase::Failed { .. } | Phase::Cancelled { .. })
    }

    /// What it has done so far.
    pub fn progress(&self) -> Progress {
        match &self.phase {
            Phase::Accepted | Phase::Pending(_) => Progress::default(),
            Phase::Running { progress, .. }
            | Phase::Completed(progress)
            | Phase::Failed { progress, .. }
            | Phase::Cancelled { progress, .. } => *progress,
        }
    }
}

impl fmt::Display for ReplayFact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accepted { .. } => "accepted",
            Self::Scheduled(_) => "scheduled",
            Self::Started { .. } => "started",
            Self::Advanced(_) => "advanced",
            Self::Completed(_) => "completed",
            Self::Failed { .. } => "failed",
            Self::Cancelled { .. } => "cancelled",
        })
    }
}

/// Applies a fact. Acceptance always begins a new job, so a history whose beginning is gone still
/// folds; news about an older job is silence.
pub fn evolve(state: Option<Job>, event: &ReplayEvent) -> Result<Option<Job>, Corrupt> {
    if let ReplayFact::Accepted { window, snapshot_sequence } = event.fact {
        return Ok(Some(Job {
            id: event.job,
            window,
            snapshot_sequence,
            actor: event.actor.clone(),
            accepted_at: event.at,
            updated_at: event.at,
            phase: Phase::Accepted,
        }));
    }
    match state {
        Some(job) if job.id == event.job => {
            let phase = next_phase(&job, &event.fact)?;
            Ok(Some(Job { updated_at: event.at, phase, ..job }))
        }
        other => Ok(other),
    }
}

#[expect(clippy::match_same_arms, reason = "a table: one row a step, whichever field it replaces")]
fn next_phase(job: &Job, fact: &ReplayFact) -> Result<Phase, Corrupt> {
    let running = |plan: &Plan, holder: &str, progress: Progress| Phase::Running {
        plan: *plan,
        holder: holder.to_owned(),
        progress,
    };
    Ok(match (&job.phase, fact) {
        (Phase::Accepted, ReplayFact::Scheduled(plan)) => Phase::Pending(*plan),
        (Phase::Pending(plan), ReplayFact::Started { holder }) => {
            running(plan, holder, Progress::default())
        }
        (Phase::Running { plan, progress, .. }, ReplayFact::Started { holder }) => {
            running(plan, holder, *progress)
        }
        (Phase::Running { plan, holder, .. }, ReplayFact::Advanced(progress)) => {
            running(plan, holder, *progress)
        }
        (Phase::Pending(_) | Phase::Running { .. }, ReplayFact::Completed(progress)) => {
            Phase::Completed(*progress)
        }
        (_, ReplayFact::Failed { failure, progress }) if !job.is_ended() => {
            Phase::Failed { failure: failure.clone(), progress: *progress }
        }
        (_, ReplayFact::Cancelled { reason, progress }) if !job.is_ended() => {
            Phase::Cancelled { reason: reason.clone(), progress: *progress }
        }
        _ => return Err(Corrupt::new(job.state_name(), fact)),
    })
}

#[cfg(test)]
#[path = "replay_tests.rs"]
mod tests;
