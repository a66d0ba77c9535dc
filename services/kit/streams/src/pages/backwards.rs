//! The way back through a stream, which the broker only reads forward.

use std::ops::RangeInclusive;

/// Sequences of the first part.
const SPAN: u64 = 256;
/// A part with fewer messages makes the next one wider.
const FEW: usize = 64;

/// A way from a stream's newer messages to its older ones, in parts that fit to how many messages
/// are on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backwards {
    low: u64,
    high: u64,
    span: u64,
}

impl Backwards {
    /// From sequence `high` down to `low`, both included.
    pub fn new(low: u64, high: u64) -> Self {
        Self { low: low.max(1), high, span: SPAN }
    }

    /// Whether the way has been gone.
    pub const fn is_done(&self) -> bool {
        self.high < self.low
    }

    /// The next part.
    pub(super) fn part(&self) -> Option<RangeInclusive<u64>> {
        let from = self.high.saturating_sub(self.span - 1).max(self.low);
        (!self.is_done()).then_some(from..=self.high)
    }

    /// The part held more than one answer does.
    pub(super) fn narrow(&mut self) {
        self.span = (self.span / 8).max(1);
    }

    /// The part was read and held so many messages.
    pub(super) fn pass(&mut self, found: usize) {
        if let Some(part) = self.part() {
            self.high = part.start() - 1;
        }
        if found < FEW {
            self.span = self.span.saturating_mul(4);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_touch_and_end_at_the_bottom() {
        let mut way = Backwards::new(10, 2_000);
        assert_eq!(way.part(), Some(1_745..=2_000));
        way.pass(200);
        assert_eq!(way.part(), Some(1_489..=1_744), "dense: as wide as before");
        way.pass(3);
        assert_eq!(way.part(), Some(465..=1_488), "sparse: wider");
        way.narrow();
        assert_eq!(way.part(), Some(1_361..=1_488));
        way.pass(0);
        way.pass(0);
        assert_eq!(way.part(), Some(10..=848));
        way.pass(0);
        assert!(way.is_done());
        assert_eq!(way.part(), None);
    }

    #[test]
    fn there_may_be_no_way() {
        assert!(Backwards::new(5, 4).is_done());
        assert!(Backwards::new(0, 0).is_done());
        let mut one = Backwards::new(1, u64::MAX);
        for _ in 0..40 {
            one.narrow();
        }
        assert_eq!(one.part(), Some(u64::MAX..=u64::MAX));
    }
}
