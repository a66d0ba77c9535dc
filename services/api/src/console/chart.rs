//! Bars, drawn on the server, with the same as a table for whoever cannot see them.

use askama::Template;
use askama::filters::HtmlSafe;

use super::moment::count;

/// Height of the drawing, in its own units.
const HEIGHT: u64 = 100;
/// Width of a bar with the space beside it.
const STEP: usize = 10;

/// A row of bars.
#[derive(Template)]
#[template(path = "chart.html")]
pub(super) struct Chart {
    title: &'static str,
    /// What a row of the table begins with.
    when: &'static str,
    /// What good and bad parts count; the second is empty where nothing can be bad.
    what: [&'static str; 2],
    bars: Vec<Bar>,
    most: u64,
}

/// What happened in one span of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bar {
    pub(super) label: String,
    pub(super) good: u64,
    pub(super) bad: u64,
}

/// A bar: how far from the left, and of each part how far from the top it begins and how high it
/// is.
struct Drawn {
    left: usize,
    tells: String,
    good: Option<(u64, u64)>,
    bad: Option<(u64, u64)>,
}

impl HtmlSafe for Chart {}

impl Chart {
    pub(super) fn of(
        title: &'static str,
        when: &'static str,
        what: [&'static str; 2],
        bars: Vec<Bar>,
    ) -> Self {
        let most = bars.iter().map(|bar| bar.good + bar.bad).max().unwrap_or(0);
        Self { title, when, what, bars, most }
    }

    #[cfg(test)]
    pub(super) fn bars(&self) -> &[Bar] {
        &self.bars
    }

    fn width(&self) -> usize {
        self.bars.len() * STEP
    }

    /// Everything that happened, in a sentence.
    fn sum(&self) -> String {
        let (good, bad) =
            self.bars.iter().fold((0, 0), |(good, bad), bar| (good + bar.good, bad + bar.bad));
        let [goods, bads] = self.what;
        let good = format!("{} {}", count(good), goods.to_lowercase());
        if bads.is_empty() {
            return good;
        }
        format!("{good}, {} {}", count(bad), bads.to_lowercase())
    }

    fn first(&self) -> &str {
        self.bars.first().map_or("", |bar| &bar.label)
    }

    fn last(&self) -> &str {
        self.bars.last().map_or("", |bar| &bar.label)
    }

    /// The bars as they are drawn: what was good at the bottom, what was bad on top of it.
    fn drawn(&self) -> impl Iterator<Item = Drawn> {
        self.bars.iter().enumerate().map(|(index, bar)| {
            let good = high(bar.good, self.most);
            let bad = high(bar.bad, self.most).min(HEIGHT - good);
            Drawn {
                left: index * STEP + 1,
                tells: self.tell(bar),
                good: (good > 0).then(|| (HEIGHT - good, good)),
                bad: (bad > 0).then(|| (HEIGHT - good - bad, bad)),
            }
        })
    }

    fn tell(&self, bar: &Bar) -> String {
        let [goods, bads] = self.what;
        let bad = match bads {
            "" => String::new(),
            bads => format!(", {} {}", count(bar.bad), bads.to_lowercase()),
        };
        format!("{}: {} {}{bad}", bar.label, count(bar.good), goods.to_lowercase())
    }
}

/// As high as it is much; what is little can still be seen.
fn high(much: u64, most: u64) -> u64 {
    if much == 0 { 0 } else { (much.saturating_mul(HEIGHT) / most.max(1)).clamp(3, HEIGHT) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(good: u64, bad: u64) -> Bar {
        Bar { label: "12:00".to_owned(), good, bad }
    }

    #[test]
    fn bars_are_as_high_as_they_are_much_and_never_leave_the_drawing() {
        let bars = vec![bar(0, 0), bar(50, 0), bar(1, 99), bar(1_000, 0)];
        let chart = Chart::of("T", "W", ["Done", "Failed"], bars);
        let drawn: Vec<_> = chart.drawn().map(|bar| (bar.left, bar.bad, bar.good)).collect();
        assert_eq!(drawn[0], (1, None, None));
        assert_eq!(drawn[1], (11, None, Some((95, 5))));
        assert_eq!(drawn[2], (21, Some((88, 9)), Some((97, 3))));
        assert_eq!(drawn[3], (31, None, Some((0, 100))));
        assert_eq!(chart.sum(), "1,051 done, 99 failed");
        assert!(chart.to_string().contains("<table"));
    }

    #[test]
    fn nothing_at_all_is_drawn_too() {
        assert!(Chart::of("T", "W", ["Done", ""], Vec::new()).to_string().contains("0 done"));
    }
}
