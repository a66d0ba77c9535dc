//! Replay jobs: how they are asked for and how they read.

mod view;

use auditrelay_model::config::OrgConfig;
use auditrelay_model::id::{JobId, PortalId};
use auditrelay_model::scope::Scope;
use auditrelay_model::timestamp::TimestampError;
use auditrelay_model::window::WindowError;
use auditrelay_model::{Timestamp, Window};
use sha2::{Digest, Sha256};

pub use view::{Detail, FailureView, ProgressView, View};

use crate::body::{Given, Reader, Unknown};
use crate::command::Denial;
use crate::fault::{Fault, Wrong};
use crate::text;

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
                Fault::body("end_at", Wrong::Invalid("must not be before start_at"))
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
        let reason = reader.nonblank_text("reason").value();
        if reason.as_deref().is_some_and(|reason| text::longer(reason, REASON_LENGTH_MAX)) {
            reader.fault("reason", Wrong::MaxLength(REASON_LENGTH_MAX));
        }
        reader.finish(Unknown::Refused)?;
        Ok(Self { portal, reason: reason.unwrap_or_else(|| "cancelled by request".to_owned()) })
    }
}

#[cfg(test)]
mod tests;
