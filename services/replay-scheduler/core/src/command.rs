//! What can be asked of a job, and what comes of it.

use auditrelay_model::Window;
use auditrelay_model::id::JobId;
use auditrelay_model::replay::{Failure, Plan, Progress, ReplayFact, Terms};

/// A request to change one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The job meant; for [`Action::Configure`] the job to make.
    pub job: JobId,
    /// What is asked.
    pub action: Action,
}

/// What is asked of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Make a job.
    Configure {
        /// What to send again.
        window: Window,
        /// What else is asked for.
        terms: Terms,
        /// Last sequence of EVENTS now.
        snapshot_sequence: u64,
        /// Wait behind the job that is under way.
        may_wait: bool,
    },
    /// Its reading is planned and prepared.
    Schedule(Plan),
    /// A sender took its lane.
    Start {
        /// The sender.
        holder: String,
    },
    /// Its lane came further.
    Advance(Progress),
    /// Its lane has done everything.
    Complete(Progress),
    /// Somebody has it wait.
    Pause {
        /// Why.
        reason: String,
    },
    /// It goes on.
    Resume,
    /// Somebody ends it.
    Cancel {
        /// Why.
        reason: String,
        /// How far its lane had come.
        progress: Progress,
    },
    /// It can not go on.
    Fail {
        /// Why.
        failure: Failure,
        /// How far its lane had come.
        progress: Progress,
    },
}

/// A fact and the job it is about: replacing a job is news about two of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// Which job.
    pub job: JobId,
    /// What happened to it.
    pub fact: ReplayFact,
}

/// A lawful refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// A job is running; it has to end first.
    #[error("replay job {job} is running")]
    Running {
        /// The running job.
        job: JobId,
    },
    /// As many jobs wait already as may.
    #[error("{waiting} replay jobs wait already")]
    QueueFull {
        /// How many.
        waiting: usize,
    },
    /// The job waits for others; it can only be cancelled.
    #[error("replay job {job} waits for its turn")]
    Waits {
        /// The job that was meant.
        job: JobId,
    },
    /// The job has ended.
    #[error("replay job {job} has already ended")]
    Ended {
        /// The job that was meant.
        job: JobId,
    },
    /// The scope has no such job.
    #[error("replay job {job} is not known")]
    NoSuchJob {
        /// The job that was meant.
        job: JobId,
    },
    /// Completion was claimed too early.
    #[error("replay job {job} has come to {sequence}, not to its end")]
    NotAtEnd {
        /// The job that was meant.
        job: JobId,
        /// How far it had come.
        sequence: u64,
    },
}

impl Denial {
    /// One lower-case word for machines.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Running { .. } => "running",
            Self::QueueFull { .. } => "queue_full",
            Self::Waits { .. } => "waiting",
            Self::Ended { .. } => "ended",
            Self::NoSuchJob { .. } => "no_such_job",
            Self::NotAtEnd { .. } => "not_at_end",
        }
    }
}
