//! Which records travel to the broker alone, and which together.
//!
//! The broker syncs every message that comes alone, and a batch of messages a few times in all.
//! So a record that finds the way free travels alone, which is quickest; where so many scopes want
//! to store a little that records wait for their turn, those that wait become a *convoy*. One convoy
//! is on its way at a time: what the broker takes for it hardly depends on its length, so that what
//! gathers meanwhile is better one long one than two.

use std::collections::VecDeque;
use std::time::Duration;

/// Larger records are worth a sync of their own: they wait for nobody. Bytes of their events.
pub const RECORD_BYTES_MAX: usize = 32 * 1_024;
/// Records that are on their way alone at the same time.
pub const ALONE_MAX: usize = 16;

/// Fewer records are not worth what staging a batch costs the broker.
const RECORDS_MIN: usize = 16;
/// Most records of a convoy.
const RECORDS_MAX: usize = 256;
/// Where records get their turn sooner, the broker is quick enough as it is: a batch costs it more
/// than messages that it need not sync.
const PATIENCE: Duration = Duration::from_millis(20);
/// Who was answered a moment ago may have more to send.
const GATHERING: Duration = Duration::from_millis(5);
/// Who has waited so long goes, however many are on their way: they may never come back.
const PATIENCE_MAX: Duration = Duration::from_secs(1);
/// How long none leaves after one was refused: another instance writes to the same scopes, and a
/// batch is refused whole for a single record of it.
const PAUSE: Duration = Duration::from_secs(10);

/// Records that wait for their turn, in the order in which they came. Times are those of one
/// clock that only goes forward.
#[derive(Debug)]
pub struct Waiting<T> {
    all: VecDeque<(Duration, T)>,
    /// None leaves before.
    not_before: Duration,
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self { all: VecDeque::new(), not_before: Duration::ZERO }
    }
}

impl<T> Waiting<T> {
    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// One more waits.
    pub fn push(&mut self, now: Duration, one: T) {
        self.all.push_back((now, one));
    }

    /// Whose turn it is to go alone.
    pub fn pop(&mut self) -> Option<T> {
        self.all.pop_front().map(|(_, one)| one)
    }

    /// When the first one goes although it is not its turn.
    pub fn overdue_at(&self) -> Option<Duration> {
        self.all.front().map(|(since, _)| *since + PATIENCE_MAX)
    }

    /// When a convoy leaves, if nobody gets a turn before; none while there are too few.
    pub fn leaves_at(&self) -> Option<Duration> {
        let (since, _) = self.all.front().filter(|_| self.all.len() >= RECORDS_MIN)?;
        Some((*since + PATIENCE).max(self.not_before))
    }

    /// Those that leave together now.
    pub fn convoy(&mut self) -> Vec<T> {
        let count = self.all.len().min(RECORDS_MAX);
        self.all.drain(..count).map(|(_, one)| one).collect()
    }

    /// A convoy is no longer on its way: it was refused, or not.
    pub fn returned(&mut self, now: Duration, refused: bool) {
        self.not_before = now + if refused { PAUSE } else { GATHERING };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn waiting(count: usize) -> Waiting<usize> {
        let mut waiting = Waiting::default();
        (0..count).for_each(|n| waiting.push(100 * MS, n));
        waiting
    }

    #[test]
    fn a_few_wait_for_their_turn_and_go_anyway_after_a_second() {
        let mut few = waiting(RECORDS_MIN - 1);
        assert_eq!(few.leaves_at(), None);
        assert_eq!(few.overdue_at(), Some(1_100 * MS));
        assert_eq!((few.pop(), few.pop()), (Some(0), Some(1)));
        assert_eq!(Waiting::<usize>::default().overdue_at(), None);
    }

    #[test]
    fn many_that_get_no_turn_leave_together_and_in_order() {
        let mut many = waiting(RECORDS_MIN);
        many.push(104 * MS, RECORDS_MIN);
        assert_eq!(many.leaves_at(), Some(120 * MS));
        assert_eq!(many.convoy(), (0..=RECORDS_MIN).collect::<Vec<_>>());
        assert!(many.is_empty());
    }

    #[test]
    fn a_convoy_has_a_greatest_length() {
        let mut many = waiting(RECORDS_MAX + 1);
        assert_eq!(many.convoy().len(), RECORDS_MAX);
        assert_eq!(many.pop(), Some(RECORDS_MAX));
    }

    #[test]
    fn the_next_one_leaves_when_those_who_were_answered_have_come_again() {
        let mut many = waiting(RECORDS_MIN);
        many.returned(118 * MS, false);
        assert_eq!(many.leaves_at(), Some(123 * MS));
    }

    #[test]
    fn none_leaves_for_a_while_after_one_was_refused() {
        let mut many = waiting(RECORDS_MIN);
        many.returned(101 * MS, true);
        assert_eq!(many.leaves_at(), Some(10_101 * MS));
        assert_eq!(many.overdue_at(), Some(1_100 * MS));
    }
}
