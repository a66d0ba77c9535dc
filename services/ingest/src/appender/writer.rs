//! The writer of one scope: turns what waits into records and appends them, one at a time.
//!
//! What became of an append is always found out before the next one: the broker acknowledges it,
//! or it is sent again with the same record id until the requests' deadline. The end of the chain
//! is known from the last acknowledgement, or read again when there is none.

use std::sync::Arc;
use std::time::Duration;

use auditrelay_ingest_core::chain::{self, Resolution, Tip};
use auditrelay_ingest_core::record::{Backlog, Load, Outcome, Submission};
use auditrelay_model::Scope;
use auditrelay_model::backoff::Backoff;
use auditrelay_model::id::RecordId;
use auditrelay_model::record::Record;
use auditrelay_runtime::ids;
use auditrelay_streams::{AppendError, Appended, ReadError};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{Instrument, Span};

use super::past::Past;
use super::{Failure, Job, Shared, Ticket};
use crate::telemetry::Telemetry;

/// A writer without work ends after this long.
const IDLE: Duration = Duration::from_mins(1);
/// Between two attempts while the broker does not answer.
const BACKOFF: Backoff = Backoff { min: Duration::from_millis(50), max: Duration::from_secs(1) };
/// A cluster's leader refuses an append while another is on its way: its end shows in a moment.
const IN_FLIGHT: Duration = Duration::from_millis(5);

pub(super) struct Writer {
    scope: Scope,
    shared: Arc<Shared>,
    jobs: mpsc::Receiver<Job>,
    backlog: Backlog<Ticket>,
    chain: Chain,
    past: Past,
    /// Of the jobs taken in so far.
    last_deadline: Instant,
}

/// What is known of the scope's chain.
enum Chain {
    Unknown,
    Known(Option<Tip>),
}

/// What came of a record.
enum Fate {
    Stored,
    Failed(Failure, String),
}

impl Writer {
    pub(super) fn new(scope: Scope, shared: Arc<Shared>, jobs: mpsc::Receiver<Job>) -> Self {
        Self {
            scope,
            jobs,
            backlog: Backlog::new(shared.max_record),
            chain: Chain::Unknown,
            past: Past::new(shared.duplicate_window),
            last_deadline: Instant::now(),
            shared,
        }
    }

    /// Works until there is nothing to do.
    pub(super) async fn run(mut self) {
        while self.work_came().await {
            while let Ok(job) = self.jobs.try_recv() {
                self.take_in(job);
            }
            match self.prepare().await {
                Ok(tip) => self.write_once(tip).await,
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
        if key.is_some() || entries.iter().any(|entry| entry.supplied_id) {
            self.past.is_needed();
        }
        self.last_deadline = self.last_deadline.max(ticket.deadline);
        self.backlog.push(Submission::new(ticket, key, entries));
    }

    /// Makes sure that the chain's end is known and, if a request may be a repetition, the scope's
    /// recent past.
    async fn prepare(&mut self) -> Result<Option<Tip>, String> {
        let mut failures = 0;
        loop {
            match self.look().await {
                Ok(tip) => return Ok(tip),
                Err(error) => {
                    failures += 1;
                    self.pause(failures).await.map_err(|()| error.to_string())?;
                }
            }
        }
    }

    async fn look(&mut self) -> Result<Option<Tip>, ReadError> {
        let tip = match self.chain {
            Chain::Known(tip) => tip,
            Chain::Unknown => {
                let last = self.shared.streams.last_record(self.scope).await?;
                last.map(|last| Tip::of(&last.record, last.digest, last.sequence))
            }
        };
        self.chain = Chain::Known(tip);
        let (streams, now) = (&self.shared.streams, self.shared.clock.now());
        self.past.learn(streams, self.scope, tip.as_ref(), now).await?;
        Ok(tip)
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
    async fn write_once(&mut self, tip: Option<Tip>) {
        // Whoever was answered 503 will come again: storing that too would only make duplicates.
        self.backlog.retain(|ticket| !ticket.reply.is_closed());
        let taken = self.backlog.take(&self.past.recent);
        answer(taken.answered);
        let Some(mut load) = taken.load else { return };
        let mut record = self.record(&mut load);
        let span = {
            let tickets = load.tickets().filter_map(|ticket| ticket.traceparent.as_deref());
            Telemetry::publish_span(&record, &tickets.collect::<Vec<_>>())
        };
        let (events, bytes, began) = (record.events.len(), load.bytes(), Instant::now());
        match self.append(&mut record, &mut load, tip).instrument(span.clone()).await {
            Fate::Stored => {
                self.shared.telemetry.stored(events, bytes, began.elapsed());
                let now = self.shared.clock.now();
                answer(load.stored(&record, &mut self.backlog, &mut self.past.recent, now));
            }
            Fate::Failed(failure, reason) => {
                self.chain = Chain::Unknown;
                self.past.is_unknown();
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
        record: &mut Record,
        load: &mut Load<Ticket>,
        mut tip: Option<Tip>,
    ) -> Fate {
        let mut failures = 0;
        loop {
            chain::number_behind(tip.as_ref(), record);
            let expected = chain::expected_sequence(tip.as_ref());
            let error = match self.shared.streams.append_record(record, expected).await {
                Ok(appended) => {
                    self.went_on(record, expected, appended);
                    return Fate::Stored;
                }
                Err(AppendError::Conflict) => match self.meet(record, load, tip).await {
                    Ok(Met::Stored) => return Fate::Stored,
                    Ok(Met::Behind(now)) => {
                        tip = now;
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

    /// The broker has the record.
    fn went_on(&mut self, record: &Record, expected: u64, appended: Appended) {
        if chain::is_earlier_attempt(appended.sequence, expected) {
            self.chain = Chain::Unknown;
            return;
        }
        let tip = Tip::of(record, appended.digest, appended.sequence);
        self.past.goes_on(expected, &tip);
        self.chain = Chain::Known(Some(tip));
    }

    /// Somebody appended: this writer's own earlier attempt, or another writer.
    async fn meet(
        &mut self,
        record: &mut Record,
        load: &mut Load<Ticket>,
        seen: Option<Tip>,
    ) -> Result<Met, ReadError> {
        self.shared.telemetry.conflict();
        let last = self.shared.streams.last_record(self.scope).await?;
        let tip = last.as_ref().map(|last| Tip::of(&last.record, last.digest, last.sequence));
        self.chain = Chain::Known(tip);
        match chain::resolve(record.id, last.as_ref().map(|last| &last.record)) {
            Resolution::Stored => return Ok(Met::Stored),
            Resolution::Behind if tip == seen => tokio::time::sleep(IN_FLIGHT).await,
            Resolution::Behind => {}
        }
        if load.is_repeatable() {
            let (streams, now) = (&self.shared.streams, self.shared.clock.now());
            self.past.learn(streams, self.scope, tip.as_ref(), now).await?;
            load.withdraw(record, &self.past.recent);
            if record.events.is_empty() {
                return Ok(Met::Stored);
            }
        }
        Ok(Met::Behind(tip))
    }

    /// The broker cannot be read and nobody waits any longer.
    fn give_up_all(&mut self, reason: &str) {
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
    Behind(Option<Tip>),
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
