//! A replay job as the API shows it.

use std::time::Duration;

use auditrelay_model::id::PortalId;
use http::Method;
use serde_json::{Map, Value};

use crate::client::{Call, Client, ClientError};

/// The newest job of a scope.
#[derive(Debug, Clone)]
pub(crate) struct JobView {
    /// `unconfigured`, `accepted`, `pending`, `running`, `completed`, `failed` or `cancelled`.
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

impl JobView {
    /// Reads the job once.
    pub(crate) async fn get(
        client: &Client,
        portal: Option<PortalId>,
    ) -> Result<Self, ClientError> {
        Ok(Self::from(client.get(&own_path(portal)).await?))
    }

    /// Reads the job, bearing a server that is busy or away for a while.
    pub(super) async fn get_patiently(
        client: &Client,
        portal: Option<PortalId>,
        patience: Duration,
    ) -> Result<Self, ClientError> {
        let path = own_path(portal);
        let call = Call { method: Method::GET, path: &path, body: None, idempotency_key: None };
        Ok(Self::from(client.patiently(&call, patience, |_, _| ()).await?.success(&call)?))
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
        let failure = self.document.get("failure").unwrap_or(&Value::Null);
        if let Some(reason) = failure.get("reason").and_then(Value::as_str) {
            summary.push_str("\n  ");
            summary.push_str(reason);
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
