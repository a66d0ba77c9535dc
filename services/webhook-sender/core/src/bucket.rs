//! A cap on events a second. A batch goes when nothing is owed, and what it takes is owed then:
//! over time the rate is exact, and no batch is too large for it.

use std::time::Duration;

/// What may be saved up for a burst.
const BURST: Duration = Duration::from_secs(1);

/// Events that may go now; negative while some are owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// In millionths of an event.
    balance: i64,
    at: Duration,
}

impl Bucket {
    /// Nothing is owed and nothing saved at `running`.
    pub const fn new(running: Duration) -> Self {
        Self { balance: 0, at: running }
    }

    /// Takes `events` when nothing is owed, at a rate of events a second; otherwise says when to
    /// ask again.
    pub fn take(&mut self, events: usize, rate: u64, running: Duration) -> Result<(), Duration> {
        let rate = i64::try_from(rate.max(1)).unwrap_or(i64::MAX);
        let micros = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        let earned = micros(running.saturating_sub(self.at)).saturating_mul(rate);
        let most = micros(BURST).saturating_mul(rate);
        self.balance = self.balance.saturating_add(earned).min(most);
        self.at = running;
        if self.balance < 0 {
            let wait = self.balance.unsigned_abs().div_ceil(rate.unsigned_abs());
            return Err(Duration::from_micros(wait));
        }
        let events = i64::try_from(events).unwrap_or(i64::MAX);
        self.balance = self.balance.saturating_sub(events.saturating_mul(1_000_000));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_time_the_rate_is_exact_however_large_the_batches() {
        for batch in [1, 50, 5_000] {
            let mut bucket = Bucket::new(Duration::ZERO);
            let (mut now, mut sent) = (Duration::ZERO, 0);
            while now < Duration::from_mins(5) {
                match bucket.take(batch, 100, now) {
                    Ok(()) => sent += batch,
                    Err(wait) => now += wait,
                }
            }
            assert!((30_000..=30_000 + 2 * batch.max(100)).contains(&sent), "{batch}: {sent}");
        }
    }

    #[test]
    fn after_a_silence_no_more_than_a_second_is_made_up_for() {
        let mut bucket = Bucket::new(Duration::ZERO);
        let now = Duration::from_hours(1);
        assert_eq!(bucket.take(100, 100, now), Ok(()));
        assert_eq!(bucket.take(100, 100, now), Ok(()));
        assert_eq!(bucket.take(1, 100, now), Err(Duration::from_secs(1)));
    }
}
