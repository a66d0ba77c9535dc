//! A page behind a place, gathered in the order of the log.

use auditrelay_model::event::AuditEvent;
use auditrelay_model::reach::Reach;
use auditrelay_model::record::{Fit, Position, fit};

use super::page::{Gathered, Look, Page, Peek};
use super::wish::{At, Wish};

/// Gathers a page from records that come in the order they were stored.
pub struct Forward {
    gathered: Gathered,
    asked: Option<Position>,
    /// The last event that was looked at.
    seen: Option<Position>,
    /// Whether a record was looked at.
    met: bool,
    skip: usize,
    done: bool,
}

impl Forward {
    /// Behind the wish's cursor, or from the window's start.
    pub fn new(wish: Wish, reach: Reach) -> Self {
        let asked = match wish.at {
            At::After(position) => Some(position),
            At::Start | At::Before(_) => None,
        };
        let gathered = Gathered::new(wish, reach);
        Self { gathered, asked, seen: asked, met: false, skip: 0, done: false }
    }

    /// What to do with the next record.
    pub fn look(&mut self, peek: &Peek) -> Look {
        if self.done || self.gathered.is_tired() || self.gathered.is_beyond(peek) {
            return Look::Done;
        }
        // Another life of the chain says nothing about what followed in the cursor's own.
        let reborn = self.asked.is_some_and(|asked| asked.epoch != peek.epoch);
        if !std::mem::replace(&mut self.met, true) && reborn {
            return Look::Expired;
        }
        match fit(self.seen, peek.epoch, peek.first_number, peek.last_number) {
            Fit::Gap { .. } => Look::Expired,
            Fit::Known => Look::Skip,
            Fit::Next { skip } => {
                self.skip = skip;
                if self.gathered.may_hold(peek) {
                    return Look::Decode;
                }
                self.seen = Some(peek.at(peek.last_number));
                Look::Skip
            }
        }
    }

    /// The events of a record that had to be decoded.
    pub fn take(&mut self, peek: &Peek, events: Vec<AuditEvent>) {
        let numbered = (peek.first_number..).zip(events);
        for (number, event) in numbered.skip(self.skip) {
            if !self.gathered.take(peek.at(number), event) {
                self.done = true;
                return;
            }
        }
        self.seen = Some(peek.at(peek.last_number));
    }

    /// Ends the page here although more may belong on it.
    pub const fn rest(&mut self) {
        self.gathered.rest();
    }

    /// The page.
    pub fn finish(self) -> Page {
        let tired = self.gathered.is_tired();
        let (found, full) = self.gathered.finish();
        let last = found.last().map(|(at, _)| *at);
        let next = if full { last } else { self.seen.filter(|_| tired) };
        let previous = self.asked.map(|asked| match found.first() {
            Some((first, _)) => *first,
            None => Position { number: asked.number.saturating_add(1), ..asked },
        });
        let (places, events) = found.into_iter().unzip();
        Page { events, places, next, previous }
    }
}
