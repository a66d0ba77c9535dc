//! The writer of one scope: turns what waits into records and appends them, one at a time.
//!
//! What became of an append is always found out before the next one: the broker acknowledges it,
//! or it is sent again with the same record id until the requests' deadline. The end of the chain
//! is known from the last acknowledgement, or read again when there is none.

use std::sync::Arc;
use std::time::Duration;

use auditrelay_ingest_core::chain::{self, End, Resolution};
use auditrelay_ingest_core::record::{Backlog, Load, Outcome, Submission};
use auditrelay_model::Scope;
use auditrelay_model::backoff::Backoff;
use auditrelay_model::id::RecordId;
use auditrelay_model::record::Record;
use auditrelay_runtime::ids;
use auditrelay_streams::{AppendError, Appended, EncodedRecord, ReadError};
use tokio::sync::{Mutex, mpsc};
use tokio::time::Instant;
use tracing::{Instrument, Span};

use super::line::Line;
use super::{Failure, Job, Shared, Ticket};
use crate::telemetry::Telemetry;

/// A writer without work ends after this long.
const IDLE: Duration = Duration::from_mins(1);
/// Between two attempts while the broker does not answer.
pub(super) const BACKOFF: Backoff =
    Backoff { min: Duration::from_millis(50), max: Duration::from_secs(1) };
/// A cluster's leader refuses an append while another is on its way: its end shows in a moment.
pub(super) const IN_FLIGHT: Duration = Duration::from_millis(5);

pub(super) struct Writer {
    scope: Scope,
    shared: Arc<Shared>,
    jobs: mpsc::Receiver<Job>,
    backlog: Backlog<Ticket>,
    line: Arc<Mutex<Line>>,
    /// Of the jobs taken in so far.
    last_deadline: Instant,
    /// A request came that may be a repetition.
    repeatable: bool,
}

/// What came of a record.
enum Fate {
    Stored,
    Failed(Failure, String),
}

impl Writer {
    pub(super) fn new(
        scope: Scope,
        shared: Arc<Shared>,
        jobs: mpsc::Receiver<Job>,
        line: Arc<Mutex<Line>>,
    ) -> Self {
        Self {
            scope,
            jobs,
            backlog: Backlog::new(shared.max_record),
            line,
            last_deadline: Instant::now(),
            repeatable: false,
            shared,
        }
    }

    /// Works until there is nothing to do.
    pub(super) async fn run(mut self) {
        let line = Arc::clone(&self.line);
        while self.work_came().await {
            let mut line = line.lock().await;
            while let Ok(job) = self.jobs.try_recv() {
                self.take_in(job);
            }
            if self.repeatable {
                line.past.is_needed();
            }
            match self.prepare(&mut line).await {
                Ok(end) => self.write_once(&mut line, end).await,
                Err(reason) => self.give_up_all(&reason),
            }
        }
    }

    /// Waits for a job unless some are waiting here. False when the writer has left.
    async fn work_came(&mut self) -> bool {
        if !self.backlog.is_empty() {
            return true;
        }
        let job = tokio::select! {
            biased;
            job = self.jobs.recv() => job,
            () = self.shared.drain.soft.cancelled() => None,
            () = tokio::time::sleep(IDLE) => None,
        };
        match job.or_else(|| self.shared.leave(self.scope, &mut self.jobs)) {
            Some(job) => {
                self.take_in(job);
                true
            }
            None => false,
        }
    }

    fn take_in(&mut self, Job { entries, key, ticket }: Job) {
        self.repeatable |= key.is_some() || entries.iter().any(|entry| entry.supplied_id);
        self.last_deadline = self.last_deadline.max(ticket.deadline);
        self.backlog.push(Submission::new(ticket, key, entries));
    }

    /// Looks at the line until it is known.
    async fn prepare(&mut self, line: &mut Line) -> Result<End, String> {
        let mut failures = 0;
        loop {
            match line.look(&self.shared).await {
                Ok(end) => return Ok(end),
                Err(error) => {
                    failures += 1;
                    self.pause(failures).await.map_err(|()| error.to_string())?;
                }
            }
        }
    }

    /// Waits before the next attempt, unless nobody waits any longer.
    async fn pause(&self, failures: u32) -> Result<(), ()> {
        let again = Instant::now() + BACKOFF.delay(failures, ids::chance());
        if again >= self.last_deadline {
            return Err(());
        }
        tokio::time::sleep_until(again).await;
        Ok(())
    }

    /// Stores one record of what waits.
    async fn write_once(&mut self, line: &mut Line, end: End) {
        // Whoever was answered 503 will come again: storing that too would only make duplicates.
        self.backlog.retain(|ticket| !ticket.reply.is_closed());
        let taken = self.backlog.take(&line.past.recent);
        answer(taken.answered);
        let Some(mut load) = taken.load else { return };
        let mut record = self.record(&mut load);
        let span = {
            let tickets = load.tickets().filter_map(|ticket| ticket.traceparent.as_deref());
            Telemetry::publish_span(&record, &tickets.collect::<Vec<_>>())
        };
        let (events, bytes, began) = (record.events.len(), load.bytes(), Instant::now());
        match self.append(line, &mut record, &mut load, end).instrument(span.clone()).await {
            Fate::Stored => {
                self.shared.health.worked();
                span.in_scope(|| self.shared.telemetry.stored(events, bytes, began.elapsed()));
                let now = self.shared.clock.now();
                answer(load.stored(&record, &mut line.past.recent, now));
            }
            Fate::Failed(failure, reason) => {
                line.is_unknown();
                self.shared.health.failed(failure);
                Telemetry::given_up(&span, self.scope, events, &reason);
                refuse(load.give_up(), failure);
            }
        }
    }

    fn record(&self, load: &mut Load<Ticket>) -> Record {
        let key = load.key().map(ToOwned::to_owned);
        let events = std::mem::take(&mut load.events);
        let id = RecordId::from_uuid(ids::uuid_v7());
        chain::unnumbered(id, self.scope, self.shared.clock.now(), key, events)
    }

    /// Appends the record until it is stored or nobody waits any longer.
    async fn append(
        &mut self,
        line: &mut Line,
        record: &mut Record,
        load: &mut Load<Ticket>,
        mut end: End,
    ) -> Fate {
        let (mut failures, mut attempts) = (0, 0);
        loop {
            chain::number_behind(end.tip(), line.known(), record);
            attempts += 1;
            let error = match self.attempt(record, load.bytes(), end, attempts).await {
                Ok(appended) => {
                    line.went_on(record, end, appended);
                    return Fate::Stored;
                }
                Err(AppendError::Conflict) => match self.meet(line, record, load, end).await {
                    Ok(Met::Stored) => return Fate::Stored,
                    Ok(Met::Behind(now)) => {
                        end = now;
                        // Every conflict means that somebody got on: no back-off, but an end.
                        if Instant::now() < self.last_deadline {
                            continue;
                        }
                        "other writers were always first".to_owned()
                    }
                    Err(error) => error.to_string(),
                },
                Err(error @ AppendError::Full) => {
                    return Fate::Failed(Failure::Full, error.to_string());
                }
                // The broker's own limit is below ours: no use in trying again.
                Err(error @ AppendError::TooLarge) => {
                    return Fate::Failed(Failure::Unavailable, error.to_string());
                }
                Err(AppendError::Unavailable(reason)) => reason,
            };
            failures += 1;
            self.shared.telemetry.unanswered(self.scope, &error);
            if self.pause(failures).await.is_err() {
                return Fate::Failed(Failure::Unavailable, error);
            }
        }
    }

    /// In company at first. What may be stored already, or met another writer, goes alone: it would
    /// have the broker refuse the others.
    async fn attempt(
        &self,
        record: &Record,
        bytes: usize,
        end: End,
        attempts: u32,
    ) -> Result<Appended, AppendError> {
        let record = || EncodedRecord::of(record).behind(end.lost());
        let (shared, expected) = (&self.shared, end.expected_sequence());
        match attempts {
            1 => shared.convoys.append(record, bytes, expected).await,
            _ => shared.streams.append_encoded(record(), expected).await,
        }
    }

    /// Somebody appended: this writer's own earlier attempt, or another writer.
    async fn meet(
        &mut self,
        line: &mut Line,
        record: &mut Record,
        load: &mut Load<Ticket>,
        before: End,
    ) -> Result<Met, ReadError> {
        self.shared.telemetry.conflict();
        let seen = line.look_again(&self.shared).await?;
        match chain::resolve(record.id, seen.last) {
            Resolution::Stored => return Ok(Met::Stored),
            Resolution::Behind if seen.end == before => tokio::time::sleep(IN_FLIGHT).await,
            Resolution::Behind => {}
        }
        if load.is_repeatable() {
            line.learn(&self.shared, seen.end).await?;
            load.withdraw(record, &line.past.recent);
            if record.events.is_empty() {
                return Ok(Met::Stored);
            }
        }
        Ok(Met::Behind(seen.end))
    }

    /// The broker cannot be read and nobody waits any longer.
    fn give_up_all(&mut self, reason: &str) {
        self.shared.health.failed(Failure::Unavailable);
        let tickets = self.backlog.give_up();
        Telemetry::given_up(&Span::none(), self.scope, tickets.len(), reason);
        refuse(tickets, Failure::Unavailable);
    }
}

/// What a writer found when it was not the first.
enum Met {
    /// Its own record, or all of its events in others' records.
    Stored,
    /// Another end of the chain.
    Behind(End),
}

fn answer(answers: Vec<(Ticket, Outcome)>) {
    for (ticket, outcome) in answers {
        // Whoever gave up waiting was answered 503.
        let _ = ticket.reply.send(Ok(outcome));
    }
}

fn refuse(tickets: Vec<Ticket>, failure: Failure) {
    for ticket in tickets {
        let _ = ticket.reply.send(Err(failure));
    }
}
