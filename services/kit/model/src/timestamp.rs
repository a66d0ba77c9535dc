//! Instants of UTC with nanoseconds.

use std::borrow::Cow;
use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// Nanoseconds since the Unix epoch, UTC; from 1677 to 2262.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// The text is not an RFC 3339 date-time, or lies outside the years 1677 to 2262.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimestampError {
    /// Not an RFC 3339 date-time with an offset.
    #[error("must be an RFC 3339 date-time")]
    NotADateTime,
    /// Cannot be counted in 64-bit nanoseconds.
    #[error("is outside the accepted range")]
    OutOfRange,
}

impl Timestamp {
    /// From nanoseconds since the Unix epoch.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the Unix epoch.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since the Unix epoch, rounded down.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Parses an RFC 3339 date-time with any offset; a leap second, `23:59:60`, counts as the second
    /// behind it, so that it is not before what was before it; more than nine digits of a second
    /// are cut.
    pub fn parse_rfc3339(text: &str) -> Result<Self, TimestampError> {
        let text = strict_rfc3339(text).ok_or(TimestampError::NotADateTime)?;
        let parsed: jiff::Timestamp = text.parse().map_err(|_| refusal(&text))?;
        let nanos = parsed.as_nanosecond() + if is_leap(&text) { NANOS_OF_A_SECOND } else { 0 };
        i64::try_from(nanos).map(Self).map_err(|_| TimestampError::OutOfRange)
    }

    /// Seconds only, as log lines want it: `2025-06-18T21:02:36Z`.
    pub fn to_rfc3339_seconds(self) -> String {
        Self(self.0.div_euclid(1_000_000_000).saturating_mul(1_000_000_000)).to_string()
    }

    /// The distance from `earlier`, or zero when that is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// RFC 3339 with as many fraction digits as needed: `2025-06-18T21:02:36.123Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(timestamp) => timestamp.fmt(f),
            // Every i64 of nanoseconds lies inside jiff's years -9999 to 9999.
            Err(_) => f.write_str("invalid timestamp"),
        }
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(duration)))
    }
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// jiff's own range ends within the last days of 9999: such a text is a date-time if it is one in
/// another year without a leap day.
fn refusal(text: &str) -> TimestampError {
    let nearer = text.strip_prefix("9999").map(|rest| format!("2001{rest}"));
    if nearer.is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok()) {
        TimestampError::OutOfRange
    } else {
        TimestampError::NotADateTime
    }
}

const NANOS_OF_A_SECOND: i128 = 1_000_000_000;

/// Whether it is in the sixty-first second of its minute, which jiff takes for the sixtieth.
fn is_leap(text: &str) -> bool {
    text.get("2016-12-31T23:59:".len()..).is_some_and(|seconds| seconds.starts_with("60"))
}

/// jiff also reads a date alone, a time without seconds or offset, and a bracketed zone; RFC 3339
/// has none of them. Returns the text with at most nine fraction digits.
fn strict_rfc3339(text: &str) -> Option<Cow<'_, str>> {
    let bytes = text.as_bytes();
    let shape = b"dddd-dd-ddTdd:dd:dd";
    let (head, tail) = bytes.split_at_checked(shape.len())?;
    let matches = head.iter().zip(shape).all(|(byte, kind)| match kind {
        b'd' => byte.is_ascii_digit(),
        b'T' => matches!(byte, b'T' | b't' | b' '),
        other => byte == other,
    });
    let fraction = match tail.split_first() {
        Some((b'.', rest)) => rest.iter().take_while(|byte| byte.is_ascii_digit()).count(),
        _ => 0,
    };
    let offset_at = if tail.first() == Some(&b'.') { 1 + fraction } else { 0 };
    let offset = tail.get(offset_at..)?;
    let offset_ok = match offset {
        [b'Z' | b'z'] => true,
        [b'+' | b'-', a, b, b':', c, d] => [a, b, c, d].iter().all(|byte| byte.is_ascii_digit()),
        _ => false,
    };
    if !matches || !offset_ok || (offset_at == 1) {
        return None;
    }
    if fraction <= 9 {
        return Some(Cow::Borrowed(text));
    }
    let kept = 1 + 9;
    let head = std::str::from_utf8(head).ok()?;
    let fraction = std::str::from_utf8(tail.get(..kept)?).ok()?;
    let offset = std::str::from_utf8(offset).ok()?;
    Some(Cow::Owned(format!("{head}{fraction}{offset}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_rfc_3339_and_nothing_else() {
        let good = [
            ("2025-06-18T21:02:36Z", 1_750_280_556_000_000_000),
            ("2025-06-18t21:02:36z", 1_750_280_556_000_000_000),
            ("2025-06-18 23:02:36+02:00", 1_750_280_556_000_000_000),
            ("2025-06-18T21:02:36.5-00:00", 1_750_280_556_500_000_000),
            ("2025-06-18T21:02:36.1234567891234Z", 1_750_280_556_123_456_789),
        ];
        for (text, nanos) in good {
            assert_eq!(Timestamp::parse_rfc3339(text), Ok(Timestamp(nanos)), "{text}");
        }
        for text in [
            "",
            "yesterday",
            "2026-01-01",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00Z",
            "10000-01-01T00:00:00Z",
            "+2026-01-01T00:00:00Z",
            " 2026-01-01T00:00:00Z",
            "2026-01-01T00:00:00.Z",
            "2026-02-30T00:00:00Z",
            "2026-01-01T00:00:00Z[UTC]",
            "2026-01-01T25:00:00Z",
            "9999-13-31T23:59:59Z",
            "9999-02-29T23:59:59Z",
            "9999-12-31T23:59:59+99:00",
        ] {
            assert_eq!(Timestamp::parse_rfc3339(text), Err(TimestampError::NotADateTime), "{text}");
        }
        for text in [
            "9998-12-31T23:59:59Z",
            "9999-12-31T23:59:59Z",
            "9999-12-31T23:59:59.999-12:00",
            "0001-01-01T00:00:00Z",
        ] {
            assert_eq!(Timestamp::parse_rfc3339(text), Err(TimestampError::OutOfRange), "{text}");
        }
    }

    #[test]
    fn a_leap_second_counts_as_the_second_behind_it() {
        let parsed = |text| Timestamp::parse_rfc3339(text).unwrap();
        assert_eq!(parsed("2016-12-31T23:59:60Z"), parsed("2017-01-01T00:00:00Z"));
        assert_eq!(parsed("2017-01-01T01:59:60.25+02:00"), parsed("2017-01-01T00:00:00.25Z"));
    }

    #[test]
    fn writes_what_it_read() {
        let at = Timestamp::parse_rfc3339("2025-06-18T21:02:36.120Z").unwrap();
        assert_eq!(at.to_string(), "2025-06-18T21:02:36.12Z");
        assert_eq!(at.to_rfc3339_seconds(), "2025-06-18T21:02:36Z");
        assert_eq!(Timestamp(-1).to_rfc3339_seconds(), "1969-12-31T23:59:59Z");
        assert_eq!(Timestamp(i64::MIN).to_string(), "1677-09-21T00:12:43.145224192Z");
    }
}
