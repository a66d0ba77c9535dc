//! The one lawful reader of the system's clock.

use std::time::{SystemTime, UNIX_EPOCH};

use auditrelay_model::{Clock, Timestamp};

/// The system's wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one lawful call")]
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_nanos(i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_is_past_2025() {
        let year_2025 = Timestamp::parse_rfc3339("2025-01-01T00:00:00Z").unwrap();
        assert!(SystemClock.now() > year_2025);
    }
}
