//! A closed interval of event time.

use std::time::Duration;

use crate::Timestamp;

/// `start ≤ ts ≤ end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    start: Timestamp,
    end: Timestamp,
}

/// What is wrong with a requested window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// The end lies before the start.
    #[error("end_at must not be before start_at")]
    EndBeforeStart,
    /// The start is older than what is kept, or not in the past.
    #[error("start_at must be within the last 7 days")]
    StartOutsideRetention,
    /// The end lies in the future.
    #[error("end_at must not be in the future")]
    EndInFuture,
}

/// How long audit events can be read and replayed.
pub const RETENTION: Duration = Duration::from_hours(7 * 24);

/// How far a client's clock may be off before a window is refused; within it the window is cut.
pub const CLIENT_CLOCK_SLACK: Duration = Duration::from_mins(5);

impl Window {
    /// A window that was checked when it was stored; `end` before `start` holds nothing.
    pub const fn stored(start: Timestamp, end: Timestamp) -> Self {
        Self { start, end }
    }

    /// Checks a requested window against what is kept now. Bounds that miss it by no more than
    /// [`CLIENT_CLOCK_SLACK`] are cut to it.
    pub fn parse(start: Timestamp, end: Timestamp, now: Timestamp) -> Result<Self, WindowError> {
        if end < start {
            return Err(WindowError::EndBeforeStart);
        }
        let oldest = now - RETENTION;
        if start < oldest - CLIENT_CLOCK_SLACK || start > now + CLIENT_CLOCK_SLACK {
            return Err(WindowError::StartOutsideRetention);
        }
        if end > now + CLIENT_CLOCK_SLACK {
            return Err(WindowError::EndInFuture);
        }
        Ok(Self { start: start.max(oldest).min(now), end: end.min(now).max(oldest) })
    }

    /// First instant inside.
    pub const fn start(self) -> Timestamp {
        self.start
    }

    /// Last instant inside.
    pub const fn end(self) -> Timestamp {
        self.end
    }

    /// Whether `ts` lies inside.
    pub fn contains(self, ts: Timestamp) -> bool {
        self.start <= ts && ts <= self.end
    }

    /// Whether any instant of `first ..= last` may lie inside.
    pub fn touches(self, first: Timestamp, last: Timestamp) -> bool {
        first <= self.end && self.start <= last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_nanos(1_800_000_000_000_000_000);

    fn minutes(n: u64) -> Duration {
        Duration::from_mins(n)
    }

    #[test]
    fn both_ends_are_inside() {
        let window = Window::parse(NOW - minutes(2), NOW - minutes(1), NOW).unwrap();
        assert!(window.contains(window.start()) && window.contains(window.end()));
        assert!(!window.contains(window.end() + Duration::from_nanos(1)));
        assert!(!window.contains(window.start() - Duration::from_nanos(1)));
    }

    #[test]
    fn equal_ends_are_a_window() {
        assert!(Window::parse(NOW, NOW, NOW).is_ok());
    }

    #[test]
    fn small_clock_differences_are_cut_and_larger_ones_refused() {
        let oldest = NOW - minutes(7 * 24 * 60);
        let cut = Window::parse(oldest - minutes(4), NOW + minutes(4), NOW).unwrap();
        assert_eq!((cut.start(), cut.end()), (oldest, NOW));
        let widest = Window::parse(oldest - minutes(5), NOW + minutes(5), NOW);
        assert_eq!(widest, Ok(cut));
        assert!(Window::parse(NOW + minutes(5), NOW + minutes(5), NOW).is_ok());
        let refused = [
            (oldest - minutes(6), NOW, WindowError::StartOutsideRetention),
            (NOW + minutes(6), NOW + minutes(7), WindowError::StartOutsideRetention),
            (NOW, NOW + minutes(6), WindowError::EndInFuture),
            (NOW, NOW - minutes(1), WindowError::EndBeforeStart),
        ];
        for (start, end, error) in refused {
            assert_eq!(Window::parse(start, end, NOW), Err(error));
        }
    }
}
