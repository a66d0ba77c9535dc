//! What a job has to read, so that no event of its window is missed.
//!
//! A window is over event time; JetStream finds records by storage time, read from the leader's
//! clock. Ingest bounds the distance between the two, so a wider stretch of storage time holds
//! every event of the window; each event is then admitted by its own `ts`.

use std::time::Duration;

use auditrelay_model::replay::Plan;
use auditrelay_model::{Timestamp, Window};

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

/// The last sequence that may belong to a job: what was stored when it was accepted, cut where
/// the scope's first record `beyond` the stretch begins.
pub fn last_sequence(snapshot_sequence: u64, beyond: Option<u64>) -> u64 {
    beyond.map_or(snapshot_sequence, |beyond| snapshot_sequence.min(beyond.saturating_sub(1)))
}

/// One end of the stretch that is read: a record of the scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// The record's sequence.
    pub sequence: u64,
    /// The life of the chain it belongs to.
    pub epoch: u64,
    /// Number of its first event.
    pub first_number: u64,
    /// Number of its last event.
    pub last_number: u64,
}

/// The plan between the first and the last record of the stretch; empty when there is none.
pub fn between(first: Option<Edge>, last: Option<Edge>) -> Plan {
    let (Some(first), Some(last)) = (first, last) else { return Plan::EMPTY };
    if last.sequence < first.sequence {
        return Plan::EMPTY;
    }
    Plan {
        from_sequence: first.sequence,
        until_sequence: last.sequence,
        estimated_events: numbers(first, last),
    }
}

/// Numbers are gapless within an epoch. An epoch begins only when every record before it is gone,
/// so two of them meet at most while the older one expires; then the newer one's count is it.
fn numbers(first: Edge, last: Edge) -> u64 {
    let before = if first.epoch == last.epoch { first.first_number.saturating_sub(1) } else { 0 };
    last.last_number.saturating_sub(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(sequence: u64, epoch: u64, first_number: u64, last_number: u64) -> Edge {
        Edge { sequence, epoch, first_number, last_number }
    }

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

    #[test]
    fn the_stretch_ends_at_the_snapshot_or_before_the_first_record_beyond_it() {
        assert_eq!(last_sequence(50, None), 50);
        assert_eq!(last_sequence(50, Some(51)), 50);
        assert_eq!(last_sequence(50, Some(90)), 50);
        assert_eq!(last_sequence(50, Some(20)), 19);
        assert_eq!(last_sequence(0, Some(0)), 0);
    }

    #[test]
    fn a_plan_counts_the_numbers_between_its_ends() {
        let plan = between(Some(edge(10, 1, 101, 120)), Some(edge(40, 1, 400, 450)));
        assert_eq!(plan, Plan { from_sequence: 10, until_sequence: 40, estimated_events: 350 });
        let one = between(Some(edge(10, 1, 101, 120)), Some(edge(10, 1, 101, 120)));
        assert_eq!(one, Plan { from_sequence: 10, until_sequence: 10, estimated_events: 20 });
        let two_epochs = between(Some(edge(10, 1, 101, 120)), Some(edge(11, 2, 1, 7)));
        assert_eq!(two_epochs.estimated_events, 7);
    }

    #[test]
    fn nothing_between_the_ends_is_an_empty_plan() {
        assert!(between(None, None).is_empty());
        assert!(between(Some(edge(10, 1, 1, 1)), None).is_empty());
        assert!(between(None, Some(edge(10, 1, 1, 1))).is_empty());
        assert!(between(Some(edge(11, 1, 2, 2)), Some(edge(10, 1, 1, 1))).is_empty());
    }
}
