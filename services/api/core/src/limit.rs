//! How often something may be asked for.

use std::time::Duration;

use auditrelay_model::Timestamp;

/// Permits that refill with time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// When it will be, or was, full.
    full_at: Timestamp,
}

/// Permits in a full bucket.
const CAPACITY: u32 = 30;
/// One permit comes back in this time.
const REFILL: Duration = Duration::from_millis(200);

impl Bucket {
    /// A full bucket.
    pub const fn full(now: Timestamp) -> Self {
        Self { full_at: now }
    }

    /// Takes a permit, or says how long to wait for one.
    pub fn take(&mut self, now: Timestamp) -> Result<(), Duration> {
        let full_at = self.full_at.max(now) + REFILL;
        let missing = full_at.since(now);
        match missing.checked_sub(REFILL * CAPACITY) {
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
        let mut now = Timestamp::from_nanos(1);
        let mut bucket = Bucket::full(now);
        for _ in 0..CAPACITY {
            assert_eq!(bucket.take(now), Ok(()));
        }
        assert_eq!(bucket.take(now), Err(REFILL));
        assert!(!bucket.is_full(now));
        now = now + REFILL;
        assert_eq!(bucket.take(now), Ok(()));
        assert_eq!(bucket.take(now), Err(REFILL));
        assert!(bucket.is_full(now + REFILL * CAPACITY));
    }
}
