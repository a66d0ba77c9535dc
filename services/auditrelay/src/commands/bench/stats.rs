//! What many measurements say together.

use std::time::Duration;

/// Several measurements of the same thing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

impl Spread {
    /// None of no measurements.
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let upper = *sorted.get(sorted.len() / 2)?;
        let lower = *sorted.get(sorted.len().saturating_sub(1) / 2)?;
        Some(Self { median: f64::midpoint(lower, upper), min, max })
    }

    /// How the medians compare.
    pub(super) fn ratio_to(self, other: Self) -> Option<f64> {
        (other.median > 0.0).then(|| self.median / other.median)
    }
}

/// Latencies in order of size.
#[derive(Debug, Clone, Default)]
pub(super) struct Latencies(Vec<Duration>);

impl Latencies {
    pub(super) fn of(mut all: Vec<Duration>) -> Self {
        all.sort_unstable();
        Self(all)
    }

    /// The least one that so many thousandths of all do not exceed; the nearest rank.
    pub(super) fn percentile(&self, thousandths: usize) -> Option<Duration> {
        let rank = (self.0.len() * thousandths).div_ceil(1_000);
        self.0.get(rank.max(1) - 1).copied()
    }

    pub(super) fn max(&self) -> Option<Duration> {
        self.0.last().copied()
    }
}

/// What was accepted against what came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Ledger {
    pub(super) accepted: u64,
    /// Events that came, each counted once.
    pub(super) delivered: u64,
    /// Events that came again.
    pub(super) repeated: u64,
}

impl Ledger {
    /// Both together.
    pub(super) const fn and(self, other: Self) -> Self {
        Self {
            accepted: self.accepted + other.accepted,
            delivered: self.delivered + other.delivered,
            repeated: self.repeated + other.repeated,
        }
    }

    /// Whether all came, and each once.
    pub(super) const fn balances(self) -> bool {
        self.accepted == self.delivered && self.repeated == 0
    }
}

/// So many in so long, a second.
pub(super) fn per_second(count: u64, took: Duration) -> f64 {
    let seconds = took.as_secs_f64();
    if seconds > 0.0 { float(count) / seconds } else { 0.0 }
}

/// A part of each million.
pub(super) fn per_million(part: f64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { part * 1_000_000.0 / float(of) }
}

/// Exact below 2⁵³.
pub(super) fn float(number: u64) -> f64 {
    let half = |bits: u64| f64::from(u32::try_from(bits & 0xffff_ffff).unwrap_or(u32::MAX));
    half(number >> 32) * 4_294_967_296.0 + half(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_has_the_median_in_its_middle() {
        let spread = Spread::of(&[5.0, 1.0, 3.0]).unwrap();
        assert_eq!(spread, Spread { median: 3.0, min: 1.0, max: 5.0 });
        assert_eq!(Spread::of(&[4.0, 2.0]).map(|spread| spread.median), Some(3.0));
        assert_eq!(Spread::of(&[]), None);
        let half = Spread::of(&[1.5]).unwrap();
        assert_eq!(half.ratio_to(spread), Some(0.5));
        assert_eq!(half.ratio_to(Spread { median: 0.0, min: 0.0, max: 0.0 }), None);
    }

    #[test]
    fn percentiles_are_nearest_ranks() {
        let all = Latencies::of((1..=1_000).rev().map(Duration::from_millis).collect());
        let at = |thousandths| all.percentile(thousandths).unwrap().as_millis();
        assert_eq!((at(500), at(990), at(999), at(0)), (500, 990, 999, 1));
        assert_eq!(all.max(), Some(Duration::from_secs(1)));
        let one = Latencies::of(vec![Duration::from_millis(7)]);
        assert_eq!(one.percentile(500), one.percentile(990));
        assert_eq!(Latencies::default().percentile(500), None);
    }

    #[test]
    fn a_ledger_balances_when_each_came_once() {
        assert!(Ledger { accepted: 5, delivered: 5, repeated: 0 }.balances());
        assert!(!Ledger { accepted: 5, delivered: 4, repeated: 0 }.balances());
        assert!(!Ledger { accepted: 5, delivered: 5, repeated: 1 }.balances());
    }

    #[test]
    fn numbers_become_rates() {
        assert!((per_second(500, Duration::from_millis(250)) - 2_000.0).abs() < 1e-9);
        assert!((per_million(0.5, 100_000) - 5.0).abs() < 1e-9);
        assert!((float(1 << 40) - 1_099_511_627_776.0).abs() < 1e-9);
        assert!(per_second(1, Duration::ZERO).abs() < 1e-9 && per_million(1.0, 0).abs() < 1e-9);
    }
}
