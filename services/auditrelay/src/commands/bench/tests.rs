use std::collections::BTreeMap;

use super::report::Limit;
use super::stats::{Ledger, Spread};
use super::*;

fn row(name: &str, rate: f64, ledger: Ledger) -> Row {
    let spread = |median| Spread { median, min: median, max: median };
    Row {
        name: name.to_owned(),
        rate: spread(rate),
        unit: "events/s",
        limit: Some(Limit { what: "limit", rate: spread(1_000.0) }),
        costs: Vec::new(),
        ledger: Some(ledger),
        more: BTreeMap::new(),
    }
}

#[test]
fn what_is_slow_is_found_when_asked_for_and_what_is_lost_always() {
    let good = Ledger { accepted: 1, delivered: 1, repeated: 0 };
    let lost = Ledger { accepted: 2, ..good };
    let name = "deliver: 1 webhook";
    assert!(findings(&[row(name, 500.0, good)], true).is_empty());
    assert!(findings(&[row(name, 1.0, good)], false).is_empty());
    assert!(findings(&[row(name, 1.0, good)], true)[0].contains("below 0.1"));
    assert!(findings(&[row(name, 500.0, lost)], false)[0].contains("does not balance"));
}
