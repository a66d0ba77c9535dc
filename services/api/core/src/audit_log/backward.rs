//! A page before a place, gathered against the order of the log.

use auditrelay_model::event::AuditEvent;
use auditrelay_model::reach::Reach;
use auditrelay_model::record::Position;

use super::page::{Gathered, Look, Page, Peek};
use super::wish::Wish;

/// Gathers a page from records that come newest first.
pub struct Backward {
    gathered: Gathered,
    before: Position,
    /// The first event that was looked at.
    seen: Option<Position>,
    /// Whether the cursor's own record was met.
    met: bool,
    done: bool,
}

impl Backward {
    /// Before a cursor.
    pub fn new(wish: Wish, before: Position, reach: Reach) -> Self {
        let gathered = Gathered::new(wish, reach);
        Self { gathered, before, seen: None, met: false, done: false }
    }

    /// What to do with the next record.
    pub fn look(&mut self, peek: &Peek) -> Look {
        if !self.met && peek.sequence != self.before.sequence {
            return Look::Expired;
        }
        self.met = true;
        if self.done || self.gathered.is_tired() || self.gathered.is_before(peek) {
            self.done = true;
            return Look::Done;
        }
        if self.is_asked_for(peek, peek.first_number) && self.gathered.may_hold(peek) {
            return Look::Decode;
        }
        self.seen = Some(peek.at(peek.first_number));
        Look::Skip
    }

    fn is_asked_for(&self, peek: &Peek, number: u64) -> bool {
        (peek.epoch, number) < (self.before.epoch, self.before.number)
    }

    /// The events of a record that had to be decoded, in their own order.
    pub fn take(&mut self, peek: &Peek, events: Vec<AuditEvent>) {
        let numbered: Vec<_> = (peek.first_number..).zip(events).collect();
        for (number, event) in numbered.into_iter().rev() {
            if !self.is_asked_for(peek, number) {
                continue;
            }
            if !self.gathered.take(peek.at(number), event) {
                self.done = true;
                return;
            }
        }
        self.seen = Some(peek.at(peek.first_number));
    }

    /// Whether the cursor's own record was met; without it the cursor has expired.
    pub const fn has_met(&self) -> bool {
        self.met
    }

    /// Ends the page here although more may belong on it.
    pub const fn rest(&mut self) {
        self.gathered.rest();
    }

    /// The page.
    pub fn finish(self) -> Page {
        let tired = self.gathered.is_tired();
        let (found, full) = self.gathered.finish();
        let first = found.last().map(|(at, _)| *at);
        let previous = if full { first } else { self.seen.filter(|_| tired) };
        let next = match found.first() {
            Some((last, _)) => *last,
            None => Position { number: self.before.number.saturating_sub(1), ..self.before },
        };
        let (places, events) = found.into_iter().rev().unzip();
        Page { events, places, next: Some(next), previous }
    }
}
