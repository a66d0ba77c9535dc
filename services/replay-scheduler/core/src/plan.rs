//! What a job has to read, so that no event of its window is missed.

pub use auditrelay_model::reach::Reach;
use auditrelay_model::replay::Plan;

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
