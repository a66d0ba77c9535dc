//! How a receiver that was down gets more and more: nobody who has just come back is handed
//! everything at once.

use std::time::Duration;

use super::Moment;

/// The rate doubles in this time.
const DOUBLES_EVERY: Duration = Duration::from_millis(250);
/// A batch holds what may go out in this time.
const BATCHES_A_SECOND: u64 = 4;
/// From this rate on nothing is held back.
const ENOUGH: u64 = 50_000;

/// A rate that doubles until it is no limit any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ramp {
    /// Events a second in the beginning.
    first: u64,
    began: Duration,
}

impl Ramp {
    pub(super) fn new(first: u32, moment: Moment) -> Self {
        Self { first: u64::from(first).max(1), began: moment.running }
    }

    /// Events a second now; none when it is no limit any more.
    fn rate(&self, moment: Moment) -> Option<u64> {
        let elapsed = moment.running.saturating_sub(self.began);
        let doublings = elapsed.as_millis() / DOUBLES_EVERY.as_millis();
        let factor = 1_u64.checked_shl(u32::try_from(doublings).unwrap_or(u32::MAX));
        let rate = factor.unwrap_or(u64::MAX).saturating_mul(self.first);
        (rate < ENOUGH).then_some(rate)
    }

    /// Most events of a batch; none when there is no limit.
    pub(super) fn most(&self, moment: Moment) -> Option<usize> {
        let most = self.rate(moment)?.div_ceil(BATCHES_A_SECOND).max(1);
        Some(usize::try_from(most).unwrap_or(usize::MAX))
    }

    /// How long to wait after a batch of so many events.
    pub(super) fn wait(&self, events: usize, moment: Moment) -> Option<Duration> {
        let rate = self.rate(moment)?;
        let micros = (events as u64).saturating_mul(1_000_000) / rate.max(1);
        Some(Duration::from_micros(micros))
    }
}

#[cfg(test)]
mod tests {
    use auditrelay_model::Timestamp;
    use auditrelay_model::backoff::Chance;
    use auditrelay_model::id::BatchId;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_wait_after_a_batch_keeps_the_rate_of_that_time() {
        let moment = |millis| Moment {
            now: Timestamp::from_nanos(0),
            chance: Chance(0),
            running: Duration::from_millis(millis),
            fresh: BatchId::from_uuid(Uuid::nil()),
        };
        let ramp = Ramp::new(8, moment(1_000));
        for (at, wait) in [(1_000, 1_000), (1_249, 1_000), (1_250, 500), (1_500, 250)] {
            assert_eq!(ramp.wait(8, moment(at)), Some(Duration::from_millis(wait)), "{at}");
        }
        assert_eq!(ramp.wait(8, moment(10_000)), None);
    }
}
