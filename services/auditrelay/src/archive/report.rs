//! What an archive comes to, for people and for programs.

use std::fmt::Write as _;

use auditrelay_model::Timestamp;
use serde_json::{Value, json};

use super::log::{Discrepancy, Epoch, Findings, Gap};
use super::{Counts, Fault, LogName};

/// What was found.
#[derive(Debug)]
pub(crate) struct Report {
    /// Log by log.
    pub(crate) logs: Vec<(LogName, Findings)>,
    /// In numbers.
    pub(crate) counts: Counts,
    /// The first of the texts that are not what they say.
    pub(crate) faults: Vec<Fault>,
}

impl Report {
    /// Whether there is something, nothing is missing from it, and all of it is genuine.
    pub(crate) fn is_complete(&self) -> bool {
        self.counts.lines > 0 && self.counts.faults == 0 && self.logs.iter().all(is_complete)
    }

    /// The logs of which something is missing, with what is missing.
    pub(crate) fn incomplete(&self) -> impl Iterator<Item = (&LogName, Vec<Gap>)> {
        let gaps = |findings: &Findings| {
            findings.epochs.iter().flat_map(|epoch| epoch.gaps.clone()).collect::<Vec<_>>()
        };
        let all = self.logs.iter().map(move |(name, findings)| (name, gaps(findings)));
        all.filter(|(_, gaps)| !gaps.is_empty())
    }

    /// For programs.
    pub(crate) fn to_json(&self) -> Value {
        let logs: Vec<Value> = self.logs.iter().map(log_to_json).collect();
        let faults: Vec<Value> = self
            .faults
            .iter()
            .map(|Fault { spot, reason }| json!({ "file": spot.file, "line": spot.line, "reason": reason }))
            .collect();
        json!({
            "complete": self.is_complete(),
            "logs": logs,
            "lines": self.counts.lines,
            "duplicates": self.counts.duplicates,
            "manifests": self.counts.manifests,
            "without_place": self.counts.unplaced,
            "foreign": self.counts.foreign,
            "faults": self.counts.faults,
            "first_faults": faults,
        })
    }

    /// For people.
    pub(crate) fn to_text(&self) -> String {
        let mut text = String::new();
        for (name, findings) in &self.logs {
            let portal = name.portal.as_ref().map(|portal| format!(", portal {portal}"));
            line(&mut text, format!("organization {}{}", name.org, portal.unwrap_or_default()));
            findings.epochs.iter().for_each(|epoch| tell_epoch(&mut text, epoch));
            for Discrepancy { delivery, missing } in &findings.discrepancies {
                let what = if *missing > 0 {
                    format!("{missing} of its events are missing")
                } else {
                    "other events stand in the places of its own".to_owned()
                };
                line(&mut text, format!("  delivery {delivery}: {what}"));
            }
        }
        for Fault { spot, reason } in &self.faults {
            line(&mut text, format!("{}:{}: {reason}", spot.file, spot.line));
        }
        let Counts { lines, duplicates, manifests, unplaced, faults, foreign } = self.counts;
        line(
            &mut text,
            format!(
                "{lines} genuine lines, {duplicates} of them repeats, {unplaced} without a number; \
                 {manifests} manifests; {faults} not genuine; {foreign} other texts"
            ),
        );
        text.push_str(if self.is_complete() { "complete" } else { "NOT complete" });
        text
    }
}

fn is_complete((_, findings): &(LogName, Findings)) -> bool {
    findings.discrepancies.is_empty() && findings.epochs.iter().all(|epoch| epoch.gaps.is_empty())
}

fn tell_epoch(text: &mut String, Epoch { life, first, last, held, gaps }: &Epoch) {
    if gaps.is_empty() {
        line(text, format!("  epoch {life}: complete from {first} to {last}"));
        return;
    }
    line(text, format!("  epoch {life}: {held} events from {first} to {last}, with gaps"));
    for gap in gaps {
        let between = match (gap.after, gap.before) {
            (None, None) => String::new(),
            (Some(after), None) => format!(", after {}", instant(after)),
            (None, Some(before)) => format!(", before {}", instant(before)),
            (Some(after), Some(before)) => {
                format!(", between {} and {}", instant(after), instant(before))
            }
        };
        let count = gap.last - gap.first + 1;
        line(text, format!("    missing {} to {} ({count}){between}", gap.first, gap.last));
    }
}

fn log_to_json((name, findings): &(LogName, Findings)) -> Value {
    let gap = |gap: &Gap| {
        json!({
            "first": gap.first,
            "last": gap.last,
            "after": gap.after.map(instant),
            "before": gap.before.map(instant),
        })
    };
    let epoch = |epoch: &Epoch| {
        json!({
            "epoch": epoch.life,
            "first": epoch.first,
            "last": epoch.last,
            "held": epoch.held,
            "gaps": epoch.gaps.iter().map(gap).collect::<Vec<_>>(),
        })
    };
    let delivery =
        |found: &Discrepancy| json!({ "delivery": found.delivery, "missing": found.missing });
    json!({
        "org_id": name.org,
        "portal_id": name.portal,
        "epochs": findings.epochs.iter().map(epoch).collect::<Vec<_>>(),
        "deliveries": findings.discrepancies.iter().map(delivery).collect::<Vec<_>>(),
    })
}

fn instant(millis: i64) -> String {
    Timestamp::from_nanos(millis.saturating_mul(1_000_000)).to_string()
}

fn line(text: &mut String, line: impl AsRef<str>) {
    // Writing into a String cannot fail.
    let _ = writeln!(text, "{}", line.as_ref());
}
