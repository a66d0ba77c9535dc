//! What is known of one scope's log: where it ends, and what was stored a moment ago.
//!
//! Whoever appends to a scope holds its line meanwhile: its writer, or a bundle that has a record
//! for it.

use auditrelay_ingest_core::chain::{self, End, Tip};
use auditrelay_model::Scope;
use auditrelay_model::id::RecordId;
use auditrelay_model::record::{Place, Record};
use auditrelay_streams::{Appended, ChainEnd, LastLink, ReadError};

use super::Shared;
use super::past::Past;
use crate::telemetry::Telemetry;

/// One scope's line.
pub(super) struct Line {
    scope: Scope,
    end: Option<End>,
    /// The last event that is known to have been stored: here, or by whom a receiver got it.
    known: Option<Place>,
    pub(super) past: Past,
    telemetry: Telemetry,
}

/// What the broker says about a scope's end.
pub(super) struct Seen {
    pub(super) end: End,
    /// The last record's id.
    pub(super) last: Option<RecordId>,
}

impl Line {
    pub(super) fn new(scope: Scope, shared: &Shared) -> Self {
        Self {
            scope,
            end: None,
            known: None,
            past: Past::new(shared.duplicate_window),
            telemetry: shared.telemetry.clone(),
        }
    }

    /// Makes sure that the end is known and, if a request may be a repetition, the recent past.
    pub(super) async fn look(&mut self, shared: &Shared) -> Result<End, ReadError> {
        let end = match self.end {
            Some(end) => end,
            None => self.look_again(shared).await?.end,
        };
        self.learn(shared, end).await?;
        Ok(end)
    }

    /// The last event that is known to have been stored.
    pub(super) const fn known(&self) -> Option<Place> {
        self.known
    }

    /// Asks the broker for the end.
    pub(super) async fn look_again(&mut self, shared: &Shared) -> Result<Seen, ReadError> {
        let last = self.last(shared).await?;
        let link = last.as_ref().and_then(|last| last.link);
        let end = match (&last, link) {
            (None, _) => End::Nothing,
            (Some(last), Some(link)) => {
                let LastLink { epoch, last_number, digest, .. } = link;
                End::of(Tip { epoch, last_number, digest, sequence: last.sequence }, self.known)
            }
            (Some(last), None) => End::Unreadable { sequence: last.sequence },
        };
        if let Some(last) = last.filter(|last| last.is_damaged) {
            self.telemetry.damaged(self.scope, last.sequence, link.is_some());
        }
        self.is_at(end);
        Ok(Seen { end, last: link.map(|link| link.record) })
    }

    /// The log's last message. At first it is asked as well what was delivered of the log: a broker
    /// may have lost what comes behind.
    async fn last(&mut self, shared: &Shared) -> Result<Option<ChainEnd>, ReadError> {
        let streams = &shared.streams;
        if self.known.is_some() {
            return streams.chain_end(self.scope).await;
        }
        let (last, delivered) =
            tokio::join!(streams.chain_end(self.scope), streams.delivered(self.scope));
        self.known = delivered;
        last
    }

    fn is_at(&mut self, end: End) {
        self.known = self.known.max(end.tip().map(Tip::place));
        self.end = Some(end);
    }

    /// Learns what others stored, up to the end.
    pub(super) async fn learn(&mut self, shared: &Shared, end: End) -> Result<(), ReadError> {
        let now = shared.clock.now();
        self.past.learn(&shared.streams, self.scope, end.tip(), now).await
    }

    /// What was appended behind `before` is stored.
    pub(super) fn went_on(&mut self, record: &Record, before: End, appended: Appended) {
        if chain::is_earlier_attempt(appended.sequence, before.expected_sequence()) {
            self.end = None;
            return;
        }
        let tip = Tip::of(record, appended.digest, appended.sequence);
        self.ends_at(before, tip);
    }

    /// What was appended behind `before` made this end.
    pub(super) fn ends_at(&mut self, before: End, tip: Tip) {
        if let End::Cut { left, known, .. } = before {
            self.telemetry.cut(self.scope, left, known);
        }
        self.past.goes_on(before.expected_sequence(), &tip);
        self.is_at(End::At(tip));
    }

    /// Nobody knows what became of an append.
    pub(super) fn is_unknown(&mut self) {
        self.end = None;
        self.past.is_unknown();
    }

    /// The end alone is not known.
    pub(super) const fn has_moved(&mut self) {
        self.end = None;
    }
}
