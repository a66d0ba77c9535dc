//! The `Retry-After` header: seconds or an HTTP date, and what receivers really send.

use std::time::Duration;

use auditrelay_model::Timestamp;

/// No receiver can make us hurry, or forget it.
const MIN: Duration = Duration::from_secs(1);
const MAX: Duration = Duration::from_hours(1);

/// Longer values are nonsense.
const TEXT_MAX: usize = 256;

/// How long to wait, within bounds; none when the text says nothing. Of several values the largest
/// counts.
pub(super) fn parse(text: &str, now: Timestamp) -> Option<Duration> {
    if text.len() > TEXT_MAX {
        return None;
    }
    let date = http_date(text.trim()).map(|at| at.since(now));
    let wait = date.or_else(|| text.split(',').filter_map(seconds).max())?;
    Some(wait.clamp(MIN, MAX))
}

/// Seconds, rounded up; fractions and exponents happen.
fn seconds(text: &str) -> Option<Duration> {
    let text = text.trim();
    if !text.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let seconds: f64 = text.parse().ok()?;
    Duration::try_from_secs_f64(seconds.ceil().min(MAX.as_secs_f64())).ok()
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, the one form that may still be sent.
fn http_date(text: &str) -> Option<Timestamp> {
    let mut parts = text.split_once(", ")?.1.split(' ');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let (time, zone) = (parts.next()?, parts.next()?);
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    if zone != "GMT" || parts.next().is_some() {
        return None;
    }
    Timestamp::parse_rfc3339(&format!("{year}-{month:02}-{day}T{time}Z")).ok()
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_receivers_send() {
        let now = Timestamp::parse_rfc3339("1994-11-06T08:49:00Z").unwrap();
        let long = "1".repeat(10_240);
        let [full, over] = [256, 257].map(|length| format!("{:>length$}", 120));
        let table: [(&str, Option<u64>); 18] = [
            (&full, Some(120)),
            (&over, None),
            ("120", Some(120)),
            (" 120 ", Some(120)),
            ("0", Some(1)),
            ("120.6", Some(121)),
            ("1e9", Some(3600)),
            ("99999999999999999999", Some(3600)),
            ("-5", None),
            ("abc", None),
            ("", None),
            ("inf", None),
            ("5, 60", Some(60)),
            (&long, None),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(37)),
            ("Sun, 06 Nov 1994 08:48:00 GMT", Some(1)),
            ("Mon, 06 Nov 1995 08:49:37 GMT", Some(3600)),
            ("Sun, 06 Nov 1994 08:49:37 CET", None),
        ];
        for (text, expected) in table {
            assert_eq!(parse(text, now), expected.map(Duration::from_secs), "{text}");
        }
    }
}
