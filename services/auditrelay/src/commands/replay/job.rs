//! A replay job as the API shows it.

use std::fmt::Write as _;
use std::time::Duration;

use auditrelay_model::id::{JobId, PortalId};
use http::Method;
use serde_json::{Map, Value};

use crate::client::{Call, Client, ClientError};
use crate::output::{self, Output};
use crate::span;

/// Which job.
#[derive(Debug, Clone, Copy)]
pub(super) enum Seat {
    /// The newest of a log.
    Newest(Option<PortalId>),
    /// This one.
    Job(JobId),
}

impl Seat {
    fn path(self) -> String {
        match self {
            Self::Newest(portal) => own_path(portal),
            Self::Job(id) => format!("/v1/replay-jobs/{id}"),
        }
    }
}

/// A job as it was shown.
#[derive(Debug, Clone)]
pub(crate) struct JobView {
    /// `unconfigured`, `queued`, `accepted`, `pending`, `running`, `paused`, `completed`, `failed` or
    /// `cancelled`.
    pub(crate) state: String,
    /// Most events that it may send; unknown until it is planned.
    pub(crate) estimated: Option<u64>,
    /// All that the API says.
    pub(crate) document: Value,
}

/// Where the job is configured and seen as Konnect's clients do it.
pub(crate) fn konnect_path(portal: Option<PortalId>) -> String {
    match portal {
        None => "/v3/audit-log-replay-job".to_owned(),
        Some(portal) => format!("/v3/portals/{portal}/audit-log-replay-job"),
    }
}

fn own_path(portal: Option<PortalId>) -> String {
    match portal {
        None => "/v1/replay-job".to_owned(),
        Some(portal) => format!("/v1/replay-job?portal_id={portal}"),
    }
}

/// Ends the job that is under way; the API keeps the reason.
pub(super) async fn cancel(
    client: &Client,
    portal: Option<PortalId>,
    reason: Option<String>,
) -> Result<Value, ClientError> {
    let mut body = Map::new();
    if let Some(portal) = portal {
        body.insert("portal_id".to_owned(), Value::String(portal.to_string()));
    }
    if let Some(reason) = reason {
        body.insert("reason".to_owned(), Value::String(reason));
    }
    client.expect(Method::POST, "/v1/replay-job/cancel", Some(&Value::Object(body))).await
}

/// Shows the jobs of the organization, or of one log.
pub(super) async fn list(
    client: &Client,
    portal: Option<PortalId>,
    output: Output,
) -> Result<(), ClientError> {
    let of_portal = portal.map(|portal| format!("&portal_id={portal}")).unwrap_or_default();
    let jobs = client.get(&format!("/v1/replay-jobs?page[size]=100{of_portal}")).await?;
    if output == Output::Json {
        output::json(&jobs);
        return Ok(());
    }
    for job in jobs.get("data").and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| job.get(name).and_then(Value::as_str).unwrap_or_default();
        let job = JobView::from(job.clone());
        output::line(&format!("{} {} {}", text("id"), text("scope"), job.summary()));
    }
    Ok(())
}

impl JobView {
    /// Reads the newest job of a log once.
    pub(crate) async fn get(
        client: &Client,
        portal: Option<PortalId>,
    ) -> Result<Self, ClientError> {
        Self::at(client, &Seat::Newest(portal)).await
    }

    /// Reads a job once.
    pub(super) async fn at(client: &Client, seat: &Seat) -> Result<Self, ClientError> {
        Ok(Self::from(client.get(&seat.path()).await?))
    }

    /// Reads a job, bearing a server that is busy or away for a while.
    pub(super) async fn patiently_at(
        client: &Client,
        seat: &Seat,
        patience: Duration,
    ) -> Result<Self, ClientError> {
        let path = seat.path();
        let call = Call { method: Method::GET, path: &path, body: None, idempotency_key: None };
        Ok(Self::from(client.patiently(&call, patience, |_, _| ()).await?.success(&call)?))
    }

    /// Its id.
    pub(super) fn id(&self) -> Option<JobId> {
        self.document.get("id")?.as_str()?.parse().ok()
    }

    /// How it stands, for a progress bar: who must act, or how long it will take.
    pub(super) fn standing(&self) -> String {
        let hold = self.document.pointer("/hold/reason").and_then(Value::as_str);
        let eta = self.document.get("eta_seconds").and_then(Value::as_u64);
        match (hold, eta) {
            (Some(reason), _) => format!("{}: {reason}", self.state),
            (None, Some(seconds)) if !self.is_ended() => {
                format!("{}, {} left", self.state, span::show(Duration::from_secs(seconds)))
            }
            (None, _) => self.state.clone(),
        }
    }

    /// Whether it will not change any more.
    pub(crate) fn is_ended(&self) -> bool {
        matches!(self.state.as_str(), "unconfigured" | "completed" | "failed" | "cancelled")
    }

    /// Whether everything was delivered.
    pub(crate) fn is_completed(&self) -> bool {
        self.state == "completed"
    }

    /// Events that were dealt with so far.
    pub(crate) fn done(&self) -> u64 {
        ["events_sent", "events_skipped", "events_quarantined", "events_expired"]
            .iter()
            .map(|name| self.progress(name))
            .sum()
    }

    fn progress(&self, name: &str) -> u64 {
        let progress = self.document.get("progress").unwrap_or(&Value::Null);
        progress.get(name).and_then(Value::as_u64).unwrap_or(0)
    }

    /// For people.
    pub(super) fn summary(&self) -> String {
        if self.state == "unconfigured" {
            return "unconfigured: no replay job yet".to_owned();
        }
        let text = |name: &str| self.document.get(name).and_then(Value::as_str);
        let mut summary = format!(
            "{}: {} to {}, {} events sent in {} requests",
            self.state,
            text("start_at").unwrap_or("?"),
            text("end_at").unwrap_or("?"),
            self.progress("events_sent"),
            self.progress("requests"),
        );
        if let (Some(id), Some(_)) = (text("id"), text("name").or(text("retry_of"))) {
            let _ = write!(summary, "\n  job {id} {}", text("name").unwrap_or_default());
        }
        for (part, words) in [("failure", ""), ("hold", "held: "), ("paused", "paused: ")] {
            let reason = self.document.pointer(&format!("/{part}/reason"));
            if let Some(reason) = reason.and_then(Value::as_str) {
                let _ = write!(summary, "\n  {words}{reason}");
            }
        }
        let overlaps = self.document.get("overlaps").and_then(Value::as_array);
        for job in overlaps.into_iter().flatten() {
            let part = |name: &str| job.get(name).and_then(Value::as_str).unwrap_or("?");
            let _ = write!(summary, "\n  overlaps job {} ({})", part("id"), part("state"));
        }
        summary
    }
}

impl From<Value> for JobView {
    fn from(document: Value) -> Self {
        let state = document.get("state");
        Self {
            state: state.and_then(Value::as_str).unwrap_or("unconfigured").to_owned(),
            estimated: document.get("estimated_events").and_then(Value::as_u64),
            document,
        }
    }
}
