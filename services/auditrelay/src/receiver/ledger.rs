//! What a receiver holds, counted by event id.

use std::collections::{BTreeMap, HashMap};

use http::StatusCode;
use serde_json::{Value, json};

use super::Signature;

/// How many ids a generation remembers; two generations are kept.
const GENERATION: usize = 500_000;

/// One line that was taken.
#[derive(Debug)]
pub(crate) struct Receipt {
    /// The event's id, when the line has one.
    pub(crate) id: Option<String>,
    /// Whether its signature holds.
    pub(crate) signature: Signature,
    /// Whether a replay job sent it.
    pub(crate) replay: bool,
}

/// Counts, and how often each id came. Its memory is bounded: of a very long run it remembers
/// the newest half a million to a million ids.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    /// Answers by status.
    pub(crate) answers: BTreeMap<u16, u64>,
    /// Lines taken, repeated ones included.
    pub(crate) lines: u64,
    /// Lines whose id was known already.
    pub(crate) duplicates: u64,
    /// Lines that name no event.
    pub(crate) nameless: u64,
    /// Lines whose signature holds.
    pub(crate) verified: u64,
    /// Lines whose signature does not hold, or is missing.
    pub(crate) forged: u64,
    /// Lines that a replay job sent.
    pub(crate) replayed: u64,
    /// Events that a replay job brought before anybody else.
    pub(crate) recovered: u64,
    /// Bytes of the bodies that were taken, as they came over the wire.
    pub(crate) wire_bytes: u64,
    newer: HashMap<String, u32>,
    older: HashMap<String, u32>,
}

impl Ledger {
    /// Counts an answer.
    pub(crate) fn answered(&mut self, status: StatusCode) {
        *self.answers.entry(status.as_u16()).or_default() += 1;
    }

    /// Enters a line.
    pub(crate) fn take(&mut self, receipt: Receipt) {
        self.lines += 1;
        self.replayed += u64::from(receipt.replay);
        match receipt.signature {
            Signature::Verified => self.verified += 1,
            Signature::Wrong => self.forged += 1,
            Signature::Unchecked => {}
        }
        let Some(id) = receipt.id else {
            self.nameless += 1;
            return;
        };
        let before = self.count(&id);
        if before > 0 {
            self.duplicates += 1;
        } else {
            self.recovered += u64::from(receipt.replay);
        }
        self.newer.insert(id, before.saturating_add(1));
        if self.newer.len() >= GENERATION {
            self.older = std::mem::take(&mut self.newer);
        }
    }

    /// How often an id came.
    pub(crate) fn count(&self, id: &str) -> u32 {
        let known = self.newer.get(id).or_else(|| self.older.get(id));
        known.copied().unwrap_or(0)
    }

    /// Lines of events that were not known before.
    pub(crate) const fn distinct(&self) -> u64 {
        self.lines - self.duplicates - self.nameless
    }

    /// How many requests were answered with `status`.
    pub(crate) fn answered_with(&self, status: StatusCode) -> u64 {
        self.answers.get(&status.as_u16()).copied().unwrap_or(0)
    }

    /// For programs.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "requests": self.answers.values().sum::<u64>(),
            "answers": self.answers,
            "events": self.lines,
            "distinct": self.distinct(),
            "duplicates": self.duplicates,
            "without_id": self.nameless,
            "verified": self.verified,
            "bad_signatures": self.forged,
            "replayed": self.replayed,
            "recovered": self.recovered,
            "wire_bytes": self.wire_bytes,
        })
    }

    /// For people.
    pub(crate) fn summary(&self) -> String {
        let answers: Vec<String> =
            self.answers.iter().map(|(status, count)| format!("{status} ×{count}")).collect();
        let signatures = match (self.verified, self.forged) {
            (0, 0) => "signatures unchecked".to_owned(),
            (verified, forged) => format!("{verified} signatures hold, {forged} do not"),
        };
        format!(
            "{} requests ({}), {} events, {} distinct, {} duplicates, {} by a replay, {signatures}",
            self.answers.values().sum::<u64>(),
            answers.join(", "),
            self.lines,
            self.distinct(),
            self.duplicates,
            self.replayed,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(id: &str) -> Receipt {
        Receipt { id: Some(id.to_owned()), signature: Signature::Verified, replay: false }
    }

    #[test]
    fn a_repeated_event_is_counted_once() {
        let mut ledger = Ledger::default();
        for id in ["a", "b", "a", "a"] {
            ledger.take(receipt(id));
        }
        ledger.take(Receipt { id: None, signature: Signature::Wrong, replay: true });
        assert_eq!((ledger.lines, ledger.distinct(), ledger.duplicates), (5, 2, 2));
        assert_eq!((ledger.count("a"), ledger.count("b"), ledger.count("c")), (3, 1, 0));
        assert_eq!((ledger.verified, ledger.forged, ledger.replayed), (4, 1, 1));
    }

    #[test]
    fn only_what_nobody_brought_before_was_recovered() {
        let mut ledger = Ledger::default();
        ledger.take(receipt("live"));
        for id in ["live", "missed", "missed"] {
            ledger.take(Receipt { replay: true, ..receipt(id) });
        }
        assert_eq!((ledger.replayed, ledger.recovered, ledger.duplicates), (3, 1, 2));
    }

    #[test]
    fn an_older_generation_is_still_known() {
        let mut ledger = Ledger::default();
        ledger.take(receipt("first"));
        for number in 0..GENERATION {
            ledger.take(receipt(&number.to_string()));
        }
        ledger.take(receipt("first"));
        assert_eq!(ledger.duplicates, 1);
        assert!(ledger.newer.len() + ledger.older.len() <= 2 * GENERATION);
    }
}
