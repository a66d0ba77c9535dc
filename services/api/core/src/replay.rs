//! Replay jobs: how they are asked for and how they read.

use auditrelay_model::config::OrgConfig;
use auditrelay_model::delivery::LaneState;
use auditrelay_model::id::{JobId, PortalId};
use auditrelay_model::replay::{Job, Phase, Progress};
use auditrelay_model::scope::Scope;
use auditrelay_model::timestamp::TimestampError;
use auditrelay_model::window::WindowError;
use auditrelay_model::{Timestamp, Window};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::body::{Given, Reader, Unknown};
use crate::command::Denial;
use crate::fault::{Fault, Wrong};
use crate::text;
use crate::webhook::inline::ZERO_TIME;

const OUTSIDE: Wrong = Wrong::Invalid("must be within the last 7 days");
const REASON_LENGTH_MAX: u64 = 500;

/// Reads the body that configures a job: a window that is still kept.
pub fn parse_window(body: &[u8], now: Timestamp) -> Result<Window, Vec<Fault>> {
    let mut reader = Reader::parse(body)?;
    let start = time(&mut reader, "start_at");
    let end = time(&mut reader, "end_at");
    reader.finish(Unknown::Ignored)?;
    let (Some(start), Some(end)) = (start, end) else {
        return Err(vec![Fault::body("body", Wrong::Syntax)]);
    };
    Window::parse(start, end, now).map_err(|error| {
        vec![match error {
            WindowError::EndBeforeStart => {
                Fault::body("end_at", Wrong::Invalid("must be after start_at"))
            }
            WindowError::StartOutsideRetention => Fault::body("start_at", OUTSIDE),
            WindowError::EndInFuture => {
                Fault::body("end_at", Wrong::Invalid("must not be in the future"))
            }
        }]
    })
}

fn time(reader: &mut Reader, field: &'static str) -> Option<Timestamp> {
    let text = reader.required(field)?;
    match Timestamp::parse_rfc3339(&text) {
        Ok(at) => return Some(at),
        Err(TimestampError::NotADateTime) => reader.fault(field, Wrong::DateTime),
        Err(TimestampError::OutOfRange) => reader.fault(field, OUTSIDE),
    }
    None
}

/// The id of the job that a request with this `Idempotency-Key` makes: always the same, so that a
/// repeated request finds its own job.
pub fn job_of_key(scope: Scope, key: &str) -> JobId {
    let digest: [u8; 32] = Sha256::new()
        .chain_update(b"auditrelay replay job\0")
        .chain_update(scope.to_string())
        .chain_update(b"\0")
        .chain_update(key)
        .finalize()
        .into();
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    JobId::from_uuid(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

/// Whether a job may be configured: its webhook must be there and switched on.
pub fn check_webhook(config: &OrgConfig, scope: Scope) -> Result<(), Denial> {
    let webhook = config.webhooks.get(&scope).filter(|webhook| webhook.destination.is_some());
    match webhook {
        None => {
            let missing = Wrong::Missing("the webhook has no destination");
            Err(Denial::fault("audit_log_destination_id", missing))
        }
        Some(webhook) if !webhook.enabled => {
            Err(Denial::fault("webhook.enabled", Wrong::Missing("webhook is disabled")))
        }
        Some(_) => Ok(()),
    }
}

/// A request to end a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelRequest {
    /// Whose job; none for the organization's own.
    pub portal: Option<PortalId>,
    /// Why, for those who read the history.
    pub reason: String,
}

impl CancelRequest {
    /// Reads the body.
    pub fn parse(body: &[u8]) -> Result<Self, Vec<Fault>> {
        let mut reader = Reader::parse(body)?;
        let portal = match reader.text("portal_id") {
            Given::Absent | Given::Null => None,
            Given::Value(text) => {
                let portal = text.parse().ok();
                if portal.is_none() {
                    reader.fault("portal_id", Wrong::Invalid("is not a UUID"));
                }
                portal
            }
        };
        let reason = reader.nonblank_text("reason").value();
        if reason.as_deref().is_some_and(|reason| text::longer(reason, REASON_LENGTH_MAX)) {
            reader.fault("reason", Wrong::MaxLength(REASON_LENGTH_MAX));
        }
        reader.finish(Unknown::Refused)?;
        Ok(Self { portal, reason: reason.unwrap_or_else(|| "cancelled by request".to_owned()) })
    }
}

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

#[cfg(test)]
mod tests;
