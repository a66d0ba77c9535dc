//! The all-in-one: it keeps what it was given, ends cleanly, and leaves no process behind.

use std::path::Path;
use std::time::Duration;

use crate::process::{self, code, stderr};
use crate::system::Dev;

/// Whether a process works on this store.
fn has_a_broker(data: &Path) -> bool {
    let needle = data.join("nats");
    let needle = needle.to_str().unwrap();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes.into_iter().any(|process| {
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(needle)
    })
}

#[test]
fn it_keeps_its_tokens_and_its_events_between_runs() {
    let folder = tempfile::tempdir().unwrap();
    let first = Dev::start(folder.path());
    let sent = first.client(&["send", "--count", "30", "--output", "json"]);
    assert_eq!(code(&sent), 0, "{}", stderr(&sent));
    assert_eq!(process::json(&sent)["accepted"], 30);
    assert_eq!(process::json(&sent)["ids"].as_array().unwrap().len(), 30);
    let token = first.text("admin_token").to_owned();
    assert!(has_a_broker(folder.path()));
    first.stop();
    assert!(!has_a_broker(folder.path()), "the broker ends with it");
    let second = Dev::start(folder.path());
    assert_eq!(second.text("admin_token"), token);
    assert_eq!(code(&second.client(&["send", "--count", "1"])), 0);
    second.stop();
}

#[test]
fn a_second_one_on_the_same_data_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let first = Dev::start(folder.path());
    let data = folder.path().to_str().unwrap();
    let second = process::auditrelay(&["dev", "--listen", "127.0.0.1:0", "--data", data]);
    assert_eq!(code(&second), 74, "{}", stderr(&second));
    assert!(stderr(&second).contains("another auditrelay"), "{}", stderr(&second));
    first.stop();
}

#[test]
fn killed_it_takes_its_broker_along_and_starts_again_with_everything() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = Dev::start(folder.path());
    assert_eq!(code(&first.client(&["send", "--count", "10"])), 0);
    first.process.kill();
    let mut looks = 0;
    while has_a_broker(folder.path()) {
        looks += 1;
        assert!(looks < 500, "the broker outlived its parent");
        std::thread::sleep(Duration::from_millis(20));
    }
    let token = first.text("admin_token").to_owned();
    let second = Dev::start(folder.path());
    assert_eq!(second.text("admin_token"), token);
    second.stop();
}

#[test]
fn wrong_settings_are_78_and_nothing_is_left_running() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let output = process::command(&["dev", "--listen", "127.0.0.1:0", "--data", data])
        .env("AUDITRELAY_SENDER_RETRIES", "many")
        .output()
        .unwrap();
    assert_eq!(code(&output), 78, "{}", stderr(&output));
    assert!(stderr(&output).starts_with("config: sender.retries"), "{}", stderr(&output));
    assert!(!has_a_broker(folder.path()));
}
