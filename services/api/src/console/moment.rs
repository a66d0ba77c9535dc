//! Times as people read them: how long ago, with the exact time in UTC beside it or on hover.

use askama::Template;
use askama::filters::HtmlSafe;
use auditrelay_model::Timestamp;

/// `3 min ago`, and on hover `2026-11-22 18:03:12 UTC`; a script adds the reader's own zone.
#[derive(Template)]
#[template(
    source = r#"<time datetime="{{ iso }}" title="{{ text }}" data-ago>{{ ago }}</time>"#,
    ext = "html"
)]
pub(super) struct Moment {
    iso: String,
    pub(super) text: String,
    pub(super) ago: String,
}

impl HtmlSafe for Moment {}

/// `2026-11-22 18:03:12 UTC (3 min ago)`, where the exact time is what matters.
#[derive(Template)]
#[template(
    source = r#"<time datetime="{{ of.iso }}">{{ of.text }}</time> <span class="ago">({{ of.ago }})</span>"#,
    ext = "html"
)]
pub(super) struct Exact<'a> {
    of: &'a Moment,
}

impl HtmlSafe for Exact<'_> {}

/// `2026-11-22 18:03:12`, in columns that say which zone they are in.
#[derive(Template)]
#[template(
    source = r#"<time datetime="{{ of.iso }}">{{ at }}<span class="zone"> UTC</span></time>"#,
    ext = "html"
)]
pub(super) struct Stamp<'a> {
    of: &'a Moment,
    at: &'a str,
}

impl HtmlSafe for Stamp<'_> {}

impl Moment {
    pub(super) fn new(at: Timestamp, now: Timestamp) -> Self {
        let ago = match (now.since(at).as_secs(), at.since(now).as_secs()) {
            (0, 0) => "just now".to_owned(),
            (0, ahead) => format!("in {}", span(ahead)),
            (passed, _) => format!("{} ago", span(passed)),
        };
        Self { iso: at.to_rfc3339_seconds(), text: text(at), ago }
    }

    /// With the exact time to be read.
    pub(super) const fn exact(&self) -> Exact<'_> {
        Exact { of: self }
    }

    /// For tables of exact times.
    pub(super) fn stamp(&self) -> Stamp<'_> {
        Stamp { of: self, at: self.text.trim_end_matches(" UTC") }
    }

    /// A time that a view wrote; none if it is none.
    pub(super) fn parse(text: Option<&str>, now: Timestamp) -> Option<Self> {
        Timestamp::parse_rfc3339(text?).ok().map(|at| Self::new(at, now))
    }
}

/// `2026-11-22 18:03:12 UTC`.
pub(super) fn text(at: Timestamp) -> String {
    at.to_rfc3339_seconds().replace('T', " ").replace('Z', " UTC")
}

/// `2026-11-22`, of a time in UTC.
pub(super) fn day(at: Timestamp) -> String {
    at.to_rfc3339_seconds().split('T').next().unwrap_or_default().to_owned()
}

/// `18:03`, of a time in UTC.
pub(super) fn clock(at: Timestamp) -> String {
    at.to_rfc3339_seconds().get(11..16).unwrap_or_default().to_owned()
}

/// For fields of the type `datetime-local`, which know no zone.
pub(super) fn field(at: Timestamp) -> String {
    at.to_rfc3339_seconds().trim_end_matches('Z').to_owned()
}

/// What such a field means here: UTC. Seconds may be left out.
pub(super) fn from_field(text: &str) -> String {
    let seconds = if text.len() == "2026-11-22T18:03".len() { ":00" } else { "" };
    format!("{text}{seconds}Z")
}

/// A time span in the unit that fits.
pub(super) fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// A number with its thousands apart.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut parts = digits.as_bytes().rchunks(3).rev();
    let first = parts.next().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
    parts.fold(first, |text, part| format!("{text},{}", String::from_utf8_lossy(part)))
}

/// How many there are.
pub(super) fn number(items: usize) -> String {
    count(u64::try_from(items).unwrap_or(u64::MAX))
}

/// Bytes in the unit that fits.
pub(super) fn bytes(number: u64) -> String {
    match number {
        0..10_000 => format!("{} B", count(number)),
        10_000..10_000_000 => format!("{} kB", count(number / 1_000)),
        10_000_000..10_000_000_000 => format!("{} MB", count(number / 1_000_000)),
        _ => format!("{} GB", count(number / 1_000_000_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_and_say_so() {
        let at = Timestamp::parse_rfc3339("2026-11-22T18:03:12.5Z").unwrap();
        let now = at + std::time::Duration::from_secs(200);
        let moment = Moment::new(at, now);
        let iso = r#"<time datetime="2026-11-22T18:03:12Z""#;
        let said = format!(r#"{iso} title="2026-11-22 18:03:12 UTC" data-ago>3 min ago</time>"#);
        assert_eq!(moment.to_string(), said);
        let exact = moment.exact().to_string();
        assert!(exact.contains(&format!("{iso}>2026-11-22 18:03:12 UTC</time>")), "{exact}");
        assert!(exact.contains("(3 min ago)"), "{exact}");
        assert!(Moment::new(now, at).to_string().contains(">in 3 min<"));
        assert!(Moment::new(now, now).to_string().contains(">just now<"));
        assert_eq!(from_field("2026-11-22T18:03"), "2026-11-22T18:03:00Z");
        assert_eq!(from_field("2026-11-22T18:03:12"), "2026-11-22T18:03:12Z");
        assert_eq!(field(at), "2026-11-22T18:03:12");
    }

    #[test]
    fn numbers_are_readable() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000), "1,000");
        assert_eq!(count(12_345_678), "12,345,678");
        assert_eq!(bytes(9_999), "9,999 B");
        assert_eq!(bytes(1_500_000), "1,500 kB");
    }
}
