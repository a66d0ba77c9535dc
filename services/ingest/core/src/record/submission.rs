//! One request's events of one scope, waiting to be stored.

use auditrelay_model::event::AuditEvent;
use auditrelay_model::id::EventId;

use crate::recent::Recent;

/// An event on its way into a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The event.
    pub event: AuditEvent,
    /// Bytes that it takes in a record.
    pub bytes: usize,
    /// The producer named the id itself, so it may come again.
    pub supplied_id: bool,
}

impl Entry {
    /// Whether an earlier request stored it.
    pub(crate) fn is_known(&self, recent: &Recent) -> bool {
        self.supplied_id && recent.knows(self.event.id)
    }
}

/// How a submission ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Every event is stored.
    Stored {
        /// The events' ids, in the request's order.
        ids: Vec<EventId>,
        /// How many of them had been stored by an earlier request.
        duplicates: usize,
        /// How many of these had said something else under the same id.
        conflicts: usize,
    },
    /// The idempotency key belongs to another request: one with another number of events.
    KeyTaken,
}

/// What an idempotency key says about a request of so many events.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum KeyMet {
    /// Nothing is stored under it.
    Unknown,
    /// This is the same request again; it got these ids.
    Repeated(Vec<EventId>),
    /// It belongs to another request.
    Taken,
}

impl KeyMet {
    pub(crate) fn of(key: Option<&str>, events: usize, recent: &Recent) -> Self {
        match key.and_then(|key| recent.stored_under(key)) {
            None => Self::Unknown,
            Some(stored) if stored.len() == events => Self::Repeated(stored.to_vec()),
            Some(_) => Self::Taken,
        }
    }
}

/// The events of one request that belong to this scope; they go into one record. `T` is whatever
/// the shell answers by.
#[derive(Debug)]
pub struct Submission<T> {
    ticket: T,
    key: Option<String>,
    entries: Vec<Entry>,
    ids: Vec<EventId>,
    duplicates: usize,
    conflicts: usize,
    key_is_taken: bool,
}

impl<T> Submission<T> {
    /// A request's events in order; with a key if it is to be recognised when it is repeated.
    pub fn new(ticket: T, key: Option<String>, entries: Vec<Entry>) -> Self {
        let ids = entries.iter().map(|entry| entry.event.id).collect();
        Self { ticket, key, entries, ids, duplicates: 0, conflicts: 0, key_is_taken: false }
    }

    pub(super) fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    pub(super) const fn ticket(&self) -> &T {
        &self.ticket
    }

    pub(super) fn into_ticket(self) -> T {
        self.ticket
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn take_entries(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.entries)
    }

    /// An event is stored already, perhaps saying something else.
    pub(super) fn count_duplicate(&mut self, differs: bool) {
        self.duplicates += 1;
        self.conflicts += usize::from(differs);
    }

    pub(super) const fn count_duplicates(&mut self, count: usize) {
        self.duplicates += count;
    }

    /// Whether the request's key says that there is nothing to store.
    pub(super) fn meet_key(&mut self, recent: &Recent) -> bool {
        match KeyMet::of(self.key(), self.ids.len(), recent) {
            KeyMet::Unknown => return false,
            KeyMet::Repeated(ids) => {
                self.ids = ids;
                self.duplicates = self.ids.len();
            }
            KeyMet::Taken => self.key_is_taken = true,
        }
        true
    }

    /// How it ended.
    pub(super) fn end(self) -> (T, Outcome) {
        let Self { ticket, ids, duplicates, conflicts, .. } = self;
        let stored = Outcome::Stored { ids, duplicates, conflicts };
        (ticket, if self.key_is_taken { Outcome::KeyTaken } else { stored })
    }
}
