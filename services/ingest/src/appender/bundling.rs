//! Storing a bundle: one request's records, together or not at all.
//!
//! It holds the line of every scope it has events for, so that the writers of this process wait
//! meanwhile; of other processes' writers the expected sequences tell. Lines are taken in the order
//! of their scopes, so that two bundles cannot wait for each other.

use std::sync::Arc;

use auditrelay_ingest_core::bundle::{Bundle, Plan, Planned};
use auditrelay_ingest_core::chain::{self, End, Tip};
use auditrelay_ingest_core::record::Outcome;
use auditrelay_model::id::RecordId;
use auditrelay_runtime::ids;
use auditrelay_streams::{AppendError, Bundled, EncodedRecord, Link, ReadError};
use tokio::sync::{OwnedMutexGuard, oneshot};
use tokio::time::Instant;

use super::line::Line;
use super::writer::{BACKOFF, IN_FLIGHT};
use super::{Failure, Shared};
use crate::telemetry::Telemetry;

/// A bundle on its way.
pub(super) struct Bundling {
    shared: Arc<Shared>,
    bundle: Bundle,
    deadline: Instant,
}

/// The lines of a bundle's scopes, in the order of the request.
type Lines = Vec<OwnedMutexGuard<Line>>;

/// What an attempt came to.
enum Attempt {
    Done(Vec<Outcome>),
    /// Another writer was first.
    Conflict,
    Failed(Failure, String),
    Again(String),
}

/// Where a scope's chain ends once the bundle is stored.
struct NewEnd {
    line: usize,
    tip: Tip,
}

impl Bundling {
    pub(super) const fn new(shared: Arc<Shared>, bundle: Bundle, deadline: Instant) -> Self {
        Self { shared, bundle, deadline }
    }

    /// Stores the bundle and tells what became of each scope's events.
    pub(super) async fn run(mut self, reply: oneshot::Sender<Result<Vec<Outcome>, Failure>>) {
        let shared = Arc::clone(&self.shared);
        let taken = tokio::time::timeout_at(self.deadline, async {
            let permit = shared.bundles.acquire().await.ok();
            (permit, self.lines().await)
        });
        let Ok((_permit, mut lines)) = taken.await else {
            let _ = reply.send(Err(Failure::Busy));
            return;
        };
        let stored = self.store(&mut lines).await;
        let _ = reply.send(stored);
    }

    async fn lines(&self) -> Lines {
        let mut scopes: Vec<_> = self.bundle.scopes().enumerate().collect();
        scopes.sort_unstable_by_key(|(_, scope)| *scope);
        let mut lines = Vec::with_capacity(scopes.len());
        for (place, scope) in scopes {
            lines.push((place, self.shared.line(scope).lock_owned().await));
        }
        lines.sort_unstable_by_key(|(place, _)| *place);
        lines.into_iter().map(|(_, line)| line).collect()
    }

    /// Tries until the bundle is stored or nobody waits any longer.
    async fn store(&mut self, lines: &mut Lines) -> Result<Vec<Outcome>, Failure> {
        if self.bundle.is_repeatable() {
            for line in lines.iter_mut() {
                line.past.is_needed();
            }
        }
        let began = Instant::now();
        let mut failures = 0;
        loop {
            let reason = match self.attempt(lines).await {
                Attempt::Done(outcomes) => {
                    self.shared.health.worked();
                    self.shared.telemetry.bundled(began.elapsed());
                    return Ok(outcomes);
                }
                Attempt::Conflict => {
                    self.shared.telemetry.conflict();
                    if Instant::now() < self.deadline {
                        continue;
                    }
                    "other writers were always first".to_owned()
                }
                Attempt::Failed(failure, reason) => return self.give_up(lines, failure, &reason),
                Attempt::Again(reason) => reason,
            };
            failures += 1;
            let again = Instant::now() + BACKOFF.delay(failures, ids::chance());
            if again >= self.deadline {
                return self.give_up(lines, Failure::Unavailable, &reason);
            }
            self.shared.telemetry.bundle_unanswered(&reason);
            tokio::time::sleep_until(again).await;
        }
    }

    async fn attempt(&mut self, lines: &mut Lines) -> Attempt {
        let ends = match self.ends(lines).await {
            Ok(ends) => ends,
            Err(error) => return Attempt::Again(error.to_string()),
        };
        let pasts: Vec<_> = lines.iter().map(|line| &line.past.recent).collect();
        let plan = self.bundle.plan(&pasts, &mut || RecordId::from_uuid(ids::uuid_v7()));
        let planned = match plan {
            Plan::KeyTaken => return Attempt::Done(vec![Outcome::KeyTaken]),
            Plan::Store(planned) => planned,
        };
        let outcomes = planned.iter().map(|one| one.outcome.clone()).collect();
        let (links, news) = self.links(planned, lines, &ends);
        if links.is_empty() {
            return Attempt::Done(outcomes);
        }
        match self.shared.streams.append_bundle(links).await {
            Ok(Bundled::From(first)) => went_on(lines, &ends, first, news),
            Ok(Bundled::Before) => lines.iter_mut().for_each(|line| line.has_moved()),
            Err(AppendError::Conflict) => return self.meet(lines, &ends, outcomes).await,
            Err(error @ AppendError::Full) => {
                return Attempt::Failed(Failure::Full, error.to_string());
            }
            Err(error @ AppendError::TooLarge) => {
                return Attempt::Failed(Failure::Unavailable, error.to_string());
            }
            Err(AppendError::Unavailable(reason)) => return Attempt::Again(reason),
        }
        self.remember(lines);
        Attempt::Done(outcomes)
    }

    async fn ends(&self, lines: &mut Lines) -> Result<Vec<End>, ReadError> {
        let mut ends = Vec::with_capacity(lines.len());
        for line in lines {
            ends.push(line.look(&self.shared).await?);
        }
        Ok(ends)
    }

    /// The records, each behind the one before it.
    fn links(
        &self,
        planned: Vec<Planned>,
        lines: &Lines,
        ends: &[End],
    ) -> (Vec<Link>, Vec<NewEnd>) {
        let (mut links, mut news) = (Vec::new(), Vec::new());
        let (now, key) = (self.shared.clock.now(), self.bundle.key());
        for (line, (Planned { scope, records, .. }, before)) in
            planned.into_iter().zip(ends).enumerate()
        {
            let mut end = *before;
            let known = lines.get(line).and_then(|line| line.known());
            for (id, events) in records {
                let key = key.map(ToOwned::to_owned);
                let mut record = chain::unnumbered(id, scope, now, key, events);
                chain::number_behind(end.tip(), known, &mut record);
                let encoded = EncodedRecord::of(&record).behind(end.lost());
                let is_first = end == *before;
                end = End::At(Tip::of(&record, encoded.digest(), 0));
                let expect_last = is_first.then(|| before.expected_sequence());
                links.push(Link { record: encoded, expect_last });
            }
            if let Some(tip) = end.tip().filter(|_| end != *before) {
                let behind = links.len().saturating_sub(1) as u64;
                news.push(NewEnd { line, tip: Tip { sequence: behind, ..*tip } });
            }
        }
        (links, news)
    }

    fn remember(&self, lines: &mut Lines) {
        let now = self.shared.clock.now();
        for (line, scope) in lines.iter_mut().zip(self.bundle.scopes()) {
            self.bundle.remember(scope, &mut line.past.recent, now);
        }
    }

    /// Somebody appended to one of the scopes: an earlier attempt, or another writer.
    async fn meet(&self, lines: &mut Lines, ends: &[End], outcomes: Vec<Outcome>) -> Attempt {
        let mut is_stored = false;
        let mut has_moved = false;
        for (line, before) in lines.iter_mut().zip(ends) {
            match line.look_again(&self.shared).await {
                Ok(seen) => {
                    is_stored |= seen.last.is_some_and(|record| self.bundle.has(record));
                    has_moved |= seen.end != *before;
                }
                Err(error) => return Attempt::Again(error.to_string()),
            }
        }
        if is_stored {
            self.remember(lines);
            return Attempt::Done(outcomes);
        }
        if !has_moved {
            tokio::time::sleep(IN_FLIGHT).await;
        }
        Attempt::Conflict
    }

    fn give_up(
        &self,
        lines: &mut Lines,
        failure: Failure,
        reason: &str,
    ) -> Result<Vec<Outcome>, Failure> {
        for line in lines.iter_mut() {
            line.is_unknown();
        }
        self.shared.health.failed(failure);
        Telemetry::bundle_given_up(lines.len(), reason);
        Err(failure)
    }
}

/// The bundle is stored; its first record has this sequence.
fn went_on(lines: &mut Lines, ends: &[End], first: u64, news: Vec<NewEnd>) {
    for NewEnd { line, tip } in news {
        let tip = Tip { sequence: first + tip.sequence, ..tip };
        if let (Some(line), Some(before)) = (lines.get_mut(line), ends.get(line)) {
            line.ends_at(*before, tip);
        }
    }
}
