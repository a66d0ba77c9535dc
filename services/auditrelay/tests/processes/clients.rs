//! The client commands against a running system: a webhook here, events there, a replay.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::process::{self, Running, code, stderr, stdout};
use crate::system::Dev;

const END: Duration = Duration::from_secs(20);

/// Waits until the receiver's file holds this many lines.
pub(crate) fn until_lines(file: &Path, count: usize) {
    let mut looks = 0;
    let lines = || std::fs::read_to_string(file).unwrap_or_default().lines().count();
    while lines() < count {
        looks += 1;
        assert!(looks < 1_000, "{} of {count} lines after 20 s", lines());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Listens as the webhook's receiver, with further arguments.
pub(crate) fn listen(dev: &Dev, store: &Path, more: &[&str]) -> Running {
    let store = store.to_str().unwrap();
    let mut args = vec!["listen", "--connect", "--store", store, "--output", "json"];
    args.extend(more);
    let mut listening = Running::heard(dev.command(&args));
    let said = listening.error_line();
    assert!(said.starts_with("listening on"), "{said}");
    listening
}

pub(crate) fn end(mut listening: Running) -> Value {
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
    let listening = listen(&dev, &store, &["--listen", "127.0.0.1:0", "--remove"]);
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
fn what_an_organization_hides_never_reaches_its_siem() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("events");
    let dev = Dev::start(&folder.path().join("data"));
    let changed = dev.client(&["privacy", "user_agent=mask", "client_ip=hash", "--output", "json"]);
    assert_eq!(process::json(&changed)["user_agent"], "mask", "{}", stderr(&changed));
    let kept = dev.client(&["privacy", "client_ip=none", "--output", "json"]);
    assert_eq!(process::json(&kept)["user_agent"], "mask");
    assert!(process::json(&kept)["client_ip"].is_null());
    assert_eq!(code(&dev.client(&["privacy", "granted=mask"])), 64);
    let listening = listen(&dev, &store, &["--listen", "127.0.0.1:0"]);
    // An ingest learns of it within moments.
    let hidden = |line: &str| serde_json::from_str::<Value>(line).unwrap()["user_agent"] == "***";
    let mut sent = 0;
    loop {
        assert_eq!(code(&dev.client(&["send", "--count", "1"])), 0);
        sent += 1;
        until_lines(&store, sent);
        let lines = std::fs::read_to_string(&store).unwrap();
        if lines.lines().last().is_some_and(hidden) {
            break;
        }
        assert!(sent < 100, "still shown: {lines}");
    }
    end(listening);
    dev.stop();
}

#[test]
fn a_webhook_that_is_in_use_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::start(&folder.path().join("data"));
    let first = listen(&dev, &folder.path().join("first"), &["--listen", "127.0.0.1:0"]);
    let second = ["listen", "--connect", "--listen", "127.0.0.1:0", "--name", "another"];
    let second = dev.client(&second);
    assert_eq!(code(&second), 1);
    assert!(stderr(&second).contains("another destination"), "{}", stderr(&second));
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

#[test]
fn what_a_receiver_missed_comes_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::start(&folder.path().join("data"));
    let (store, address) = (folder.path().join("events"), process::closed_address().to_string());
    let first = listen(&dev, &store, &["--listen", &address]);
    assert_eq!(code(&dev.client(&["send", "--count", "10"])), 0);
    until_lines(&store, 10);
    assert_eq!(end(first)["distinct"], 10);
    assert_eq!(code(&dev.client(&["send", "--count", "20"])), 0);
    let second = listen(&dev, &store, &["--listen", &address]);
    until_lines(&store, 30);
    assert_eq!(end(second)["distinct"], 20, "nothing comes twice");
    dev.stop();
}

#[test]
fn where_dev_runs_no_token_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::start(&folder.path().join(".auditrelay"));
    let mut send = dev.command(&["send"]);
    send.env_remove("AUDITRELAY_TOKEN").env_remove("XDG_DATA_HOME").current_dir(folder.path());
    let sent = send.output().unwrap();
    assert_eq!(code(&sent), 0, "{}", stderr(&sent));
    let mut elsewhere = process::command(&["send", "--url", "http://192.0.2.1:9"]);
    elsewhere.env_remove("AUDITRELAY_TOKEN").current_dir(folder.path());
    assert_eq!(code(&elsewhere.output().unwrap()), 64, "it is for this machine only");
    dev.stop();
}
