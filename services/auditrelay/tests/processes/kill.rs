//! Everything is killed in the middle of its work, more than once; no accepted event is lost.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::process::{self, Running};
use crate::system::Dev;

const EVENTS: u32 = 3_000;
/// How long each life lasts after the system was ready, in milliseconds.
const LIVES: [u64; 3] = [900, 1_300, 700];

/// How often each event id stands in the receiver's file.
fn held(store: &Path) -> BTreeMap<String, u32> {
    let mut held = BTreeMap::new();
    for line in std::fs::read_to_string(store).unwrap_or_default().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        *held.entry(line["event_id"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    held
}

#[test]
fn killed_at_any_moment_nothing_that_was_accepted_is_lost() {
    survives(&LIVES);
}

#[test]
#[ignore = "takes a minute: twenty kills of everything, with the broker"]
fn killed_twenty_times_nothing_that_was_accepted_is_lost() {
    let lives: Vec<u64> = (0..20).map(|life| 100 + life * 397 % 1_100).collect();
    survives(&lives);
}

fn survives(lives: &[u64]) {
    let folder = tempfile::tempdir().unwrap();
    let (data, store) = (folder.path().join("data"), folder.path().join("events"));
    let address = process::closed_address().to_string();
    let mut dev = Dev::start_at(&address, &data);
    let receiver = process::closed_address().to_string();
    let file = store.to_str().unwrap();
    let args = ["listen", "--connect", "--listen", &receiver, "--store", file, "--output", "json"];
    let mut listening = Running::heard(dev.command(&args));
    assert!(listening.error_line().starts_with("listening on"));
    let events = EVENTS * u32::try_from(lives.len()).unwrap() / 3;
    let count = events.to_string();
    let args = ["send", "--count", &count, "--rate", "600", "--batch", "20", "--output", "json"];
    let mut sending = Running::piped(dev.command(&args));
    for life in lives {
        std::thread::sleep(Duration::from_millis(*life));
        // Its broker ends with it.
        dev.process.kill();
        dev = Dev::start_at(&address, &data);
    }
    let sent: Value = serde_json::from_str(&sending.line()).unwrap();
    assert_eq!(sending.wait(Duration::from_mins(1)), Some(0));
    assert_eq!(sent["accepted"], events, "{sent}");
    let ids: Vec<&str> = sent["ids"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let mut looks = 0;
    let missing = || {
        let held = held(&store);
        ids.iter().filter(|id| !held.contains_key(**id)).count()
    };
    while missing() > 0 {
        looks += 1;
        assert!(looks < 300, "{} events are missing after 30 s", missing());
        std::thread::sleep(Duration::from_millis(100));
    }
    listening.terminate();
    let summary: Value = serde_json::from_str(&listening.line()).unwrap();
    assert_eq!(listening.wait(Duration::from_secs(20)), Some(0));
    assert_eq!(summary["distinct"], events, "{summary}");
    assert_eq!(summary["verified"], summary["events"], "{summary}");
    println!("{} kills: {summary}", lives.len());
    dev.stop();
}
