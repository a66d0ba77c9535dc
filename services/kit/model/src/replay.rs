//! Replay jobs: their state and how facts change it.
//!
//! A [`Job`] is asked for by a window and [`Terms`], reads what its [`Plan`] says, sends what its
//! [`Selection`] admits, and says by its [`Progress`] what came of it. [`Jobs`] are all of one
//! scope, folded from [`ReplayEvent`]s by [`evolve`].

mod evolve;
mod fact;
mod jobs;
mod progress;
mod selection;
mod terms;

pub use evolve::evolve;
pub use fact::{ReplayEvent, ReplayFact};
pub use jobs::{Jobs, PAST_MAX, WAITING_MAX};
pub use progress::{Actor, Failure, Plan, Progress, SentIds, Tally};
pub use selection::{Selection, Stretch};
pub use terms::{Remainder, Target, Terms};

use std::time::Duration;

use crate::Timestamp;
use crate::id::JobId;
use crate::window::Window;

/// One replay job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// New at each configuration.
    pub id: JobId,
    /// What is sent again.
    pub window: Window,
    /// What else was asked for.
    pub terms: Terms,
    /// Last sequence of EVENTS when the job was accepted.
    pub snapshot_sequence: u64,
    /// Who asked for it.
    pub actor: String,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// When a sender first took it.
    pub started_at: Option<Timestamp>,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Set while somebody has it wait.
    pub paused: Option<Pause>,
    /// How long it was paused before.
    pub rested: Duration,
    /// What happened to it, without its progress; at most [`STEPS_MAX`] of them.
    pub steps: Vec<Step>,
    /// How far it is.
    pub phase: Phase,
}

/// Most steps that a job remembers; then those after its acceptance are forgotten first.
pub const STEPS_MAX: usize = 40;

/// Since when and why a job waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// Since when.
    pub since: Timestamp,
    /// Who wanted it.
    pub actor: String,
    /// Why.
    pub reason: String,
}

/// One line of a job's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// When.
    pub at: Timestamp,
    /// Who caused it: a token's id, or the name of a service.
    pub actor: String,
    /// What happened, as facts are named.
    pub what: &'static str,
    /// Why, where somebody said so.
    pub reason: String,
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

    /// What is read, while that matters.
    pub const fn plan(&self) -> Option<&Plan> {
        match &self.phase {
            Phase::Pending(plan) | Phase::Running { plan, .. } => Some(plan),
            Phase::Accepted
            | Phase::Completed(_)
            | Phase::Failed { .. }
            | Phase::Cancelled { .. } => None,
        }
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

    /// Which events it sends.
    pub fn selection(&self) -> Selection {
        Selection {
            window: self.window,
            kinds: self.terms.kinds.clone(),
            numbers: self.plan().and_then(|plan| plan.numbers.clone()),
        }
    }

    /// How long a sender has worked on it by `now`, pauses left out.
    pub fn worked(&self, now: Timestamp) -> Duration {
        let Some(started) = self.started_at else { return Duration::ZERO };
        let until = if self.is_ended() { self.updated_at } else { now };
        let pause = self.paused.as_ref().map_or(Duration::ZERO, |pause| until.since(pause.since));
        until.since(started).saturating_sub(self.rested).saturating_sub(pause)
    }
}

#[cfg(test)]
#[path = "replay_tests.rs"]
mod tests;
