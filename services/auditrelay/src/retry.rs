//! When a request is worth another try, and how long to wait first. Pure.

use std::time::Duration;

use http::StatusCode;

/// What came of one try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Try {
    /// Nobody answered, or the answer broke off.
    NoAnswer,
    /// An answer, and how long the server wants to be left alone.
    Answered(StatusCode, Option<Duration>),
}

const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
const LONGEST_RETRY_AFTER: Duration = Duration::from_mins(1);

/// How long to wait before the next try; none when the answer is final. The server's
/// `Retry-After` counts more than our own doubling pause.
pub(crate) fn wait(outcome: Try, failed_before: u32) -> Option<Duration> {
    let own = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(failed_before)).min(LONGEST_WAIT);
    match outcome {
        Try::NoAnswer => Some(own),
        Try::Answered(status, retry_after) => {
            let passing = matches!(
                status,
                StatusCode::TOO_MANY_REQUESTS
                    | StatusCode::SERVICE_UNAVAILABLE
                    | StatusCode::BAD_GATEWAY
                    | StatusCode::GATEWAY_TIMEOUT
                    | StatusCode::REQUEST_TIMEOUT
            );
            passing.then(|| retry_after.map_or(own, |asked| asked.min(LONGEST_RETRY_AFTER)))
        }
    }
}

/// Reads a `Retry-After` in seconds; dates are left to our own pause.
pub(crate) fn retry_after(value: &str) -> Option<Duration> {
    let seconds: u64 = value.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_server_is_asked_again_when_it_says() {
        let busy = Try::Answered(StatusCode::SERVICE_UNAVAILABLE, Some(Duration::from_secs(5)));
        assert_eq!(wait(busy, 0), Some(Duration::from_secs(5)));
        let hour = Try::Answered(StatusCode::TOO_MANY_REQUESTS, Some(Duration::from_hours(1)));
        assert_eq!(wait(hour, 0), Some(LONGEST_RETRY_AFTER));
        assert_eq!(
            wait(Try::Answered(StatusCode::TOO_MANY_REQUESTS, None), 1),
            Some(FIRST_WAIT * 2)
        );
    }

    #[test]
    fn silence_is_asked_again_ever_more_slowly() {
        assert_eq!(wait(Try::NoAnswer, 0), Some(FIRST_WAIT));
        assert_eq!(wait(Try::NoAnswer, 2), Some(Duration::from_secs(1)));
        assert_eq!(wait(Try::NoAnswer, 60), Some(LONGEST_WAIT));
    }

    #[test]
    fn a_refusal_is_final() {
        for status in [400, 401, 403, 404, 409, 413, 500] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(wait(Try::Answered(status, None), 0), None, "{status}");
        }
    }

    #[test]
    fn retry_after_is_read_in_seconds() {
        assert_eq!(retry_after(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("0"), Some(Duration::from_secs(1)));
        assert_eq!(retry_after("Wed, 21 Oct 2026 07:28:00 GMT"), None);
        assert_eq!(retry_after("-5"), None);
    }
}
