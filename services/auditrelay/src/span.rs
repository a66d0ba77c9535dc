//! Lengths of time as people write them on a command line: `90s`, `15m`, `6h`, `7d`.

use std::time::Duration;

/// Reads a whole number and its unit (`s`, `m`, `h` or `d`).
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || "expected a number and a unit, for example 90s, 15m, 6h or 7d".to_owned();
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(unit_at);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let seconds: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    match number.checked_mul(seconds) {
        Some(0) => Err("must be longer than nothing".to_owned()),
        Some(total) => Ok(Duration::from_secs(total)),
        None => Err("is too long".to_owned()),
    }
}

/// Short form for people: `45s`, `3m 20s`, `6h 5m`, `7d`.
pub(crate) fn show(span: Duration) -> String {
    let seconds = span.as_secs();
    let parts = [
        (seconds / 86_400, "d"),
        (seconds / 3600 % 24, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
    ];
    let shown: Vec<String> = parts
        .iter()
        .filter(|(n, _)| *n > 0)
        .take(2)
        .map(|(n, unit)| format!("{n}{unit}"))
        .collect();
    if shown.is_empty() { "0s".to_owned() } else { shown.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_needs_a_unit() {
        assert_eq!(parse("6h"), Ok(Duration::from_hours(6)));
        assert_eq!(parse("7d"), Ok(Duration::from_hours(7 * 24)));
        assert_eq!(parse("90s"), Ok(Duration::from_secs(90)));
        for wrong in ["", "6", "h", "-1h", "1.5h", "1w", "0s", "99999999999999999999d", "6h 1m"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert!(parse("9999999999999999999d").is_err());
    }

    #[test]
    fn people_read_two_units() {
        let cases = [(0, "0s"), (45, "45s"), (200, "3m 20s"), (21_900, "6h 5m"), (604_800, "7d")];
        for (seconds, text) in cases {
            assert_eq!(show(Duration::from_secs(seconds)), text);
        }
    }
}
