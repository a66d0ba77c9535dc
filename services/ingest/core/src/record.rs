//! Packing: what waits in a scope is stored together.
//!
//! While one record is on its way to the broker, requests gather in the [`Backlog`]; the next
//! record takes as many of them as fit, each whole: no request is ever half stored. This is the
//! group commit: nobody waits for company, and under load one write is shared by many requests. A
//! request with an idempotency key has its record to itself; one that no record can hold does not
//! come here (see [`crate::bundle`]).

use std::collections::{HashMap, VecDeque};

use auditrelay_model::Timestamp;
use auditrelay_model::event::AuditEvent;
use auditrelay_model::id::EventId;
use auditrelay_model::record::Record;

use crate::recent::{Fingerprint, Recent};

mod submission;

pub(crate) use submission::KeyMet;
pub use submission::{Entry, Outcome, Submission};

/// The requests of a scope that are not stored yet; first come, first stored.
#[derive(Debug)]
pub struct Backlog<T> {
    submissions: VecDeque<Submission<T>>,
    max_record_bytes: usize,
}

/// What [`Backlog::take`] found.
#[derive(Debug)]
pub struct Taken<T> {
    /// Submissions that need no record: all of them was stored before.
    pub answered: Vec<(T, Outcome)>,
    /// What the next record holds.
    pub load: Option<Load<T>>,
}

impl<T> Backlog<T> {
    /// An empty backlog, whose records have at most `max_record_bytes` of events; a request that is
    /// larger than that has a record to itself.
    pub const fn new(max_record_bytes: usize) -> Self {
        Self { submissions: VecDeque::new(), max_record_bytes }
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.submissions.is_empty()
    }

    /// The last one in line.
    pub fn push(&mut self, submission: Submission<T>) {
        self.submissions.push_back(submission);
    }

    /// Drops the submissions that nobody waits for.
    pub fn retain(&mut self, is_awaited: impl Fn(&T) -> bool) {
        self.submissions.retain(|submission| is_awaited(submission.ticket()));
    }

    /// Nothing can be stored: the tickets of all who wait.
    pub fn give_up(&mut self) -> Vec<T> {
        self.submissions.drain(..).map(Submission::into_ticket).collect()
    }

    /// Takes as many requests as one record may hold; each of them whole.
    pub fn take(&mut self, recent: &Recent) -> Taken<T> {
        let mut answered = Vec::new();
        let mut load = Load::new();
        while let Some(mut submission) = self.submissions.pop_front() {
            if !load.has_room_for(&submission, recent, self.max_record_bytes) {
                self.submissions.push_front(submission);
                break;
            }
            if submission.meet_key(recent) {
                answered.push(submission.end());
                continue;
            }
            let (count, tied) = load.fill(&mut submission, recent);
            if count == 0 && !tied {
                answered.push(submission.end());
            } else {
                load.parts.push(Part { submission, count });
            }
        }
        Taken { answered, load: (!load.parts.is_empty()).then_some(load) }
    }
}

/// The events of one record and the submissions that wait for it.
#[derive(Debug)]
pub struct Load<T> {
    /// The events, never empty; the shell moves them into the record.
    pub events: Vec<AuditEvent>,
    bytes: usize,
    parts: Vec<Part<T>>,
    /// Those ids of the events that producers named.
    supplied: HashMap<EventId, Fingerprint>,
}

/// A submission's share of a load.
#[derive(Debug)]
struct Part<T> {
    submission: Submission<T>,
    count: usize,
}

impl<T> Load<T> {
    fn new() -> Self {
        Self { events: Vec::new(), bytes: 0, parts: Vec::new(), supplied: HashMap::new() }
    }

    /// The idempotency key of the request that has the record to itself.
    pub fn key(&self) -> Option<&str> {
        self.parts.first().and_then(|part| part.submission.key())
    }

    /// Bytes of the events.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Those who wait for the record.
    pub fn tickets(&self) -> impl Iterator<Item = &T> {
        self.parts.iter().map(|part| part.submission.ticket())
    }

    /// Whether another writer's record may hold the same: a producer named an id or a key.
    pub fn is_repeatable(&self) -> bool {
        self.key().is_some() || !self.supplied.is_empty()
    }

    /// A request with a key has its record to itself; others share one as long as they fit.
    fn has_room_for(&self, submission: &Submission<T>, recent: &Recent, max_bytes: usize) -> bool {
        if self.parts.is_empty() {
            return true;
        }
        let fresh = submission.entries().iter().filter(|entry| !entry.is_known(recent));
        let bytes: usize = fresh.map(|entry| entry.bytes).sum();
        self.key().is_none() && submission.key().is_none() && self.bytes + bytes <= max_bytes
    }

    /// Moves the submission's events over. Says how many, and whether some were left out because
    /// this very load has them already.
    fn fill(&mut self, submission: &mut Submission<T>, recent: &Recent) -> (usize, bool) {
        let (mut count, mut tied) = (0, false);
        for entry in submission.take_entries() {
            let id = entry.event.id;
            let mine = self.supplied.get(&id).copied();
            if entry.supplied_id && (recent.knows(id) || mine.is_some()) {
                let differs = mine.is_some_and(|mine| mine != Fingerprint::of(&entry.event));
                tied |= mine.is_some();
                submission.count_duplicate(differs || recent.contradicts(&entry.event));
                continue;
            }
            if entry.supplied_id {
                self.supplied.insert(id, Fingerprint::of(&entry.event));
            }
            self.bytes += entry.bytes;
            self.events.push(entry.event);
            count += 1;
        }
        (count, tied)
    }

    /// Takes out of the record what is stored by now: another writer was first, and `recent` has
    /// learned what it wrote. Never adds anything, because an earlier attempt of the same record
    /// may yet turn out to be stored.
    pub fn withdraw(&mut self, record: &mut Record, recent: &Recent) {
        let mut events = std::mem::take(&mut record.events).into_iter();
        for part in &mut self.parts {
            let mine = events.by_ref().take(part.count);
            if part.submission.meet_key(recent) {
                mine.for_each(drop);
                part.count = 0;
                continue;
            }
            let supplied = &self.supplied;
            let before = record.events.len();
            record.events.extend(
                mine.filter(|event| !(supplied.contains_key(&event.id) && recent.knows(event.id))),
            );
            let count = record.events.len() - before;
            part.submission.count_duplicates(part.count - count);
            part.count = count;
        }
    }

    /// The record is stored (or nothing was left of it): remembers what may be repeated and returns
    /// what became of the submissions.
    pub fn stored(self, record: &Record, recent: &mut Recent, now: Timestamp) -> Vec<(T, Outcome)> {
        recent.forget(now);
        if let Some(key) = self.key() {
            recent.remember_key(now, key, record.events.iter().map(|event| event.id));
        }
        for (id, fingerprint) in &self.supplied {
            recent.remember(now, *id, *fingerprint);
        }
        self.parts.into_iter().map(|part| part.submission.end()).collect()
    }

    /// The record could not be stored, as far as anybody knows: the tickets of all who waited.
    pub fn give_up(self) -> Vec<T> {
        self.parts.into_iter().map(|part| part.submission.into_ticket()).collect()
    }
}

#[cfg(test)]
mod tests;
