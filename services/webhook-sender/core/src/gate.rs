//! Between a shard and one of its lanes: a short queue that never makes the shard wait.
//!
//! When the queue is full the gate shuts; the lane then stores that it falls behind and leaves:
//! what waits is acknowledged, and so is everything that comes until it rejoins.

use std::collections::VecDeque;

use auditrelay_model::record::Position;

use crate::batch::Caps;

/// A queue of records `T`, each with what acknowledges it, `A`.
#[derive(Debug)]
pub struct Gate<T, A> {
    room: Caps,
    mode: Mode<A>,
    queue: VecDeque<Waiting<T, A>>,
    bytes: usize,
    /// The last record that the lane has to read on its own, or has taken and may not have kept.
    skipped: Option<Position>,
    taken: Option<Position>,
    /// The last record that came, and the last ones of earlier lives of the log.
    newest: Option<Position>,
    ends: VecDeque<Position>,
}

/// A life of a log takes a whole retention to end: few end while a lane is behind.
const ENDS_MAX: usize = 16;

#[derive(Debug)]
enum Mode<A> {
    Open,
    /// Full: what came since, up to there.
    Shut {
        since: Vec<A>,
        last: Position,
    },
    Left,
}

#[derive(Debug)]
struct Waiting<T, A> {
    last: Position,
    bytes: usize,
    record: T,
    acker: A,
}

/// What became of a record.
#[derive(Debug, PartialEq, Eq)]
pub enum Offered<A> {
    /// The lane has it, or knows that there is more.
    Taken,
    /// The lane reads on its own: acknowledge it.
    Skipped(A),
}

impl<T, A> Gate<T, A> {
    /// The gate of a lane that takes its records from the shard.
    pub const fn open(room: Caps) -> Self {
        Self::new(room, Mode::Open, None)
    }

    /// The gate of a lane that was found behind; records up to `skipped` were skipped before.
    pub const fn left(room: Caps, skipped: Option<Position>) -> Self {
        Self::new(room, Mode::Left, skipped)
    }

    const fn new(room: Caps, mode: Mode<A>, skipped: Option<Position>) -> Self {
        let queue = VecDeque::new();
        let ends = VecDeque::new();
        Self { room, mode, queue, bytes: 0, skipped, taken: None, newest: skipped, ends }
    }

    /// A record comes from the shard; `last` is its last event. At most `most` records may wait,
    /// where that is less than the queue holds.
    pub fn offer(
        &mut self,
        last: Position,
        bytes: usize,
        most: usize,
        (record, acker): (T, A),
    ) -> Offered<A> {
        self.note(last);
        let has_room =
            self.queue.len() < most.min(self.room.events) && self.bytes < self.room.bytes;
        match &mut self.mode {
            Mode::Open if has_room => {
                self.bytes += bytes;
                self.queue.push_back(Waiting { last, bytes, record, acker });
                Offered::Taken
            }
            Mode::Open => {
                self.mode = Mode::Shut { since: vec![acker], last };
                Offered::Taken
            }
            Mode::Shut { since, last: until } => {
                since.push(acker);
                *until = last;
                Offered::Taken
            }
            Mode::Left => {
                self.skipped = self.skipped.or_later(last);
                Offered::Skipped(acker)
            }
        }
    }

    fn note(&mut self, last: Position) {
        if let Some(newest) = self.newest.filter(|newest| newest.epoch < last.epoch) {
            self.ends.push_back(newest);
            self.ends.truncate(ENDS_MAX);
        }
        self.newest = self.newest.or_later(last);
    }

    /// Where the lives of the log before `epoch` ended, as far as it is known.
    pub fn ends_before(&self, epoch: u64) -> Vec<Position> {
        let all = self.ends.iter().copied().chain(self.newest);
        all.filter(|end| end.epoch < epoch).collect()
    }

    /// The next record for the lane.
    pub fn take(&mut self) -> Option<(T, A)> {
        let next = self.queue.pop_front()?;
        self.bytes = self.bytes.saturating_sub(next.bytes);
        self.taken = self.taken.or_later(next.last);
        Some((next.record, next.acker))
    }

    /// Whether the lane must leave.
    pub const fn is_shut(&self) -> bool {
        matches!(self.mode, Mode::Shut { .. })
    }

    /// The lane reads on its own from here on; returns what is to be acknowledged.
    pub fn leave(&mut self) -> Vec<A> {
        let mut waiting = Vec::new();
        // Taken, but perhaps not kept: a record behind a gap is read again.
        if let Some(taken) = self.taken.take() {
            self.skipped = self.skipped.or_later(taken);
        }
        for Waiting { last, acker, .. } in self.queue.drain(..) {
            self.skipped = self.skipped.or_later(last);
            waiting.push(acker);
        }
        self.bytes = 0;
        if let Mode::Shut { since, last } = std::mem::replace(&mut self.mode, Mode::Left) {
            waiting.extend(since);
            self.skipped = self.skipped.or_later(last);
        }
        waiting
    }

    /// Takes the lane back if it has everything up to there and nothing later was skipped;
    /// otherwise says up to where it must read.
    pub fn rejoin(&mut self, has: Position) -> Result<(), Position> {
        match self.skipped {
            Some(skipped) if is_later(skipped, has) => Err(skipped),
            _ => {
                self.mode = Mode::Open;
                Ok(())
            }
        }
    }

    /// Takes the lane back although it has not read up to `gone`, which no longer exists; false
    /// when something later was skipped meanwhile.
    pub fn reopen(&mut self, gone: Position) -> bool {
        let nothing_since = self.skipped == Some(gone);
        if nothing_since {
            self.mode = Mode::Open;
        }
        nothing_since
    }
}

/// Sequences grow with epochs, but for a stream that was made anew: they begin again there. Of a
/// record that cannot be read no epoch is known.
const fn is_later(one: Position, other: Position) -> bool {
    if one.epoch == other.epoch || one.epoch == 0 || other.epoch == 0 {
        one.sequence > other.sequence
    } else {
        one.epoch > other.epoch
    }
}

trait Later {
    fn or_later(self, other: Position) -> Self;
}

impl Later for Option<Position> {
    fn or_later(self, other: Position) -> Self {
        self.filter(|known| !is_later(other, *known)).or(Some(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(sequence: u64) -> Position {
        Position { epoch: 1, number: sequence, sequence }
    }

    fn gate() -> Gate<u64, u64> {
        Gate::open(Caps { events: 2, bytes: 1_000 })
    }

    #[test]
    fn a_full_queue_shuts_the_gate_and_keeps_what_comes_for_the_lane_to_acknowledge() {
        let mut gate = gate();
        for n in 1..=4 {
            assert_eq!(gate.offer(at(n), 1, 9, (n, n)), Offered::Taken);
        }
        assert!(gate.is_shut());
        assert_eq!(gate.take(), Some((1, 1)));
        assert_eq!(gate.leave(), [2, 3, 4]);
        assert_eq!(gate.offer(at(5), 1, 9, (5, 5)), Offered::Skipped(5));
        assert_eq!(gate.take(), None);
    }

    #[test]
    fn a_lane_is_taken_back_only_with_everything_that_was_skipped() {
        let mut gate = gate();
        assert_eq!(gate.leave(), [] as [u64; 0]);
        assert_eq!(gate.offer(at(5), 1, 9, (5, 5)), Offered::Skipped(5));
        assert_eq!(gate.rejoin(at(4)), Err(at(5)));
        assert_eq!(gate.rejoin(at(5)), Ok(()));
        assert_eq!(gate.offer(at(6), 1, 9, (6, 6)), Offered::Taken);
        assert_eq!(gate.take(), Some((6, 6)));
    }

    #[test]
    fn what_was_taken_and_not_kept_must_be_read_before_the_lane_is_taken_back() {
        let mut gate = gate();
        gate.offer(at(3), 1, 9, (3, 3));
        gate.take();
        gate.leave();
        assert_eq!(gate.rejoin(at(2)), Err(at(3)));
    }

    #[test]
    fn what_is_skipped_of_a_stream_that_begins_again_is_later_than_all_before() {
        let mut gate = Gate::left(Caps { events: 2, bytes: 1_000 }, Some(at(30)));
        let again = Position { epoch: 2, number: 5, sequence: 1 };
        assert_eq!(gate.offer(again, 1, 9, (1, 1)), Offered::Skipped(1));
        assert!(!gate.reopen(at(30)), "something was skipped since");
        assert_eq!(gate.rejoin(at(30)), Err(again));
        assert_eq!(gate.rejoin(again), Ok(()));
        // Of the last record only its sequence could be read.
        let unknown = Position { sequence: 7, ..Position::default() };
        let mut gate: Gate<u64, u64> = Gate::left(Caps { events: 2, bytes: 1_000 }, Some(unknown));
        assert_eq!(gate.rejoin(at(6)), Err(unknown));
        assert_eq!(gate.rejoin(at(7)), Ok(()));
    }

    #[test]
    fn where_earlier_lives_of_a_log_ended_is_remembered() {
        let mut gate = Gate::left(Caps { events: 2, bytes: 1_000 }, Some(at(3)));
        gate.offer(at(4), 1, 9, (4, 4));
        let again = Position { epoch: 2, number: 1, sequence: 9 };
        assert_eq!(
            gate.ends_before(2),
            [at(4)],
            "also before the first record of the new one came"
        );
        gate.offer(again, 1, 9, (9, 9));
        assert_eq!(gate.ends_before(2), [at(4)]);
        assert_eq!(gate.ends_before(1), []);
    }

    #[test]
    fn a_record_that_comes_again_does_not_hide_a_later_one() {
        let mut gate = gate();
        gate.leave();
        for sequence in [5, 4] {
            gate.offer(at(sequence), 1, 9, (sequence, sequence));
        }
        assert_eq!(gate.rejoin(at(4)), Err(at(5)));
    }

    #[test]
    fn a_lane_is_taken_back_without_what_is_gone_unless_more_came() {
        let mut gate = gate();
        assert!(!gate.is_shut());
        gate.leave();
        gate.offer(at(5), 1, 9, (5, 5));
        assert!(!gate.reopen(at(4)));
        assert_eq!(gate.offer(at(6), 1, 9, (6, 6)), Offered::Skipped(6));
        assert!(gate.reopen(at(6)));
        assert_eq!(gate.offer(at(7), 1, 9, (7, 7)), Offered::Taken);
    }

    #[test]
    fn a_crowded_gate_shuts_early() {
        let mut gate = gate();
        assert_eq!(gate.offer(at(1), 1, 0, (1, 1)), Offered::Taken);
        assert!(gate.is_shut());
    }

    #[test]
    fn bytes_fill_the_queue_too() {
        let mut gate = gate();
        assert_eq!(gate.offer(at(1), 1_000, 9, (1, 1)), Offered::Taken);
        assert_eq!(gate.offer(at(2), 1, 9, (2, 2)), Offered::Taken);
        assert!(gate.is_shut());
    }
}
