//! Bundles: a request that no single record can hold, because it is large or because its events
//! belong to several scopes. Its records are stored together or not at all.
//!
//! A bundle is planned anew before every attempt, on what the scopes stored until then. The records
//! keep their ids: should an earlier attempt turn out to be stored, the broker knows them.

use std::collections::BTreeMap;

use auditrelay_model::event::AuditEvent;
use auditrelay_model::id::RecordId;
use auditrelay_model::{Scope, Timestamp};

use crate::recent::{Fingerprint, Recent};
use crate::record::{Entry, KeyMet, Outcome};

/// One request's events, by scope.
#[derive(Debug)]
pub struct Bundle {
    key: Option<String>,
    parts: Vec<Part>,
    max_record_bytes: usize,
    records: BTreeMap<(usize, usize), RecordId>,
}

/// The events of one scope.
#[derive(Debug)]
struct Part {
    scope: Scope,
    entries: Vec<Entry>,
}

/// What is to be done about a bundle.
#[derive(Debug, PartialEq, Eq)]
pub enum Plan {
    /// Nothing: the idempotency key belongs to another request.
    KeyTaken,
    /// These records are to be stored; nothing where all of it was stored before.
    Store(Vec<Planned>),
}

/// One scope's share of a plan.
#[derive(Debug, PartialEq, Eq)]
pub struct Planned {
    /// The scope.
    pub scope: Scope,
    /// What its next records hold, in order.
    pub records: Vec<(RecordId, Vec<AuditEvent>)>,
    /// What is told about its events once the records are stored.
    pub outcome: Outcome,
}

impl Bundle {
    /// A request's events by scope, whose records have at most `max_record_bytes` of events.
    pub fn new(
        key: Option<String>,
        scopes: Vec<(Scope, Vec<Entry>)>,
        max_record_bytes: usize,
    ) -> Self {
        let parts = scopes.into_iter().map(|(scope, entries)| Part { scope, entries }).collect();
        Self { key, parts, max_record_bytes, records: BTreeMap::new() }
    }

    /// The scopes, in the request's order.
    pub fn scopes(&self) -> impl Iterator<Item = Scope> {
        self.parts.iter().map(|part| part.scope)
    }

    /// The request's idempotency key.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Whether it may be a repetition: a producer named an id or a key.
    pub fn is_repeatable(&self) -> bool {
        let mut entries = self.parts.iter().flat_map(|part| &part.entries);
        self.key.is_some() || entries.any(|entry| entry.supplied_id)
    }

    /// Whether a record is one of this bundle's.
    pub fn has(&self, record: RecordId) -> bool {
        self.records.values().any(|known| *known == record)
    }

    /// What is to be done, given each scope's recent past in the order of [`Self::scopes`].
    pub fn plan(&mut self, pasts: &[&Recent], next_id: &mut dyn FnMut() -> RecordId) -> Plan {
        let mut planned = Vec::with_capacity(self.parts.len());
        for (at, (part, recent)) in self.parts.iter().zip(pasts).enumerate() {
            let Some((fresh, outcome)) = part.fresh(self.key.as_deref(), recent) else {
                return Plan::KeyTaken;
            };
            let records = packed(fresh, self.max_record_bytes).into_iter().zip(0..);
            let records = records.map(|(events, place)| {
                (*self.records.entry((at, place)).or_insert_with(&mut *next_id), events)
            });
            planned.push(Planned { scope: part.scope, records: records.collect(), outcome });
        }
        Plan::Store(planned)
    }

    /// The bundle is stored: remembers what of a scope may be repeated.
    pub fn remember(&self, scope: Scope, recent: &mut Recent, now: Timestamp) {
        recent.forget(now);
        for part in self.parts.iter().filter(|part| part.scope == scope) {
            if let Some(key) = &self.key {
                recent.remember_key(now, key, part.entries.iter().map(|entry| entry.event.id));
            }
            for entry in part.entries.iter().filter(|entry| entry.supplied_id) {
                recent.remember(now, entry.event.id, Fingerprint::of(&entry.event));
            }
        }
    }
}

impl Part {
    /// Those events that are not stored yet, and what will be told; none when the key is taken.
    fn fresh(&self, key: Option<&str>, recent: &Recent) -> Option<(Vec<&Entry>, Outcome)> {
        match KeyMet::of(key, self.entries.len(), recent) {
            KeyMet::Taken => return None,
            KeyMet::Repeated(ids) => {
                let duplicates = ids.len();
                return Some((Vec::new(), Outcome::Stored { ids, duplicates, conflicts: 0 }));
            }
            KeyMet::Unknown => {}
        }
        let (known, fresh): (Vec<_>, Vec<_>) =
            self.entries.iter().partition(|entry| entry.is_known(recent));
        let differing = known.iter().filter(|entry| recent.contradicts(&entry.event));
        let outcome = Outcome::Stored {
            ids: self.entries.iter().map(|entry| entry.event.id).collect(),
            duplicates: known.len(),
            conflicts: differing.count(),
        };
        Some((fresh, outcome))
    }
}

/// As many events to a record as fit, in order; one that is larger than that has its own.
fn packed(entries: Vec<&Entry>, max_bytes: usize) -> Vec<Vec<AuditEvent>> {
    let mut records: Vec<Vec<AuditEvent>> = Vec::new();
    let mut held = 0;
    for entry in entries {
        match records.last_mut() {
            Some(last) if held + entry.bytes <= max_bytes => last.push(entry.event.clone()),
            Some(_) | None => {
                held = 0;
                records.push(vec![entry.event.clone()]);
            }
        }
        held += entry.bytes;
    }
    records
}

#[cfg(test)]
mod tests;
