//! One request's events of one scope, waiting to be stored.

use std::collections::VecDeque;

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
    /// The idempotency key belongs to another request: one with more events than this.
    KeyTaken,
}

/// The events of one request that belong to this scope. `T` is whatever the shell answers by.
#[derive(Debug)]
pub struct Submission<T> {
    ticket: T,
    key: Option<String>,
    waiting: VecDeque<Entry>,
    ids: Vec<EventId>,
    duplicates: usize,
    conflicts: usize,
    key_state: KeyState,
}

#[derive(Debug, PartialEq, Eq)]
enum KeyState {
    /// Nothing of the request is stored or on its way.
    Unmet,
    /// The rest goes on from what was stored under the key.
    Met,
    /// More events are stored under the key than the request has.
    Taken,
}

impl<T> Submission<T> {
    /// A request's events in order; with a key if it is to be recognised when it is repeated.
    pub fn new(ticket: T, key: Option<String>, entries: Vec<Entry>) -> Self {
        let ids = entries.iter().map(|entry| entry.event.id).collect();
        let waiting = entries.into();
        let key_state = KeyState::Unmet;
        Self { ticket, key, waiting, ids, duplicates: 0, conflicts: 0, key_state }
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

    /// Every event is stored, or in the record that is on its way.
    pub(super) fn is_done(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn next(&self) -> Option<&Entry> {
        self.waiting.front()
    }

    pub(super) fn pop(&mut self) -> Option<Entry> {
        self.waiting.pop_front()
    }

    /// The next event is stored already, perhaps saying something else.
    pub(super) fn skip(&mut self, differs: bool) {
        self.waiting.pop_front();
        self.duplicates += 1;
        self.conflicts += usize::from(differs);
    }

    pub(super) const fn count_duplicates(&mut self, count: usize) {
        self.duplicates += count;
    }

    /// Its first record is stored, more have to follow: what the key stands for now is its own.
    pub(super) fn go_on(&mut self) {
        if self.key_state == KeyState::Unmet {
            self.key_state = KeyState::Met;
        }
    }

    /// Goes on from what is stored under the request's key. Says whether that ends the matter.
    pub(super) fn meet_key(&mut self, recent: &Recent) -> bool {
        self.meet_key_late(recent, 0);
        self.key_state == KeyState::Taken || self.waiting.is_empty()
    }

    /// The same when the request's first `in_record` events are in a record already. Says how many
    /// of them have to come out again.
    pub(super) fn meet_key_late(&mut self, recent: &Recent, in_record: usize) -> usize {
        let stored = self.key.as_deref().and_then(|key| recent.stored_under(key));
        let Some(stored) = stored.filter(|_| self.key_state == KeyState::Unmet) else { return 0 };
        if stored.len() > self.ids.len() {
            self.key_state = KeyState::Taken;
            self.waiting.clear();
            return in_record;
        }
        self.key_state = KeyState::Met;
        self.ids.iter_mut().zip(stored).for_each(|(mine, theirs)| *mine = *theirs);
        let from_record = stored.len().min(in_record);
        let from_waiting = (stored.len() - from_record).min(self.waiting.len());
        self.waiting.drain(..from_waiting);
        self.duplicates += from_waiting;
        from_record
    }

    /// How it ended.
    pub(super) fn end(self) -> (T, Outcome) {
        let Self { ticket, ids, duplicates, conflicts, key_state, .. } = self;
        let outcome = match key_state {
            KeyState::Taken => Outcome::KeyTaken,
            KeyState::Unmet | KeyState::Met => Outcome::Stored { ids, duplicates, conflicts },
        };
        (ticket, outcome)
    }
}
