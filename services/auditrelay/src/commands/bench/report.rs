//! What is printed: a table for people, a document for programs.

use std::collections::BTreeMap;

use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};

use super::stats::{Ledger, Spread, per_million};

/// One measured workload.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) rate: Spread,
    /// What the rate counts, a second.
    pub(super) unit: &'static str,
    /// What bounds it, measured in the same run.
    pub(super) limit: Option<Limit>,
    pub(super) costs: Vec<Cost>,
    pub(super) ledger: Option<Ledger>,
    /// Anything else that was measured.
    pub(super) more: BTreeMap<&'static str, f64>,
}

/// A limit of the machine and what lies below us.
#[derive(Debug, Clone)]
pub(super) struct Limit {
    pub(super) what: &'static str,
    pub(super) rate: Spread,
}

/// What one process used.
#[derive(Debug, Clone)]
pub(super) struct Cost {
    pub(super) process: &'static str,
    pub(super) cpu_seconds: f64,
    /// Events that this was spent on.
    pub(super) events: u64,
    pub(super) memory_max: u64,
}

impl Cost {
    fn per_million(&self) -> f64 {
        per_million(self.cpu_seconds, self.events)
    }
}

impl Row {
    /// How near the limit it comes.
    pub(super) fn ratio(&self) -> Option<f64> {
        self.rate.ratio_to(self.limit.as_ref()?.rate)
    }

    /// Processor seconds of all processes, per million events.
    pub(super) fn cpu(&self) -> f64 {
        self.costs.iter().map(Cost::per_million).sum()
    }

    /// A run whose ledger does not balance does not count.
    pub(super) fn counts(&self) -> bool {
        self.ledger.is_none_or(Ledger::balances)
    }

    /// For programs.
    pub(super) fn document(&self) -> Value {
        let costs = self.costs.iter().map(|cost| {
            json!({
                "process": cost.process,
                "cpu_seconds": cost.cpu_seconds,
                "cpu_seconds_per_million_events": cost.per_million(),
                "memory_max_bytes": cost.memory_max,
            })
        });
        let spread = |spread: Spread| json!({ "median": spread.median, "min": spread.min, "max": spread.max });
        json!({
            "name": self.name,
            "rate": spread(self.rate),
            "unit": self.unit,
            "limit": self.limit.as_ref().map(|limit| json!({ "what": limit.what, "rate": spread(limit.rate) })),
            "ratio": self.ratio(),
            "costs": costs.collect::<Vec<_>>(),
            "ledger": self.ledger.map(|ledger| json!({
                "accepted": ledger.accepted,
                "delivered": ledger.delivered,
                "repeated": ledger.repeated,
                "balances": ledger.balances(),
            })),
            "more": self.more,
        })
    }
}

/// The table.
pub(super) fn table(rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header([
        "workload",
        "rate",
        "limit",
        "ratio",
        "CPU s per million events",
        "peak MiB",
        "besides",
    ]);
    for row in rows {
        table.add_row([
            row.name.clone(),
            format!("{} {}", rate(row.rate), row.unit),
            row.limit
                .as_ref()
                .map_or(String::new(), |limit| format!("{} {}", rate(limit.rate), limit.what)),
            row.ratio().map_or(String::new(), |ratio| format!("{ratio:.2}")),
            each(row, |cost| format!("{:.1}", cost.per_million())),
            each(row, |cost| mebibytes(cost.memory_max)),
            besides(row),
        ]);
    }
    if let Some(ratio) = table.column_mut(3) {
        ratio.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

fn each(row: &Row, text: impl Fn(&Cost) -> String) -> String {
    let costs = row.costs.iter().map(|cost| format!("{} {}", cost.process, text(cost)));
    costs.collect::<Vec<_>>().join("\n")
}

fn besides(row: &Row) -> String {
    let mut lines: Vec<_> =
        row.more.iter().map(|(name, value)| format!("{name} {}", short(*value))).collect();
    if let Some(ledger) = row.ledger.filter(|ledger| !ledger.balances()) {
        lines.push(format!(
            "DOES NOT COUNT: {} accepted, {} delivered, {} of them again",
            ledger.accepted, ledger.delivered, ledger.repeated
        ));
    }
    lines.join("\n")
}

fn rate(spread: Spread) -> String {
    format!("{} ({}–{})", short(spread.median), short(spread.min), short(spread.max))
}

fn short(value: f64) -> String {
    if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

fn mebibytes(bytes: u64) -> String {
    (bytes / (1_024 * 1_024)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ledger: Ledger) -> Row {
        let spread = |median| Spread { median, min: median, max: median };
        Row {
            name: "deliver".to_owned(),
            rate: spread(500.0),
            unit: "events/s",
            limit: Some(Limit { what: "signatures/s", rate: spread(1_000.0) }),
            costs: vec![Cost {
                process: "broker",
                cpu_seconds: 1.0,
                events: 100_000,
                memory_max: 5 << 20,
            }],
            ledger: Some(ledger),
            more: BTreeMap::from([("bytes stored", 180.0)]),
        }
    }

    #[test]
    fn a_row_says_what_it_cost_and_how_near_it_came() {
        let good = row(Ledger { accepted: 9, delivered: 9, repeated: 0 });
        let document = good.document();
        assert_eq!(document["ratio"], 0.5);
        assert_eq!(document["costs"][0]["cpu_seconds_per_million_events"], 10.0);
        assert!(good.counts());
        let text = table(&[good]);
        for part in
            ["500 (500–500) events/s", "0.50", "broker 10.0", "broker 5", "bytes stored 180"]
        {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn what_does_not_balance_is_said() {
        let bad = row(Ledger { accepted: 9, delivered: 8, repeated: 2 });
        assert!(!bad.counts());
        assert!(table(&[bad]).contains("DOES NOT COUNT: 9 accepted, 8 delivered, 2 of them again"));
    }
}
