//! What a job has to read, so that no event of its window is missed.

pub use auditrelay_model::reach::Reach;
use auditrelay_model::record::Position;
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

/// The plan between the first and the last record of the stretch, behind the event that is done
/// already; empty when there is none.
pub fn between(first: Option<Edge>, last: Option<Edge>, done: Option<Position>) -> Plan {
    let (Some(first), Some(last)) = (first, last) else { return Plan::EMPTY };
    let before = before(first, done);
    let is_done = (before.epoch, before.number) >= (last.epoch, last.last_number);
    if last.sequence < first.sequence || is_done {
        return Plan::EMPTY;
    }
    Plan {
        from_sequence: first.sequence,
        until_sequence: last.sequence,
        estimated_events: numbers(before, last),
        before: Some(before),
        ..Plan::EMPTY
    }
}

/// The place behind which the first event is due.
fn before(first: Edge, done: Option<Position>) -> Position {
    let natural = Position {
        epoch: first.epoch,
        number: first.first_number.saturating_sub(1),
        sequence: first.sequence.saturating_sub(1),
    };
    done.map_or(natural, |done| if is_ahead(done, natural) { done } else { natural })
}

/// What was done elsewhere counts if it reaches into this stretch, or ends before it in the same
/// life: then what is missing between the two is missing here.
const fn is_ahead(done: Position, natural: Position) -> bool {
    done.epoch >= natural.epoch
}

/// Numbers are gapless within an epoch. An epoch begins only when every record before it is gone,
/// so two of them meet at most while the older one expires; then the newer one's count is it.
const fn numbers(before: Position, last: Edge) -> u64 {
    let before = if before.epoch == last.epoch { before.number } else { 0 };
    last.last_number.saturating_sub(before)
}

/// Whether `last` is the last record of its scope up to `until`, as the leader knows: a replica
/// that lags may have named an earlier one.
pub const fn is_last(last: u64, next_on_leader: Option<u64>, until: u64) -> bool {
    match next_on_leader {
        Some(next) => next > until && last <= until,
        None => last <= until,
    }
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

    fn span(plan: &Plan) -> (u64, u64, u64) {
        (plan.from_sequence, plan.until_sequence, plan.estimated_events)
    }

    #[expect(clippy::unnecessary_wraps, reason = "plans are compared with it")]
    fn place(epoch: u64, number: u64, sequence: u64) -> Option<Position> {
        Some(Position { epoch, number, sequence })
    }

    #[test]
    fn a_plan_counts_the_numbers_between_its_ends() {
        let first = Some(edge(10, 1, 101, 120));
        let plan = between(first, Some(edge(40, 1, 400, 450)), None);
        assert_eq!((span(&plan), plan.before), ((10, 40, 350), place(1, 100, 9)));
        assert_eq!(span(&between(first, first, None)), (10, 10, 20));
        let two_epochs = between(first, Some(edge(11, 2, 1, 7)), None);
        assert_eq!(two_epochs.estimated_events, 7);
    }

    #[test]
    fn a_remainder_begins_behind_what_is_done() {
        let (first, last) = (Some(edge(10, 1, 101, 120)), Some(edge(40, 1, 400, 450)));
        let inside = between(first, last, place(1, 110, 9));
        assert_eq!((inside.estimated_events, inside.before), (340, place(1, 110, 9)));
        // Records between what is done and the first that is held are gone: they are due.
        let gone = between(first, last, place(1, 90, 8));
        assert_eq!((gone.estimated_events, gone.before), (360, place(1, 90, 8)));
        assert!(between(first, last, place(1, 450, 40)).is_empty());
        let of_another_life = between(first, last, place(0, 900, 5));
        assert_eq!(of_another_life.before, place(1, 100, 9));
    }

    #[test]
    fn nothing_between_the_ends_is_an_empty_plan() {
        assert!(between(None, None, None).is_empty());
        assert!(between(Some(edge(10, 1, 1, 1)), None, None).is_empty());
        assert!(between(None, Some(edge(10, 1, 1, 1)), None).is_empty());
        assert!(between(Some(edge(11, 1, 2, 2)), Some(edge(10, 1, 1, 1)), None).is_empty());
    }

    #[test]
    fn only_the_leader_can_tell_which_record_is_the_last() {
        assert!(is_last(20, None, 50));
        assert!(is_last(20, Some(51), 50));
        assert!(!is_last(20, Some(50), 50), "a replica that lags named an earlier one");
        assert!(!is_last(51, None, 50));
    }
}
