//! What a page is gathered from and how much work that may be.

use auditrelay_model::event::AuditEvent;
use auditrelay_model::reach::Reach;
use auditrelay_model::record::Position;
use auditrelay_model::{Timestamp, Window};

use super::wish::Wish;

/// What is looked at for one page: an event counts as one, a record as one and one a kilobyte.
const EFFORT_MAX: usize = 100_000;
/// Bytes of a page, about.
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// What is known of a record before it is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peek {
    /// Where it is in EVENTS.
    pub sequence: u64,
    /// When it was stored.
    pub stored_at: Timestamp,
    /// The life of the chain.
    pub epoch: u64,
    /// Number of its first event.
    pub first_number: u64,
    /// Number of its last event.
    pub last_number: u64,
    /// Earliest event time in it.
    pub ts_min: Timestamp,
    /// Latest event time in it.
    pub ts_max: Timestamp,
    /// Whether events of the wished kind may be in it.
    pub may_hold: bool,
    /// Bytes that were fetched to see it.
    pub bytes: usize,
}

impl Peek {
    /// The place of one of its events.
    pub(super) const fn at(&self, number: u64) -> Position {
        Position { epoch: self.epoch, number, sequence: self.sequence }
    }
}

/// What to do with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Nothing on the page is in it.
    Skip,
    /// Decode it and hand its events over.
    Decode,
    /// The page is complete without it and what lies beyond.
    Done,
    /// What should come next to the cursor is gone.
    Expired,
}

/// One page.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// In the order they were stored.
    pub events: Vec<AuditEvent>,
    /// Where each of them is.
    pub places: Vec<Position>,
    /// The next page begins behind this.
    pub next: Option<Position>,
    /// The previous page ends before this.
    pub previous: Option<Position>,
}

/// What both directions share: which events are wanted, and how much was done for them.
pub(super) struct Gathered {
    wish: Wish,
    begins: Timestamp,
    ends: Timestamp,
    found: Vec<(Position, AuditEvent)>,
    bytes: usize,
    effort: usize,
    rests: bool,
}

impl Gathered {
    pub(super) fn new(wish: Wish, reach: Reach) -> Self {
        let window: Window = wish.window;
        let (begins, ends) = (reach.begins(window), reach.ends(window));
        Self { wish, begins, ends, found: Vec::new(), bytes: 0, effort: 0, rests: false }
    }

    /// Stored so early that no event of the window can be in it.
    pub(super) fn is_before(&self, peek: &Peek) -> bool {
        peek.stored_at < self.begins
    }

    /// Stored so late that no event of the window can be in it.
    pub(super) fn is_beyond(&self, peek: &Peek) -> bool {
        peek.stored_at >= self.ends
    }

    /// Whether the record must be decoded.
    pub(super) fn may_hold(&mut self, peek: &Peek) -> bool {
        self.effort += 1 + peek.bytes / 1024;
        peek.may_hold && self.wish.window.touches(peek.ts_min, peek.ts_max)
    }

    /// Takes an event if it is wanted; false once there is one more than the page has room for,
    /// which proves that another page follows.
    pub(super) fn take(&mut self, at: Position, event: AuditEvent) -> bool {
        self.effort += 1;
        let kind = self.wish.kind.is_none_or(|kind| kind == event.kind());
        let text = |event| self.wish.text.as_ref().is_none_or(|text| text.is_in(event));
        let trail = !self.wish.trail || event.is_trail();
        if kind && trail && self.wish.window.contains(event.ts) && text(&event) {
            self.bytes += event.weight();
            self.found.push((at, event));
        }
        !self.is_full()
    }

    pub(super) fn is_full(&self) -> bool {
        self.found.len() > self.wish.size || (self.found.len() > 1 && self.bytes > BYTES_MAX)
    }

    /// Looks at nothing more.
    pub(super) const fn rest(&mut self) {
        self.rests = true;
    }

    pub(super) const fn is_tired(&self) -> bool {
        self.rests || self.effort >= EFFORT_MAX
    }

    /// What was taken; without the one too many.
    pub(super) fn finish(mut self) -> (Vec<(Position, AuditEvent)>, bool) {
        let full = self.is_full();
        if full {
            self.found.pop();
        }
        (self.found, full)
    }
}
