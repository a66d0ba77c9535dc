//! Goes through every accepted event by id: who holds it, how it came, and whether any is lost.

use auditrelay_runtime::lifecycle::Stopped;
use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};

use super::watch::Sightings;
use crate::output::Paint;
use crate::receiver::Ledger;

/// What one receiver owes and holds.
#[derive(Debug)]
pub(super) struct Side {
    /// Events that were accepted for it.
    pub(super) sent: usize,
    /// Of those, the ones it does not hold.
    pub(super) lost: usize,
    /// Events it holds that nobody sent.
    strangers: u64,
    /// Events that waited while it refused them.
    waited: u64,
    ledger: Ledger,
}

impl Side {
    /// Checks a ledger against the ids that were accepted.
    pub(super) fn new(accepted: &[String], waited: u64, ledger: Ledger) -> Self {
        let lost = accepted.iter().filter(|id| ledger.count(id) == 0).count();
        let held = u64::try_from(accepted.len() - lost).unwrap_or(u64::MAX);
        let strangers = ledger.distinct().saturating_sub(held);
        Self { sent: accepted.len(), lost, strangers, waited, ledger }
    }

    fn delivered_live(&self) -> u64 {
        self.ledger.distinct() - self.ledger.recovered
    }

    fn is_good(&self) -> bool {
        let ledger = &self.ledger;
        self.lost == 0
            && self.strangers == 0
            && ledger.nameless == 0
            && ledger.verified == ledger.lines
    }

    fn rows(&self) -> [String; 8] {
        [
            self.sent.to_string(),
            self.delivered_live().to_string(),
            self.waited.to_string(),
            self.ledger.recovered.to_string(),
            self.ledger.distinct().to_string(),
            self.ledger.duplicates.to_string(),
            format!("{} of {}", self.ledger.verified, self.ledger.lines),
            self.lost.to_string(),
        ]
    }

    fn to_json(&self) -> Value {
        json!({
            "sent": self.sent,
            "delivered_live": self.delivered_live(),
            "waited": self.waited,
            "recovered": self.ledger.recovered,
            "distinct": self.ledger.distinct(),
            "duplicated": self.ledger.duplicates,
            "lost": self.lost,
            "receiver": self.ledger.to_json(),
        })
    }
}

const ROWS: [&str; 8] = [
    "accepted for it",
    "delivered live",
    "  of those, had to wait at least",
    "recovered by the replay",
    "held, each counted once",
    "duplicated (dropped by event id)",
    "signatures verified",
    "lost",
];

/// The closing account.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) first: Side,
    pub(super) second: Side,
    pub(super) replay: Sightings,
}

impl Account {
    /// Whether all that was promised is true.
    pub(super) fn is_good(&self) -> bool {
        let recovered = self.second.ledger.recovered > 0;
        self.first.is_good()
            && self.second.is_good()
            && recovered
            && self.replay.last() == "completed"
    }

    /// For people.
    pub(super) fn table(&self, paint: Paint) -> String {
        let mut table = Table::new();
        table.load_style(presets::UTF8_BORDERS_ONLY);
        table.set_header(["events", "first SIEM", "new SIEM"]);
        let rows = ROWS.iter().zip(self.first.rows()).zip(self.second.rows());
        for ((name, first), second) in rows {
            table.add_row([(*name).to_owned(), first, second]);
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let text = table.to_string();
        if !paint.is_on() {
            return text;
        }
        let colour = |line: &str| match (line.contains(" lost "), self.is_good()) {
            (true, true) => paint.green(line),
            (true, false) => paint.red(line),
            (false, _) => line.to_owned(),
        };
        text.lines().map(colour).collect::<Vec<_>>().join("\n")
    }

    /// What is not as promised, in words.
    pub(super) fn complaint(&self, stopped: Stopped) -> String {
        let mut wrong = Vec::new();
        for (name, side) in [("first", &self.first), ("new", &self.second)] {
            let ledger = &side.ledger;
            if side.lost > 0 {
                wrong.push(format!("the {name} SIEM lacks {} events", side.lost));
            }
            if side.strangers > 0 || ledger.nameless > 0 {
                let count = side.strangers + ledger.nameless;
                wrong.push(format!("the {name} SIEM holds {count} events nobody sent"));
            }
            if ledger.verified != ledger.lines {
                let count = ledger.lines - ledger.verified;
                wrong.push(format!("{count} signatures do not hold at the {name} SIEM"));
            }
        }
        if self.replay.last() != "completed" {
            wrong.push(format!("the replay ended {}", self.replay.last()));
        } else if self.second.ledger.recovered == 0 {
            wrong.push("the replay recovered nothing".to_owned());
        }
        if stopped == Stopped::Forced {
            wrong.push("the services did not stop in time".to_owned());
        }
        format!("Not as promised: {}.", wrong.join("; "))
    }

    /// For programs.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "first": self.first.to_json(),
            "second": self.second.to_json(),
            "replay": self.replay.to_json(),
            "lost": self.first.lost + self.second.lost,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receiver::{Receipt, Signature};

    fn ledger(ids: &[&str], replay: bool, signature: Signature) -> Ledger {
        let mut ledger = Ledger::default();
        for id in ids {
            ledger.take(Receipt { id: Some((*id).to_owned()), signature, replay });
        }
        ledger
    }

    fn account(first: Ledger, second: Ledger, ended: &str) -> Account {
        let ids = ["a".to_owned(), "b".to_owned()];
        Account {
            first: Side::new(&ids, 1, first),
            second: Side::new(&ids, 0, second),
            replay: Sightings::beginning_with(ended),
        }
    }

    fn whole(replay: bool) -> Ledger {
        ledger(&["a", "b", "b"], replay, Signature::Verified)
    }

    #[test]
    fn duplicates_are_no_loss() {
        let good = account(whole(false), whole(true), "completed");
        assert!(good.is_good(), "{}", good.complaint(Stopped::Clean));
        let table = good.table(Paint::plain());
        assert!(table.contains("lost") && table.contains("3 of 3"), "{table}");
    }

    #[test]
    fn every_shortcoming_is_named() {
        let verified = Signature::Verified;
        let cases = [
            (account(ledger(&["a"], false, verified), whole(true), "completed"), "lacks 1"),
            (
                account(whole(false), ledger(&["a", "b", "c"], true, verified), "completed"),
                "nobody",
            ),
            (
                account(whole(false), ledger(&["a", "b"], true, Signature::Wrong), "completed"),
                "do not hold",
            ),
            (account(whole(false), whole(true), "failed"), "ended failed"),
            (account(whole(false), whole(false), "completed"), "recovered nothing"),
        ];
        for (account, words) in cases {
            assert!(!account.is_good(), "{words}");
            let complaint = account.complaint(Stopped::Clean);
            assert!(complaint.contains(words), "{complaint}");
        }
    }
}
