//! Sends a portal's events at a steady pace and keeps the ids that were accepted.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use auditrelay_model::Clock;
use auditrelay_model::id::{EventId, PortalId};
use auditrelay_runtime::clock::SystemClock;
use auditrelay_runtime::ids;
use http::Method;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::client::{Call, Client, ClientError};
use crate::failure::Failure;
use crate::sample::Sample;

/// Events of one request.
const BATCH: u64 = 20;
/// How long a busy ingest is asked again.
const PATIENCE: Duration = Duration::from_secs(20);

/// What to send.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) portal: PortalId,
    pub(super) first: u64,
    pub(super) count: u64,
    /// Events a second.
    pub(super) rate: u64,
}

/// A producer at work.
#[derive(Debug)]
pub(super) struct Producer {
    accepted: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<Result<(), ClientError>>,
}

impl Producer {
    /// Begins to send.
    pub(super) fn start(client: Client, load: Load) -> Self {
        let accepted = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn(send(client, load, Arc::clone(&accepted)));
        Self { accepted, task }
    }

    /// How many events were accepted so far.
    pub(super) fn accepted(&self) -> usize {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Waits until everything is sent; the ids that were accepted.
    pub(super) async fn finish(self) -> Result<Vec<String>, Failure> {
        self.task.await.map_err(anyhow::Error::from)??;
        Ok(std::mem::take(&mut self.accepted.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

async fn send(
    client: Client,
    load: Load,
    accepted: Arc<Mutex<Vec<String>>>,
) -> Result<(), ClientError> {
    let sample = Sample { portal: Some(load.portal), kind: None };
    let pause = Duration::from_millis(BATCH * 1_000 / load.rate.max(1));
    let mut due = Instant::now();
    let mut sent = 0;
    while sent < load.count {
        tokio::time::sleep_until(due).await;
        due += pause;
        let size = BATCH.min(load.count - sent);
        let first = load.first + sent;
        let drafts = (first..first + size).map(|number| {
            sample.draft(number, EventId::from_uuid(ids::uuid_v7()), SystemClock.now())
        });
        let call = Call {
            method: Method::POST,
            path: "/v1/audit-events",
            body: Some(drafts.collect::<Value>().to_string()),
            idempotency_key: Some(ids::uuid_v7().to_string()),
        };
        let answer = client.patiently(&call, PATIENCE, |_, _| ()).await?.success(&call)?;
        // Only what the answer names is accepted.
        let ids = answer.get("ids").and_then(Value::as_array).into_iter().flatten();
        let ids = ids.filter_map(Value::as_str).map(str::to_owned);
        accepted.lock().unwrap_or_else(PoisonError::into_inner).extend(ids);
        sent += size;
    }
    Ok(())
}
