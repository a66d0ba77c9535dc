//! How long to wait before the next try.

use std::time::Duration;

/// Doubling waits between two bounds, with jitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The first wait.
    pub min: Duration,
    /// No wait is longer, jitter aside.
    pub max: Duration,
}

impl Backoff {
    /// The wait after the `failures`-th failure in a row (1 for the first): `min` · 2ⁿ⁻¹, at most
    /// `max`, changed by up to ±20 % as `chance` says.
    pub fn delay(self, failures: u32, chance: Chance) -> Duration {
        let factor = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        let base = self.min.saturating_mul(factor).min(self.max);
        // 80 % + 0…40 %.
        base * 4 / 5 + base * 2 / 5 * u32::from(chance.0) / u32::from(u16::MAX)
    }
}

/// A number drawn at random by the shell, so that decisions stay pure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chance(pub u16);

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff { min: Duration::from_secs(1), max: Duration::from_secs(30) };

    #[test]
    fn waits_double_up_to_the_bound() {
        let middle = Chance(u16::MAX / 2);
        for (failures, seconds) in [(1, 1.0), (2, 2.0), (3, 4.0), (5, 16.0), (6, 30.0), (99, 30.0)]
        {
            let wait = BACKOFF.delay(failures, middle).as_secs_f64();
            assert!((wait - seconds).abs() < seconds * 0.001, "{failures}: {wait}");
        }
    }

    #[test]
    fn jitter_stays_within_a_fifth() {
        assert_eq!(BACKOFF.delay(1, Chance(0)), Duration::from_millis(800));
        assert_eq!(BACKOFF.delay(1, Chance(u16::MAX)), Duration::from_millis(1_200));
    }
}
