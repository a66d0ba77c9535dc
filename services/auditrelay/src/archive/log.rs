//! One log as it is stored: which places are filled, and what manifests say about the others.

use std::collections::BTreeMap;

use auditrelay_signing::manifest::{Manifest, Place, digest_of};
use uuid::Uuid;

/// Events and manifests of one log.
#[derive(Debug, Default)]
pub(super) struct Log {
    events: BTreeMap<Place, Held>,
    manifests: Vec<Manifest>,
    /// How the chain stood before these places.
    chain: BTreeMap<Place, String>,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    id: Uuid,
    at: i64,
}

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    New,
    Again,
    /// Another event stands at its place.
    Contradicts,
}

/// What is known of one life of a log's chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Epoch {
    /// Which.
    pub(crate) life: u64,
    /// The first number that is held or spoken of.
    pub(crate) first: u64,
    /// The last.
    pub(crate) last: u64,
    /// Events that are held.
    pub(crate) held: u64,
    /// What is missing, in order.
    pub(crate) gaps: Vec<Gap>,
}

/// Consecutive numbers that are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gap {
    /// The first of them.
    pub(crate) first: u64,
    /// The last of them.
    pub(crate) last: u64,
    /// When the event before them happened, in milliseconds since 1970.
    pub(crate) after: Option<i64>,
    /// When the event behind them happened.
    pub(crate) before: Option<i64>,
}

/// A delivery that is not held as its manifest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Discrepancy {
    /// Its `webhook-id`.
    pub(crate) delivery: String,
    /// How many of its events are missing; 0 when others stand in their places.
    pub(crate) missing: u64,
}

/// What one log comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Findings {
    /// In order.
    pub(crate) epochs: Vec<Epoch>,
    /// Deliveries that are not held as they were sent.
    pub(crate) discrepancies: Vec<Discrepancy>,
}

impl Log {
    pub(super) fn take(&mut self, place: Place, id: Uuid, at: i64) -> Taken {
        match self.events.get(&place) {
            None => {
                self.events.insert(place, Held { id, at });
                Taken::New
            }
            Some(held) if held.id == id => Taken::Again,
            Some(_) => Taken::Contradicts,
        }
    }

    /// Says whether it speaks of the same past as the others.
    pub(super) fn take_manifest(&mut self, mut manifest: Manifest) -> bool {
        let link = manifest.chain.take();
        self.manifests.push(manifest);
        link.is_none_or(|link| {
            *self.chain.entry(link.before).or_insert_with(|| link.digest.clone()) == link.digest
        })
    }

    pub(super) fn findings(&self) -> Findings {
        let discrepancies = self.manifests.iter().filter_map(|manifest| self.compare(manifest));
        Findings { epochs: self.epochs(), discrepancies: discrepancies.collect() }
    }

    fn epochs(&self) -> Vec<Epoch> {
        let mut spans: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
        let spoken_of = self.manifests.iter().flat_map(|manifest| [manifest.first, manifest.last]);
        for Place { epoch, number } in self.events.keys().copied().chain(spoken_of) {
            let (first, last) = spans.entry(epoch).or_insert((number, number));
            *first = (*first).min(number);
            *last = (*last).max(number);
        }
        spans.into_iter().map(|(epoch, span)| self.epoch(epoch, span)).collect()
    }

    fn epoch(&self, epoch: u64, (first, last): (u64, u64)) -> Epoch {
        let mut gaps = Vec::new();
        let (mut held, mut expected, mut after) = (0, first, None);
        let place = |number| Place { epoch, number };
        for (at, event) in self.events.range(place(first)..=place(last)) {
            if at.number > expected {
                let before = Some(event.at);
                gaps.push(Gap { first: expected, last: at.number - 1, after, before });
            }
            held += 1;
            expected = at.number.saturating_add(1);
            after = Some(event.at);
        }
        if expected <= last && held < u64::MAX {
            gaps.push(Gap { first: expected, last, after, before: None });
        }
        Epoch { life: epoch, first, last, held, gaps }
    }

    /// More events than the manifest names lie between its ends when it is a replay's that chose
    /// some of them: then nothing can be said.
    fn compare(&self, manifest: &Manifest) -> Option<Discrepancy> {
        if manifest.first > manifest.last {
            return None;
        }
        let ids = || self.events.range(manifest.first..=manifest.last).map(|(_, held)| held.id);
        let held = ids().count() as u64;
        let delivery = manifest.delivery.id.clone();
        if held < manifest.count {
            return Some(Discrepancy { delivery, missing: manifest.count - held });
        }
        let altered =
            held == manifest.count && digest_of(ids().map(|id| id.to_string())) != manifest.digest;
        altered.then_some(Discrepancy { delivery, missing: 0 })
    }
}
