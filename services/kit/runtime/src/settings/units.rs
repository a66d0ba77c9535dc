//! Numbers with their units.

use std::ops::RangeInclusive;
use std::time::Duration;

/// A whole number.
pub(super) fn number(text: &str, range: &RangeInclusive<u64>) -> Result<u64, String> {
    let number = text.parse().map_err(|_| "must be a whole number".to_owned())?;
    within(number, range, ToString::to_string)
}

/// A duration with its unit.
pub(crate) fn duration(text: &str, range: &RangeInclusive<Duration>) -> Result<Duration, String> {
    let wrong = || "must be a duration with its unit: 250ms, 5s, 10m, 24h or 7d".to_owned();
    let (count, unit) = split(text).ok_or_else(wrong)?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    let millis = count.checked_mul(millis).ok_or_else(wrong)?;
    within(Duration::from_millis(millis), range, |bound| show(*bound))
}

/// A number of bytes; `kB`, `MB`, `GB` are powers of ten.
pub(super) fn size(text: &str, range: &RangeInclusive<u64>) -> Result<u64, String> {
    let wrong = || "must be a size: 512, 64KiB, 1MB or 8GiB".to_owned();
    let (count, unit) = split(text).ok_or_else(wrong)?;
    let bytes = match unit {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return Err(wrong()),
    };
    let bytes = count.checked_mul(bytes).ok_or_else(wrong)?;
    within(bytes, range, |bound| format!("{bound} bytes"))
}

fn split(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = text.split_at_checked(digits)?;
    Some((count.parse().ok()?, unit.trim_start()))
}

fn within<T: PartialOrd>(
    value: T,
    range: &RangeInclusive<T>,
    show: impl Fn(&T) -> String,
) -> Result<T, String> {
    if range.contains(&value) {
        return Ok(value);
    }
    Err(format!("must be between {} and {}", show(range.start()), show(range.end())))
}

/// In the largest unit that gives a whole number.
pub(super) fn show_size(bytes: u64) -> String {
    let units =
        [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("MB", 1_000_000)];
    units
        .into_iter()
        .find(|(_, unit)| bytes > 0 && bytes.is_multiple_of(*unit))
        .map_or_else(|| bytes.to_string(), |(name, unit)| format!("{}{name}", bytes / unit))
}

/// In the largest unit that gives a whole number.
pub(super) fn show(duration: Duration) -> String {
    let millis = duration.as_millis();
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    units
        .into_iter()
        .find(|(_, unit)| millis > 0 && millis.is_multiple_of(*unit))
        .map_or_else(|| format!("{millis}ms"), |(name, unit)| format!("{}{name}", millis / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit_and_stay_in_range() {
        let range = Duration::from_millis(1)..=Duration::from_hours(168);
        let good = [("250ms", 250), ("5s", 5_000), ("10m", 600_000), ("24h", 86_400_000)];
        for (text, millis) in good {
            assert_eq!(duration(text, &range), Ok(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(duration("7d", &range), Ok(Duration::from_hours(168)));
        for text in ["", "0", "1", "-1s", "1parsec", "1.5s", "s", "99999999999999999999s"] {
            assert!(duration(text, &range).unwrap_err().contains("with its unit"), "{text}");
        }
        for text in ["0s", "8d", "9999999h"] {
            let wanted = "must be between 1ms and 7d";
            assert_eq!(duration(text, &range), Err(wanted.to_owned()), "{text}");
        }
    }

    #[test]
    fn sizes_know_both_kinds_of_units() {
        let range = 1..=1 << 40;
        let good = [("512", 512), ("1MB", 1_000_000), ("1MiB", 1_048_576), ("256 KiB", 262_144)];
        for (text, bytes) in good {
            assert_eq!(size(text, &range), Ok(bytes), "{text}");
        }
        for text in ["-1", "1e9", "18446744073709551616", "1XB", "99999999TiB"] {
            assert!(size(text, &range).unwrap_err().starts_with("must be a size"), "{text}");
        }
        assert_eq!(
            size("0", &range),
            Err("must be between 1 bytes and 1099511627776 bytes".into())
        );
    }

    #[test]
    fn numbers_are_whole_and_in_range() {
        assert_eq!(number("7", &(1..=8)), Ok(7));
        assert_eq!(number("9", &(1..=8)), Err("must be between 1 and 8".into()));
        assert_eq!(number("x", &(1..=8)), Err("must be a whole number".into()));
    }
}
