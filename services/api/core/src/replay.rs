//! Replay jobs: how they are asked for and how they read.

mod detail;
mod estimate;
mod report;
mod view;
mod wish;

use auditrelay_model::config::OrgConfig;
use auditrelay_model::id::{JobId, PortalId};
use auditrelay_model::replay::{Job, Phase, Remainder, Terms};
use auditrelay_model::scope::Scope;
use auditrelay_model::timestamp::TimestampError;
use auditrelay_model::window::{RETENTION, WindowError};
use auditrelay_model::{Timestamp, Window};
use sha2::{Digest, Sha256};

pub use detail::{Detail, FailureView, ProgressView, Seen};
pub use estimate::{Counted, EstimateView, Overlap, overlaps};
pub use report::Report;
pub use view::View;
pub use wish::{JobWish, check_target};

use crate::body::{Given, Reader, Unknown};
use crate::command::Denial;
use crate::fault::{Fault, Wrong};
use crate::text;

const OUTSIDE: Wrong = Wrong::Invalid("must be within the last 7 days");
const REASON_LENGTH_MAX: u64 = 500;

/// Reads the body that configures a job: a window that is still kept.
pub fn parse_window(body: &[u8], now: Timestamp) -> Result<Window, Vec<Fault>> {
    let mut reader = Reader::parse(body)?;
    let window = window(&mut reader, now);
    reader.finish(Unknown::Ignored)?;
    window.ok_or_else(|| vec![Fault::body("body", Wrong::Syntax)])
}

/// A window, unless it is a mistake, which is noted.
fn window(reader: &mut Reader, now: Timestamp) -> Option<Window> {
    let (start, end) = (time(reader, "start_at"), time(reader, "end_at"));
    match Window::parse(start?, end?, now) {
        Ok(window) => return Some(window),
        Err(WindowError::EndBeforeStart) => {
            reader.fault("end_at", Wrong::Invalid("must not be before start_at"));
        }
        Err(WindowError::StartOutsideRetention) => reader.fault("start_at", OUTSIDE),
        Err(WindowError::EndInFuture) => {
            reader.fault("end_at", Wrong::Invalid("must not be in the future"));
        }
    }
    None
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
            let missing =
                Wrong::Missing("bind the webhook to a destination and enable it, then replay");
            Err(Denial::fault("audit_log_destination_id", missing))
        }
        Some(webhook) if !webhook.enabled => Err(Denial::fault(
            "webhook.enabled",
            Wrong::Missing("webhook is disabled; enable it, then replay"),
        )),
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
        let reason = reason(&mut reader);
        reader.finish(Unknown::Refused)?;
        Ok(Self { portal, reason: reason.unwrap_or_else(|| "cancelled by request".to_owned()) })
    }
}

/// Why somebody changes a job, for those who read its history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(pub Option<String>);

impl Reason {
    /// Reads the body.
    pub fn parse(body: &[u8]) -> Result<Self, Vec<Fault>> {
        let mut reader = Reader::parse(body)?;
        let reason = reason(&mut reader);
        reader.finish(Unknown::Refused)?;
        Ok(Self(reason))
    }
}

fn reason(reader: &mut Reader) -> Option<String> {
    let reason = reader.nonblank_text("reason").value();
    if reason.as_deref().is_some_and(|reason| text::longer(reason, REASON_LENGTH_MAX)) {
        reader.fault("reason", Wrong::MaxLength(REASON_LENGTH_MAX));
    }
    reason
}

/// What a job did not send: the same window and terms, behind the last event that was done; or why
/// there is no such rest. A window that is partly forgotten by now is cut.
pub fn remainder(job: &Job, now: Timestamp) -> Result<(Window, Terms), &'static str> {
    match job.phase {
        Phase::Failed { .. } | Phase::Cancelled { .. } => {}
        Phase::Completed(_) => return Err("The replay job has sent everything"),
        Phase::Accepted | Phase::Pending(_) | Phase::Running { .. } => {
            return Err("The replay job has not ended");
        }
    }
    let oldest = now - RETENTION;
    if job.window.end() < oldest {
        return Err("The window of the replay job is not kept any more");
    }
    let window = Window::stored(job.window.start().max(oldest), job.window.end());
    let remainder = Remainder { of: job.id, after: job.progress().cursor };
    Ok((window, Terms { remainder: Some(remainder), ..job.terms.clone() }))
}

#[cfg(test)]
mod tests;
