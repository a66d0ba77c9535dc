//! What a job did, for whoever has to prove it.

use auditrelay_model::Scope;
use auditrelay_model::replay::{Job, Phase, Progress};
use serde::Serialize;

use super::detail::ProgressView;

/// What an ended job did.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Of this document.
    pub version: u8,
    /// The job.
    pub job_id: String,
    /// Its name.
    pub name: Option<String>,
    /// Whose log: the organization.
    pub organization_id: String,
    /// And `org`, or the portal.
    pub scope: String,
    /// First instant that was sent again.
    pub start_at: String,
    /// Last instant that was sent again.
    pub end_at: String,
    /// Only these kinds; empty for all.
    pub kinds: Vec<&'static str>,
    /// Only what the destination had not acknowledged.
    pub unacknowledged_only: bool,
    /// Where it went, unless to the log's webhook.
    pub destination_id: Option<String>,
    /// How it was written, unless as the destination says.
    pub log_format: Option<&'static str>,
    /// The job whose rest it sent.
    pub retry_of: Option<String>,
    /// Nothing that was stored later is part of it.
    pub snapshot_sequence: u64,
    /// Who asked for it.
    pub actor: String,
    /// When it was accepted.
    pub accepted_at: String,
    /// When it ended.
    pub ended_at: String,
    /// `completed`, `failed` or `cancelled`.
    pub state: &'static str,
    /// Why, unless it completed.
    pub reason: Option<String>,
    /// What it did.
    pub counts: ProgressView,
    /// The first event that was delivered.
    pub first_event_id: Option<String>,
    /// The last event that was delivered.
    pub last_event_id: Option<String>,
    /// Hexadecimal; `h(n) = SHA-256(h(n-1) ‖ id(n))` over the 16 bytes of each id that was
    /// delivered, in the order of the log, from 32 bytes of zero on.
    pub ids_digest: Option<String>,
}

impl Report {
    /// The `typ` of its signature.
    pub const TYPE: &'static str = "auditrelay-replay-report+json";

    /// What an ended job did; none of one that goes on.
    pub fn of(scope: Scope, job: &Job) -> Option<Self> {
        let (progress, reason) = ended(job)?;
        let terms = &job.terms;
        Some(Self {
            version: 1,
            job_id: job.id.to_string(),
            name: terms.name.clone(),
            organization_id: scope.org().to_string(),
            scope: scope.token(),
            start_at: job.window.start().to_string(),
            end_at: job.window.end().to_string(),
            kinds: terms.kinds.iter().map(|kind| kind.name()).collect(),
            unacknowledged_only: terms.unacknowledged_only,
            destination_id: terms.target.destination.map(|id| id.to_string()),
            log_format: terms.target.log_format.map(auditrelay_model::destination::LogFormat::name),
            retry_of: terms.remainder.map(|remainder| remainder.of.to_string()),
            snapshot_sequence: job.snapshot_sequence,
            actor: job.actor.clone(),
            accepted_at: job.accepted_at.to_string(),
            ended_at: job.updated_at.to_string(),
            state: job.state_name(),
            reason,
            counts: ProgressView::from(progress),
            first_event_id: progress.sent.map(|sent| sent.first.to_string()),
            last_event_id: progress.sent.map(|sent| sent.last.to_string()),
            ids_digest: progress.sent.map(|sent| sent.digest_text()),
        })
    }
}

fn ended(job: &Job) -> Option<(Progress, Option<String>)> {
    match &job.phase {
        Phase::Completed(progress) => Some((*progress, None)),
        Phase::Failed { failure, progress } => Some((*progress, Some(failure.reason.clone()))),
        Phase::Cancelled { reason, progress } => Some((*progress, Some(reason.clone()))),
        Phase::Accepted | Phase::Pending(_) | Phase::Running { .. } => None,
    }
}
