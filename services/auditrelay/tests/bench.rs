//! The benchmark works: it starts a whole system, loads it, and every event comes out once.

use std::process::Command;

use serde_json::Value;

#[test]
fn a_quick_run_measures_and_its_ledgers_balance() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bench.json");
    let run = Command::new(env!("CARGO_BIN_EXE_auditrelay"))
        .args(["bench", "--quick", "--only", "deliver,catch-up", "--json"])
        .arg(&file)
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{words}");
    let document: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let rows = document["workloads"].as_array().unwrap();
    let names: Vec<_> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
    let expected = [
        "deliver: 1 webhook",
        "replay of the same",
        "pull: pages of 1,000",
        "catch up after an outage",
    ];
    assert_eq!(names, expected);
    for row in rows.iter().filter(|row| !row["ledger"].is_null()) {
        assert_eq!(row["ledger"]["balances"], true, "{row}");
        assert!(row["ledger"]["delivered"].as_u64().unwrap() >= 2_000, "{row}");
        assert!(row["rate"]["median"].as_f64().unwrap() > 0.0, "{row}");
    }
    assert!(rows[0]["ratio"].as_f64().unwrap() > 0.0);
    assert!(String::from_utf8_lossy(&run.stdout).contains("signatures/s"));
}
