//! What a scope stored a moment ago, as far as this process saw it: enough to answer a repeated
//! request with the first one's ids instead of storing it twice.
//!
//! Only what a producer can repeat is remembered: ids it chose itself, and idempotency keys with
//! the ids of their events. Bounded in time and number; the oldest is forgotten first.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use auditrelay_model::Timestamp;
use auditrelay_model::event::AuditEvent;
use auditrelay_model::id::EventId;
use auditrelay_model::record::Record;

mod fingerprint;

pub use fingerprint::Fingerprint;

/// A scope's recent past.
#[derive(Debug)]
pub struct Recent {
    window: Duration,
    max_ids: usize,
    ids: HashMap<EventId, Fingerprint>,
    keys: HashMap<String, Vec<EventId>>,
    order: VecDeque<(Timestamp, Memory)>,
    held: usize,
}

#[derive(Debug)]
enum Memory {
    Id(EventId),
    Key { key: String, events: usize },
}

impl Recent {
    /// Nothing happened yet. Remembers for `window`, at most `max_ids` ids.
    pub fn new(window: Duration, max_ids: usize) -> Self {
        Self {
            window,
            max_ids,
            ids: HashMap::new(),
            keys: HashMap::new(),
            order: VecDeque::new(),
            held: 0,
        }
    }

    /// Whether an event of that id was stored.
    pub fn knows(&self, id: EventId) -> bool {
        self.ids.contains_key(&id)
    }

    /// Whether another event was stored under this one's id.
    pub fn contradicts(&self, event: &AuditEvent) -> bool {
        self.ids.get(&event.id).is_some_and(|known| *known != Fingerprint::of(event))
    }

    /// The events that were stored under the key, in order.
    pub fn stored_under(&self, key: &str) -> Option<&[EventId]> {
        self.keys.get(key).map(Vec::as_slice)
    }

    /// An event whose id a producer may send again was stored.
    pub fn remember(&mut self, now: Timestamp, id: EventId, fingerprint: Fingerprint) {
        if let Entry::Vacant(vacant) = self.ids.entry(id) {
            vacant.insert(fingerprint);
            self.held += 1;
            self.order.push_back((now, Memory::Id(id)));
        }
    }

    /// A record's events were stored under a key. A request too large for one record comes here
    /// several times, and a record that was remembered may be read again from the stream.
    pub fn remember_key(&mut self, now: Timestamp, key: &str, ids: impl Iterator<Item = EventId>) {
        let mut ids = ids.peekable();
        let Some(first) = ids.peek() else { return };
        if self.stored_under(key).is_some_and(|known| known.contains(first)) {
            return;
        }
        let known = self.keys.entry(key.to_owned()).or_default();
        let before = known.len();
        known.extend(ids);
        let events = known.len() - before;
        self.held += events;
        self.order.push_back((now, Memory::Key { key: key.to_owned(), events }));
    }

    /// Another writer's record. Nobody can tell which of its ids a producer chose: all of them.
    pub fn learn(&mut self, now: Timestamp, record: &Record) {
        for event in &record.events {
            self.remember(now, event.id, Fingerprint::of(event));
        }
        if let Some(key) = &record.idempotency_key {
            self.remember_key(now, key, record.events.iter().map(|event| event.id));
        }
        self.forget(now);
    }

    /// Forgets what is too old or too much.
    pub fn forget(&mut self, now: Timestamp) {
        while let Some((at, _)) = self.order.front() {
            if self.held <= self.max_ids && now.since(*at) <= self.window {
                return;
            }
            match self.order.pop_front() {
                Some((_, Memory::Id(id))) => {
                    self.ids.remove(&id);
                    self.held -= 1;
                }
                Some((_, Memory::Key { key, events })) => self.forget_key(&key, events),
                None => {}
            }
        }
    }

    /// A key is forgotten whole: half of its events would look like a request that was cut.
    fn forget_key(&mut self, key: &str, events: usize) {
        self.held -= events;
        self.keys.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use auditrelay_model::Scope;
    use auditrelay_model::id::{OrgId, RecordId};
    use uuid::Uuid;

    use super::*;

    fn id(number: u128) -> EventId {
        EventId::from_uuid(Uuid::from_u128(number))
    }

    fn fingerprint() -> Fingerprint {
        Fingerprint::of(&crate::admit::tests::event(1))
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn what_is_old_is_forgotten() {
        let mut recent = Recent::new(Duration::from_mins(2), 100);
        recent.remember(at(0), id(1), fingerprint());
        recent.remember_key(at(60), "k", [id(2), id(3)].into_iter());
        recent.forget(at(121));
        assert!(!recent.knows(id(1)));
        assert_eq!(recent.stored_under("k"), Some([id(2), id(3)].as_slice()));
        recent.forget(at(181));
        assert_eq!(recent.stored_under("k"), None);
    }

    #[test]
    fn a_record_that_is_read_again_is_remembered_once() {
        let mut recent = Recent::new(Duration::from_mins(2), 100);
        for _ in 0..2 {
            recent.remember_key(at(0), "k", [id(1), id(2)].into_iter());
            recent.remember_key(at(0), "k", [id(3)].into_iter());
        }
        assert_eq!(recent.stored_under("k"), Some([id(1), id(2), id(3)].as_slice()));
        assert_eq!(recent.held, 3);
    }

    #[test]
    fn another_writers_record_is_learned_with_its_key_and_all_its_ids() {
        let mut recent = Recent::new(Duration::from_mins(2), 100);
        let scope = Scope::Organization(OrgId::from_uuid(Uuid::nil()));
        let events = [1, 2].map(crate::admit::tests::event).to_vec();
        let (record, key) = (RecordId::from_uuid(Uuid::nil()), Some("k".to_owned()));
        recent.remember(at(0), id(9), fingerprint());
        recent.learn(at(121), &crate::chain::unnumbered(record, scope, at(121), key, events));
        assert!(recent.knows(id(1)) && recent.knows(id(2)));
        assert_eq!(recent.stored_under("k"), Some([id(1), id(2)].as_slice()));
        assert!(!recent.knows(id(9)), "what is old is forgotten then");
    }

    #[test]
    fn the_number_of_remembered_ids_is_bounded() {
        let mut recent = Recent::new(Duration::from_mins(2), 10);
        for number in 0..1_000 {
            recent.remember(at(0), id(number), fingerprint());
            recent.remember_key(at(0), &number.to_string(), [id(number)].into_iter());
            recent.forget(at(0));
            assert!(recent.held <= 10 && recent.order.len() <= 10);
        }
        assert!(recent.knows(id(999)) && !recent.knows(id(0)));
    }
}
