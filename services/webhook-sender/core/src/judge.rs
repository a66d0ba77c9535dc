//! What a receiver's answer means.

mod retry_after;

use std::time::Duration;

use auditrelay_model::Timestamp;

use crate::outcome::{FailureKind, Outcome};

/// What is done about an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The events are done.
    Delivered,
    /// The same batch goes again.
    Retry {
        /// Not before that.
        after: Option<Duration>,
    },
    /// Somebody must mend something first: only probes are sent.
    Hold {
        /// The first probe not before that.
        probe_after: Option<Duration>,
    },
    /// Fewer events might pass.
    TooLarge,
    /// One of the events is refused.
    Refused,
}

/// A receiver that says it is gone for good is asked once an hour: whoever controls it must not be
/// able to end auditing.
const GONE_PROBE: Duration = Duration::from_hours(1);

/// Says what is done about an outcome.
pub fn judge(outcome: &Outcome, now: Timestamp) -> Verdict {
    match outcome {
        Outcome::Answered { status, retry_after, .. } => {
            let after = retry_after.as_deref().and_then(|text| retry_after::parse(text, now));
            judge_status(*status, after)
        }
        Outcome::Failed { kind, .. } => judge_failure(*kind),
    }
}

fn judge_status(status: u16, after: Option<Duration>) -> Verdict {
    match status {
        200..=299 => Verdict::Delivered,
        400 | 422 => Verdict::Refused,
        413 => Verdict::TooLarge,
        410 => Verdict::Hold { probe_after: Some(GONE_PROBE) },
        // Redirects are never followed; credentials, address, method or content type are wrong.
        300..=399 | 401..=407 | 414 | 415 | 426 | 451 => Verdict::Hold { probe_after: None },
        _ => Verdict::Retry { after },
    }
}

fn judge_failure(kind: FailureKind) -> Verdict {
    match kind {
        FailureKind::Connect | FailureKind::Timeout | FailureKind::Protocol => {
            Verdict::Retry { after: None }
        }
        FailureKind::Endpoint | FailureKind::Dns | FailureKind::Blocked | FailureKind::Tls => {
            Verdict::Hold { probe_after: None }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_nanos(0);
    const HOLD: Verdict = Verdict::Hold { probe_after: None };
    const RETRY: Verdict = Verdict::Retry { after: None };

    fn answered(status: u16, retry_after: Option<&str>) -> Verdict {
        let retry_after = retry_after.map(str::to_owned);
        judge(&Outcome::Answered { status, retry_after, message: String::new() }, NOW)
    }

    #[test]
    fn every_status_has_its_verdict() {
        for status in 0..=u16::MAX {
            let expected = match status {
                200..=299 => Verdict::Delivered,
                400 | 422 => Verdict::Refused,
                413 => Verdict::TooLarge,
                410 => Verdict::Hold { probe_after: Some(GONE_PROBE) },
                300..=399 | 401..=407 | 414 | 415 | 426 | 451 => HOLD,
                _ => RETRY,
            };
            assert_eq!(answered(status, None), expected, "{status}");
        }
    }

    #[test]
    fn the_statuses_that_receivers_send_are_judged_as_documented() {
        for status in [101, 102, 408, 409, 411, 421, 423, 424, 425, 428, 429, 500, 503, 520, 599] {
            assert_eq!(answered(status, None), RETRY, "{status}");
        }
        for status in [300, 301, 302, 303, 304, 307, 308, 401, 403, 404, 405, 406, 407, 415] {
            assert_eq!(answered(status, None), HOLD, "{status}");
        }
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(answered(status, None), Verdict::Delivered, "{status}");
        }
    }

    #[test]
    fn retry_after_counts_where_the_receiver_asks_for_time() {
        let minute = Some(Duration::from_mins(1));
        assert_eq!(answered(429, Some("60")), Verdict::Retry { after: minute });
        assert_eq!(answered(503, Some("60")), Verdict::Retry { after: minute });
        assert_eq!(answered(503, Some("soon")), RETRY);
        assert_eq!(answered(200, Some("60")), Verdict::Delivered);
        assert_eq!(answered(401, Some("60")), HOLD);
    }

    #[test]
    fn every_failure_has_its_verdict() {
        let table = [
            (FailureKind::Connect, RETRY),
            (FailureKind::Timeout, RETRY),
            (FailureKind::Protocol, RETRY),
            (FailureKind::Endpoint, HOLD),
            (FailureKind::Dns, HOLD),
            (FailureKind::Blocked, HOLD),
            (FailureKind::Tls, HOLD),
        ];
        for (kind, expected) in table {
            assert_eq!(judge(&Outcome::Failed { kind, message: String::new() }, NOW), expected);
        }
    }
}
