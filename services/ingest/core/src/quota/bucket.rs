//! One bucket, as the moment at which it is full again.

use std::num::NonZeroU64;
use std::time::Duration;

const SECOND: u128 = 1_000_000_000;

/// How fast a bucket fills, and how much it holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate {
    per_second: NonZeroU64,
    /// How long an empty bucket takes to be full.
    burst: Duration,
}

impl Rate {
    pub(super) const fn new(per_second: NonZeroU64, burst: Duration) -> Self {
        Self { per_second, burst }
    }

    pub(super) fn limit(self) -> u64 {
        self.units(self.burst)
    }

    pub(super) const fn window(self) -> Duration {
        self.burst
    }

    /// How long the bucket takes to get so much.
    fn time(self, units: u64) -> Duration {
        let nanos = (u128::from(units) * SECOND).div_ceil(u128::from(self.per_second.get()));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// What the bucket gets in so long.
    fn units(self, time: Duration) -> u64 {
        let units = time.as_nanos().saturating_mul(u128::from(self.per_second.get())) / SECOND;
        u64::try_from(units).unwrap_or(u64::MAX)
    }
}

/// A bucket; the default one is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Bucket {
    full_at: Duration,
}

impl Bucket {
    pub(super) fn is_full(self, now: Duration) -> bool {
        self.full_at <= now
    }

    /// How long until it is full.
    pub(super) fn reset(self, now: Duration) -> Duration {
        self.full_at.saturating_sub(now)
    }

    pub(super) fn remaining(self, now: Duration, rate: Rate) -> u64 {
        rate.units(rate.burst.saturating_sub(self.reset(now)))
    }

    /// How long a request must wait; none when it may pass. One that is larger than the bucket
    /// waits until that is full.
    pub(super) fn wait(self, now: Duration, rate: Rate, cost: u64) -> Option<Duration> {
        let room = rate.burst.saturating_sub(rate.time(cost));
        let wait = self.reset(now).saturating_sub(room);
        (!wait.is_zero()).then_some(wait)
    }

    pub(super) fn take(&mut self, now: Duration, rate: Rate, cost: u64) {
        self.full_at = self.full_at.max(now).saturating_add(rate.time(cost));
    }

    /// Takes at most what is there: this debt is nobody's choice.
    pub(super) fn spend(&mut self, now: Duration, rate: Rate, cost: u64) {
        let empty = self.full_at.max(now.saturating_add(rate.burst));
        self.take(now, rate, cost);
        self.full_at = self.full_at.min(empty);
    }
}
