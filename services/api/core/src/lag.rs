//! How far a live lane is behind its log, and how long what waits is still kept.

use std::time::Duration;

use auditrelay_model::Timestamp;
use auditrelay_model::record::Position;
use auditrelay_model::window::RETENTION;

/// What waits to be delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lag {
    /// How many events.
    pub events: u64,
    /// When the oldest of them was stored; none when nothing waits.
    pub oldest: Option<Timestamp>,
}

/// The span of a log that a record holds, and when it was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// The life of the chain.
    pub epoch: u64,
    /// Number of its first event.
    pub first_number: u64,
    /// Number of its last event.
    pub last_number: u64,
    /// When it was stored.
    pub stored_at: Timestamp,
}

impl Lag {
    /// From the lane's cursor, the records around it in the log's order, and the log's newest one.
    /// Without a cursor nothing was delivered yet, and everything from the first record given on
    /// waits.
    pub fn of(cursor: Option<Position>, around: &[Held], newest: Option<Held>) -> Self {
        let waits = |held: &&Held| cursor.is_none_or(|cursor| held.is_behind(cursor));
        let (Some(oldest), Some(newest)) = (around.iter().find(waits), newest) else {
            return Self::default();
        };
        let done = match cursor {
            Some(cursor) if cursor.epoch == newest.epoch => cursor.number,
            Some(_) => 0,
            None => oldest.first_number.saturating_sub(1),
        };
        let events = newest.last_number.saturating_sub(done);
        Self { events, oldest: (events > 0).then_some(oldest.stored_at) }
    }

    /// How long the oldest has waited.
    pub fn waited(&self, now: Timestamp) -> Duration {
        self.oldest.map_or(Duration::ZERO, |oldest| now.since(oldest))
    }

    /// When the oldest is kept no longer.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.oldest.map(|oldest| oldest + RETENTION)
    }
}

impl Held {
    /// Whether an event of it lies behind a cursor.
    fn is_behind(&self, cursor: Position) -> bool {
        (self.epoch, self.last_number) > (cursor.epoch, cursor.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(epoch: u64, first_number: u64, last_number: u64, second: i64) -> Held {
        let stored_at = Timestamp::from_nanos(second * 1_000_000_000);
        Held { epoch, first_number, last_number, stored_at }
    }

    #[test]
    fn what_lies_behind_the_cursor_waits() {
        let cursor = |number| Some(Position { epoch: 1, number, sequence: 4 });
        let log = [held(1, 1, 10, 100), held(1, 11, 30, 200)];
        let lag = |cursor| Lag::of(cursor, &log, log.last().copied());
        assert_eq!(lag(cursor(30)), Lag::default());
        assert_eq!(lag(cursor(10)), Lag { events: 20, oldest: Some(log[1].stored_at) });
        assert_eq!(lag(cursor(9)), Lag { events: 21, oldest: Some(log[0].stored_at) });
        assert_eq!(lag(None), Lag { events: 30, oldest: Some(log[0].stored_at) });
        assert_eq!(Lag::of(None, &[], None), Lag::default());
        let overtaken = Lag::of(cursor(30), &[held(1, 31, 40, 300)], log.last().copied());
        assert_eq!(overtaken, Lag::default(), "the newest was read before the cursor moved");
    }

    #[test]
    fn a_new_life_of_the_chain_waits_whole() {
        let cursor = Some(Position { epoch: 1, number: 900, sequence: 4 });
        let log = [held(2, 1, 5, 100)];
        let lag = Lag::of(cursor, &log, log.last().copied());
        assert_eq!(lag.events, 5);
        let now = log[0].stored_at + Duration::from_mins(1);
        assert_eq!(lag.waited(now), Duration::from_mins(1));
        assert_eq!(lag.expires_at(), Some(log[0].stored_at + RETENTION));
    }
}
