//! How often something may be asked for.

use std::time::Duration;

use auditrelay_model::Timestamp;

/// Permits that refill with time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// When it will be, or was, full.
    full_at: Timestamp,
}

/// How large a bucket is and how fast it fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Permits in a full bucket.
    pub burst: u32,
    /// One permit comes back in this time.
    pub refill: Duration,
}

impl Rate {
    /// Replay jobs of a scope.
    pub const REPLAYS: Self = Self { burst: 30, refill: Duration::from_millis(200) };
    /// Requests to receivers that somebody asks an organization's senders for: tests, and events
    /// out of quarantine. Nobody is to be flooded through us.
    pub const REQUESTS: Self = Self { burst: 20, refill: Duration::from_secs(3) };
}

impl Bucket {
    /// A full bucket.
    pub const fn full(now: Timestamp) -> Self {
        Self { full_at: now }
    }

    /// Takes a permit, or says how long to wait for one.
    pub fn take(&mut self, rate: Rate, now: Timestamp) -> Result<(), Duration> {
        let full_at = self.full_at.max(now) + rate.refill;
        let missing = full_at.since(now);
        match missing.checked_sub(rate.refill * rate.burst) {
            Some(wait) if !wait.is_zero() => Err(wait),
            Some(_) | None => {
                self.full_at = full_at;
                Ok(())
            }
        }
    }

    /// Whether nothing was taken lately, so that it need not be remembered.
    pub fn is_full(&self, now: Timestamp) -> bool {
        self.full_at <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_let_through_and_then_a_steady_rate() {
        let rate = Rate::REPLAYS;
        let mut now = Timestamp::from_nanos(1);
        let mut bucket = Bucket::full(now);
        for _ in 0..rate.burst {
            assert_eq!(bucket.take(rate, now), Ok(()));
        }
        assert_eq!(bucket.take(rate, now), Err(rate.refill));
        assert!(!bucket.is_full(now));
        now = now + rate.refill;
        assert_eq!(bucket.take(rate, now), Ok(()));
        assert_eq!(bucket.take(rate, now), Err(rate.refill));
        assert!(bucket.is_full(now + rate.refill * rate.burst));
    }
}
