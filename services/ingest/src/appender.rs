//! The appender: one writer per active scope.
//!
//! Requests of a scope meet in its writer's queue. While one record is on its way, what arrives
//! gathers for the next one; how records of many scopes share the way to the broker is the convoys'
//! business. A writer ends after a minute without work; requests that come later
//! start a new one. A request that needs several records goes past the writers as a bundle, which
//! holds the lines of all its scopes meanwhile.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use auditrelay_ingest_core::admit::Admitted;
use auditrelay_ingest_core::bundle::Bundle;
use auditrelay_ingest_core::record::{Entry, Outcome};
use auditrelay_model::id::EventId;
use auditrelay_model::{Clock, Scope};
use auditrelay_runtime::context::Context;
use auditrelay_runtime::lifecycle::Drain;
use auditrelay_runtime::telemetry::traceparent;
use auditrelay_streams::{Streams, encoded_len};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Mutex as Turn, Semaphore, mpsc, oneshot};
use tokio::time::Instant;

use crate::config::Config;
use crate::health::Health;
use crate::telemetry::Telemetry;

mod bundling;
mod convoys;
mod line;
mod past;
mod writer;

use bundling::Bundling;
use convoys::Convoys;
use line::Line;
use writer::Writer;

/// Requests that wait in one scope.
const QUEUE: usize = 1_024;
/// Bundles on their way at once; the broker stages one after the other and holds at most 50 open.
const BUNDLES: usize = 4;

/// Stores events; cheap to clone.
#[derive(Clone)]
pub(crate) struct Appender(Arc<Shared>);

/// What all writers share.
pub(crate) struct Shared {
    streams: Streams,
    convoys: Convoys,
    clock: Arc<dyn Clock>,
    drain: Drain,
    telemetry: Telemetry,
    publish_deadline: Duration,
    max_record: usize,
    duplicate_window: Duration,
    writers: Mutex<HashMap<Scope, Active>>,
    bundles: Semaphore,
    health: Health,
}

/// A scope that has a writer.
#[derive(Clone)]
struct Active {
    jobs: mpsc::Sender<Job>,
    line: Arc<Turn<Line>>,
}

/// One request's events of one scope.
struct Job {
    entries: Vec<Entry>,
    key: Option<String>,
    ticket: Ticket,
}

/// Whoever waits for events to be stored.
#[derive(Debug)]
struct Ticket {
    reply: oneshot::Sender<Result<Outcome, Failure>>,
    deadline: Instant,
    traceparent: Option<String>,
}

/// A scope's events are stored.
#[derive(Debug)]
pub(crate) struct Stored {
    /// Their ids in order; those of an earlier request where this one repeats it.
    pub(crate) ids: Vec<EventId>,
    /// How many were stored by an earlier request.
    pub(crate) duplicates: usize,
}

/// A scope's events are not stored, or nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The broker did not answer in time: they may be stored or not.
    Unavailable,
    /// The stream takes nothing more.
    Full,
    /// Too many requests wait already.
    Busy,
    /// The idempotency key belongs to another request.
    KeyTaken,
}

impl Failure {
    /// Its name in metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Unavailable => "storage_unavailable",
            Self::Full => "storage_full",
            Self::Busy => "busy",
            Self::KeyTaken => "key_taken",
        }
    }
}

impl Appender {
    pub(crate) fn new(
        config: &Config,
        streams: Streams,
        context: &Context,
        telemetry: Telemetry,
    ) -> Self {
        Self(Arc::new(Shared {
            convoys: Convoys::new(streams.clone(), &context.drain, telemetry.clone()),
            streams,
            clock: Arc::clone(&context.clock),
            drain: context.drain.clone(),
            telemetry,
            publish_deadline: config.publish_deadline,
            max_record: config.max_record,
            duplicate_window: config.duplicate_window,
            writers: Mutex::default(),
            bundles: Semaphore::new(BUNDLES),
            health: Health::default(),
        }))
    }

    /// Whether appending works.
    pub(crate) fn health(&self) -> Health {
        self.0.health.clone()
    }

    /// Stores a request's events, each scope's in order, all of them or none; returns once the
    /// broker has them.
    pub(crate) async fn append(
        &self,
        scopes: Vec<(Scope, Vec<Admitted>)>,
        key: Option<String>,
    ) -> Result<Vec<Stored>, Failure> {
        let entries = |admitted: Vec<Admitted>| admitted.into_iter().map(entry).collect();
        let mut scopes: Vec<(Scope, Vec<Entry>)> =
            scopes.into_iter().map(|(scope, admitted)| (scope, entries(admitted))).collect();
        let bytes: usize = scopes.iter().flat_map(|(_, all)| all).map(|entry| entry.bytes).sum();
        let deadline = Instant::now() + self.0.publish_deadline;
        let outcomes = match (scopes.pop(), scopes.is_empty()) {
            (None, _) => return Ok(Vec::new()),
            (Some((scope, entries)), true) if bytes <= self.0.max_record => {
                let (reply, answer) = oneshot::channel();
                let ticket = Ticket { reply, deadline, traceparent: traceparent() };
                self.0.submit(scope, Job { entries, key, ticket })?;
                vec![within(deadline, answer).await?]
            }
            (Some(last), _) => {
                let (reply, answer) = oneshot::channel();
                scopes.push(last);
                let bundle = Bundle::new(key, scopes, self.0.max_record);
                let bundling = Bundling::new(Arc::clone(&self.0), bundle, deadline);
                self.0.drain.spawn("ingest bundle", bundling.run(reply));
                within(deadline, answer).await?
            }
        };
        outcomes.into_iter().map(|outcome| self.stored(outcome)).collect()
    }

    fn stored(&self, outcome: Outcome) -> Result<Stored, Failure> {
        match outcome {
            Outcome::Stored { ids, duplicates, conflicts } => {
                self.0.telemetry.contradicted(conflicts);
                Ok(Stored { ids, duplicates })
            }
            Outcome::KeyTaken => Err(Failure::KeyTaken),
        }
    }
}

/// The answer of a writer or a bundle.
async fn within<T>(
    deadline: Instant,
    answer: oneshot::Receiver<Result<T, Failure>>,
) -> Result<T, Failure> {
    match tokio::time::timeout_at(deadline, answer).await {
        Ok(Ok(answer)) => answer,
        // It was cut off, or is still trying: the events may be stored or not.
        Ok(Err(_)) | Err(_) => Err(Failure::Unavailable),
    }
}

fn entry(Admitted { event, supplied_id, .. }: Admitted) -> Entry {
    Entry { bytes: encoded_len(&event), event, supplied_id }
}

impl Shared {
    /// Puts a job into the scope's queue. Under the same lock a writer without work leaves, so no
    /// job can fall between the two.
    fn submit(self: &Arc<Self>, scope: Scope, job: Job) -> Result<(), Failure> {
        let mut writers = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
        match self.active(&mut writers, scope).jobs.try_send(job) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => Err(Failure::Busy),
            // It was cut off this moment: so is this process.
            Err(TrySendError::Closed(_)) => Err(Failure::Unavailable),
        }
    }

    /// The line of a scope.
    fn line(self: &Arc<Self>, scope: Scope) -> Arc<Turn<Line>> {
        let mut writers = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
        self.active(&mut writers, scope).line
    }

    /// The scope's writer; starts one where there is none or it was cut off.
    fn active(self: &Arc<Self>, writers: &mut HashMap<Scope, Active>, scope: Scope) -> Active {
        if let Some(active) = writers.get(&scope).filter(|active| !active.jobs.is_closed()) {
            return active.clone();
        }
        let (sender, jobs) = mpsc::channel(QUEUE);
        let line = Arc::new(Turn::new(Line::new(scope, self)));
        let active = Active { jobs: sender, line: Arc::clone(&line) };
        writers.insert(scope, active.clone());
        let writer = Writer::new(scope, Arc::clone(self), jobs, line);
        self.drain.spawn("ingest writer", writer.run());
        active
    }

    /// Takes the scope's writer out, unless a job came in at the last moment.
    fn leave(&self, scope: Scope, jobs: &mut mpsc::Receiver<Job>) -> Option<Job> {
        let mut writers = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
        let late = jobs.try_recv().ok();
        if late.is_none() {
            writers.remove(&scope);
        }
        late
    }
}
