//! Watches a replay job by polling, and keeps each state it saw.

use std::time::Duration;

use auditrelay_model::id::PortalId;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::client::{Client, ClientError};
use crate::commands::replay::JobView;

/// At first the job changes faster than anybody reads.
const EAGER: Duration = Duration::from_millis(2);
/// For how long to look that often.
const EAGER_FOR: Duration = Duration::from_secs(2);
/// Afterwards.
const CALM: Duration = Duration::from_millis(25);

/// The states of a job in the order they were seen.
#[derive(Debug, Clone)]
pub(super) struct Sightings {
    began: Instant,
    seen: Vec<(String, Duration)>,
    newest: Value,
}

impl Sightings {
    /// Begins with the state that configuring the job answered.
    pub(super) fn beginning_with(state: &str) -> Self {
        let seen = vec![(state.to_owned(), Duration::ZERO)];
        Self { began: Instant::now(), seen, newest: Value::Null }
    }

    /// Looks until the job is in another state than the last seen one; returns it.
    pub(super) async fn next(
        &mut self,
        client: &Client,
        portal: PortalId,
    ) -> Result<JobView, ClientError> {
        loop {
            let job = JobView::get(client, Some(portal)).await?;
            self.newest = job.document.clone();
            let elapsed = self.began.elapsed();
            if self.seen.last().is_none_or(|(state, _)| *state != job.state) {
                self.seen.push((job.state.clone(), elapsed));
                return Ok(job);
            }
            tokio::time::sleep(if elapsed < EAGER_FOR { EAGER } else { CALM }).await;
        }
    }

    /// The last state that was seen.
    pub(super) fn last(&self) -> &str {
        self.seen.last().map_or("unconfigured", |(state, _)| state)
    }

    /// `accepted (0 ms) → pending (3 ms) → …`, as seen and nothing else.
    pub(super) fn words(&self) -> String {
        let states: Vec<String> = self
            .seen
            .iter()
            .map(|(state, at)| format!("{state} ({} ms)", at.as_millis()))
            .collect();
        states.join(" → ")
    }

    /// The states that a job goes through and that were too short to be seen here.
    pub(super) fn unseen(&self) -> Vec<&'static str> {
        let usual = ["accepted", "pending", "running"];
        usual.into_iter().filter(|name| self.seen.iter().all(|(seen, _)| seen != name)).collect()
    }

    /// The job as it was shown last.
    pub(super) fn newest(&self) -> &Value {
        &self.newest
    }

    /// For programs.
    pub(super) fn to_json(&self) -> Value {
        let seen = self.seen.iter();
        let seen = seen.map(|(state, at)| json!({ "state": state, "after_ms": at.as_millis() }));
        json!({ "seen": seen.collect::<Vec<_>>(), "job": self.newest })
    }
}
