//! The appender: one writer per active scope.
//!
//! Requests of a scope meet in its writer's queue. While one record is on its way, what arrives
//! gathers for the next one. A writer ends after a minute without work; requests that come later
//! start a new one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use auditrelay_ingest_core::admit::Admitted;
use auditrelay_ingest_core::record::{Entry, Outcome};
use auditrelay_model::id::EventId;
use auditrelay_model::{Clock, Scope};
use auditrelay_runtime::context::Context;
use auditrelay_runtime::lifecycle::Drain;
use auditrelay_runtime::telemetry::traceparent;
use auditrelay_streams::{Streams, encoded_len};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::config::Config;
use crate::telemetry::Telemetry;

mod past;
mod writer;

use writer::Writer;

/// Requests that wait in one scope.
const QUEUE: usize = 1_024;

/// Stores events; cheap to clone.
#[derive(Clone)]
pub(crate) struct Appender(Arc<Shared>);

/// What all writers share.
pub(crate) struct Shared {
    streams: Streams,
    clock: Arc<dyn Clock>,
    drain: Drain,
    telemetry: Telemetry,
    publish_deadline: Duration,
    max_record: usize,
    duplicate_window: Duration,
    writers: Mutex<HashMap<Scope, mpsc::Sender<Job>>>,
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

impl Appender {
    pub(crate) fn new(
        config: &Config,
        streams: Streams,
        context: &Context,
        telemetry: Telemetry,
    ) -> Self {
        Self(Arc::new(Shared {
            streams,
            clock: Arc::clone(&context.clock),
            drain: context.drain.clone(),
            telemetry,
            publish_deadline: config.publish_deadline,
            max_record: config.max_record,
            duplicate_window: config.duplicate_window,
            writers: Mutex::default(),
        }))
    }

    /// Stores events of one scope in order; returns once the broker has all of them.
    pub(crate) async fn append(
        &self,
        scope: Scope,
        events: Vec<Admitted>,
        key: Option<String>,
    ) -> Result<Stored, Failure> {
        let entries = events.into_iter().map(entry).collect();
        let (reply, answer) = oneshot::channel();
        let deadline = Instant::now() + self.0.publish_deadline;
        let ticket = Ticket { reply, deadline, traceparent: traceparent() };
        self.submit(scope, Job { entries, key, ticket })?;
        match tokio::time::timeout_at(deadline, answer).await {
            Ok(Ok(Ok(Outcome::Stored { ids, duplicates, conflicts }))) => {
                self.0.telemetry.contradicted(scope, conflicts);
                Ok(Stored { ids, duplicates })
            }
            Ok(Ok(Ok(Outcome::KeyTaken))) => Err(Failure::KeyTaken),
            Ok(Ok(Err(failure))) => Err(failure),
            // The writer was cut off, or is still trying: the events may be stored or not.
            Ok(Err(_)) | Err(_) => Err(Failure::Unavailable),
        }
    }

    /// Puts a job into the scope's queue. Under the same lock a writer without work leaves, so no
    /// job can fall between the two.
    fn submit(&self, scope: Scope, job: Job) -> Result<(), Failure> {
        let mut writers = self.0.writers.lock().unwrap_or_else(PoisonError::into_inner);
        let job = match writers.get(&scope) {
            None => job,
            Some(writer) => match writer.try_send(job) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(_)) => return Err(Failure::Busy),
                // The writer was cut off.
                Err(TrySendError::Closed(job)) => job,
            },
        };
        let (sender, jobs) = mpsc::channel(QUEUE);
        let _ = sender.try_send(job);
        writers.insert(scope, sender);
        drop(writers);
        let writer = Writer::new(scope, Arc::clone(&self.0), jobs);
        self.0.drain.spawn("ingest writer", writer.run());
        Ok(())
    }
}

fn entry(Admitted { event, supplied_id, .. }: Admitted) -> Entry {
    Entry { bytes: encoded_len(&event), event, supplied_id }
}

impl Shared {
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
