//! From event time to storage time.
//!
//! Windows are over event time; JetStream finds records by storage time, read from the leader's
//! clock. Ingest bounds the distance between the two, so a wider stretch of storage time holds
//! every event of the window; each event is then admitted by its own `ts`.

use std::time::Duration;

use crate::{Timestamp, Window};

/// How far storage time may lie from event time: the widest that ingest can be set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// How far ahead of its storage an event's `ts` may be.
    pub future_skew: Duration,
    /// How far behind its storage an event's `ts` may be.
    pub lateness: Duration,
    /// How far the clocks of ingest and of the brokers may be apart.
    pub clock_margin: Duration,
}

impl Default for Reach {
    fn default() -> Self {
        Self {
            future_skew: Duration::from_mins(5),
            lateness: Duration::from_hours(24),
            clock_margin: Duration::from_mins(10),
        }
    }
}

impl Reach {
    /// No event of the window was stored before this instant.
    pub fn begins(&self, window: Window) -> Timestamp {
        window.start() - self.future_skew - self.clock_margin
    }

    /// No event of the window was stored at or after this instant.
    pub fn ends(&self, window: Window) -> Timestamp {
        window.end() + self.lateness + self.clock_margin + Duration::from_nanos(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stretch_holds_the_earliest_and_the_latest_storage_of_every_event_in_the_window() {
        let reach = Reach::default();
        let day = Duration::from_hours(24);
        let start = Timestamp::from_nanos(1_800_000_000_000_000_000);
        let window = Window::stored(start, start + Duration::from_mins(1));
        // Accepted with a `ts` ahead of, or behind, the clock of a broker that is off itself.
        let earliest = window.start() - reach.future_skew - Duration::from_secs(599);
        let latest = window.end() + day + Duration::from_secs(599);
        assert!(reach.begins(window) < earliest);
        assert!(latest < reach.ends(window));
        assert_eq!(
            reach.ends(window).since(reach.begins(window)).as_secs(),
            24 * 3600 + 60 + 25 * 60
        );
    }
}
