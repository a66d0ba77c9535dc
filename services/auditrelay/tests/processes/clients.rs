//! The client commands against a running system: a webhook here, events there, a replay.

use std::time::Duration;

use serde_json::Value;

use crate::process::{self, Running, code, stderr, stdout};
use crate::system::Dev;

const END: Duration = Duration::from_secs(20);

/// Waits until the receiver's file holds this many lines.
fn until_lines(file: &std::path::Path, count: usize) {
    let mut looks = 0;
    let lines = || std::fs::read_to_string(file).unwrap_or_default().lines().count();
    while lines() < count {
        looks += 1;
        assert!(looks < 1_000, "{} of {count} lines after 20 s", lines());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn listen(dev: &Dev, store: &std::path::Path) -> Running {
    let store = store.to_str().unwrap();
    let args =
        ["listen", "--connect", "--listen", "127.0.0.1:0", "--store", store, "--output", "json"];
    let mut listening = Running::heard(dev.command(&args));
    let said = listening.error_line();
    assert!(said.starts_with("listening on"), "{said}");
    listening
}

fn end(mut listening: Running) -> Value {
    listening.terminate();
    let summary = serde_json::from_str(&listening.line()).unwrap();
    assert_eq!(listening.wait(END), Some(0));
    summary
}

#[test]
fn what_is_sent_is_received_verified_and_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("events");
    let dev = Dev::start(&folder.path().join("data"));
    let listening = listen(&dev, &store);
    let sent = dev.client(&["send", "--count", "60", "--batch", "25", "--output", "json"]);
    assert_eq!(process::json(&sent)["requests"], 3, "{}", stderr(&sent));
    until_lines(&store, 60);
    let replay = dev.client(&["replay", "--last", "1h", "--wait", "--output", "json"]);
    assert_eq!(code(&replay), 0, "{}", stderr(&replay));
    assert_eq!(process::json(&replay)["progress"]["events_sent"], 60);
    let summary = end(listening);
    for (name, count) in
        [("events", 120), ("distinct", 60), ("duplicates", 60), ("verified", 120), ("replayed", 60)]
    {
        assert_eq!(summary[name], count, "{name}: {summary}");
    }
    let again = dev.client(&["replay", "--last", "1h"]);
    assert_eq!(code(&again), 1, "listen took its webhook away: {}", stdout(&again));
    dev.stop();
}

#[test]
fn a_webhook_that_is_in_use_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::start(&folder.path().join("data"));
    let first = listen(&dev, &folder.path().join("first"));
    let second = dev.client(&["listen", "--connect", "--listen", "127.0.0.1:0"]);
    assert_eq!(code(&second), 1);
    assert!(stderr(&second).contains("already"), "{}", stderr(&second));
    assert_eq!(code(&dev.client(&["send", "--count", "5"])), 0);
    until_lines(&folder.path().join("first"), 5);
    end(first);
    dev.stop();
}

#[test]
fn a_refusal_names_each_parameter_and_is_1() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::start(folder.path());
    let file = folder.path().join("bad.json");
    std::fs::write(&file, r#"[{"type":"authorization"}]"#).unwrap();
    let file = file.to_str().unwrap();
    let words = dev.client(&["send", "--file", file]);
    assert_eq!(code(&words), 1);
    assert!(stderr(&words).contains("[0].granted: "), "{}", stderr(&words));
    let document = dev.client(&["send", "--file", file, "--output", "json"]);
    let refusal: Value = serde_json::from_str(stderr(&document).trim()).unwrap();
    assert_eq!(refusal["status"], 400, "{refusal}");
    let unknown = dev.command(&["send"]).env("AUDITRELAY_TOKEN", "art_wrong").output().unwrap();
    assert_eq!(code(&unknown), 1);
    assert!(stderr(&unknown).contains("401"), "{}", stderr(&unknown));
    dev.stop();
}
