//! How a job reads.

use auditrelay_model::delivery::LaneState;
use auditrelay_model::replay::{Job, Phase, Progress};
use serde::Serialize;

use crate::webhook::inline::ZERO_TIME;

/// A job on the compatible wire.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct View {
    /// First instant that is sent again.
    pub start_at: String,
    /// Last instant that is sent again.
    pub end_at: String,
    /// How far it is; a cancelled job reads `failed`, which clients know.
    pub status: &'static str,
    /// When it last changed.
    pub updated_at: String,
}

impl View {
    /// A scope's newest job, or what stands for none.
    pub fn of(job: Option<&Job>) -> Self {
        let Some(job) = job else {
            return Self {
                start_at: ZERO_TIME.to_owned(),
                end_at: ZERO_TIME.to_owned(),
                status: "unconfigured",
                updated_at: ZERO_TIME.to_owned(),
            };
        };
        Self {
            start_at: job.window.start().to_string(),
            end_at: job.window.end().to_string(),
            status: match job.phase {
                Phase::Accepted => "accepted",
                Phase::Pending(_) => "pending",
                Phase::Running { .. } => "running",
                Phase::Completed(_) => "completed",
                Phase::Failed { .. } | Phase::Cancelled { .. } => "failed",
            },
            updated_at: job.updated_at.to_string(),
        }
    }
}

/// A job on our own wire, with everything that a progress bar wants.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// Its id; none before the first job.
    pub id: Option<String>,
    /// `unconfigured`, `accepted`, `pending`, `running`, `completed`, `failed` or `cancelled`.
    pub state: &'static str,
    /// First instant that is sent again.
    pub start_at: Option<String>,
    /// Last instant that is sent again.
    pub end_at: Option<String>,
    /// Who asked for it: a token's id.
    pub actor: Option<String>,
    /// When it was accepted.
    pub accepted_at: Option<String>,
    /// When it last changed.
    pub updated_at: Option<String>,
    /// The sender that runs it.
    pub holder: Option<String>,
    /// Why it did not end well.
    pub failure: Option<FailureView>,
    /// What it has done.
    pub progress: ProgressView,
    /// Most events that will be looked at; none until it is planned.
    pub estimated_events: Option<u64>,
    /// How much of it is done.
    pub percent: u64,
}

/// Why a job failed or was cancelled.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct FailureView {
    /// In a word.
    pub code: String,
    /// In words.
    pub reason: String,
}

/// What a job has done.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct ProgressView {
    /// Delivered to the receiver.
    pub events_sent: u64,
    /// Read but outside the window.
    pub events_skipped: u64,
    /// Refused by the receiver one by one.
    pub events_quarantined: u64,
    /// Gone before they could be read.
    pub events_expired: u64,
    /// Bytes before compression.
    pub bytes_sent: u64,
    /// HTTP requests.
    pub requests: u64,
}

impl Detail {
    /// A scope's newest job; its lane knows more than the job while it runs.
    pub fn of(job: Option<&Job>, lane: &LaneState) -> Self {
        let Some(job) = job else { return Self::unconfigured() };
        let (plan, holder) = match &job.phase {
            Phase::Pending(plan) => (Some(*plan), None),
            Phase::Running { plan, holder, .. } => (Some(*plan), Some(holder.clone())),
            Phase::Accepted
            | Phase::Completed(_)
            | Phase::Failed { .. }
            | Phase::Cancelled { .. } => (None, None),
        };
        let progress = if job.is_ended() { job.progress() } else { newest(job.progress(), lane) };
        let estimated_events = plan.map(|plan| plan.estimated_events);
        let completed = matches!(job.phase, Phase::Completed(_));
        Self {
            id: Some(job.id.to_string()),
            state: job.state_name(),
            start_at: Some(job.window.start().to_string()),
            end_at: Some(job.window.end().to_string()),
            actor: Some(job.actor.clone()),
            accepted_at: Some(job.accepted_at.to_string()),
            updated_at: Some(job.updated_at.to_string()),
            holder,
            failure: FailureView::of(&job.phase),
            progress: ProgressView::from(progress),
            estimated_events,
            percent: if completed { 100 } else { percent(progress, estimated_events) },
        }
    }

    const fn unconfigured() -> Self {
        Self {
            id: None,
            state: "unconfigured",
            start_at: None,
            end_at: None,
            actor: None,
            accepted_at: None,
            updated_at: None,
            holder: None,
            failure: None,
            progress: ProgressView {
                events_sent: 0,
                events_skipped: 0,
                events_quarantined: 0,
                events_expired: 0,
                bytes_sent: 0,
                requests: 0,
            },
            estimated_events: None,
            percent: 0,
        }
    }
}

impl FailureView {
    fn of(phase: &Phase) -> Option<Self> {
        match phase {
            Phase::Failed { failure, .. } => {
                Some(Self { code: failure.code.clone(), reason: failure.reason.clone() })
            }
            Phase::Cancelled { reason, .. } => {
                Some(Self { code: "cancelled".to_owned(), reason: reason.clone() })
            }
            Phase::Accepted | Phase::Pending(_) | Phase::Running { .. } | Phase::Completed(_) => {
                None
            }
        }
    }
}

impl From<Progress> for ProgressView {
    fn from(progress: Progress) -> Self {
        Self {
            events_sent: progress.events_sent,
            events_skipped: progress.events_skipped,
            events_quarantined: progress.events_quarantined,
            events_expired: progress.events_expired,
            bytes_sent: progress.bytes_sent,
            requests: progress.requests,
        }
    }
}

/// What the lane has done, unless the job already knows of more.
fn newest(progress: Progress, lane: &LaneState) -> Progress {
    let totals = lane.totals;
    let of_lane = Progress {
        events_sent: totals.events_delivered,
        events_skipped: totals.events_passed,
        events_quarantined: totals.events_quarantined,
        events_expired: totals.events_expired,
        bytes_sent: totals.bytes_delivered,
        requests: totals.requests,
        sequence: lane.cursor.map_or(0, |cursor| cursor.sequence),
    };
    if done(of_lane) >= done(progress) { of_lane } else { progress }
}

const fn done(progress: Progress) -> u64 {
    progress.events_sent
        + progress.events_skipped
        + progress.events_quarantined
        + progress.events_expired
}

/// Whole percent, at most 99 until the job says that it is complete.
fn percent(progress: Progress, estimate: Option<u64>) -> u64 {
    let Some(estimate) = estimate.filter(|estimate| *estimate > 0) else { return 0 };
    (done(progress).saturating_mul(100) / estimate).min(99)
}
