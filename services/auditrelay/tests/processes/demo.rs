//! The demo as anybody runs it first.

use std::time::Duration;

use crate::process::{self, code, stderr, stdout};

/// Folders of demos that are gone must be gone too.
fn leftovers(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn it_ends_well_explains_itself_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let output = process::command(&["demo"]).env("TMPDIR", folder.path()).output().unwrap();
    let told = stdout(&output);
    assert_eq!(code(&output), 0, "{told}\n{}", stderr(&output));
    for words in ["401", "inactive", "caught up by itself", "completed", "lost", "accounted for"] {
        assert!(told.contains(words), "{words} is missing:\n{told}");
    }
    assert!(!told.contains('\u{1b}'), "colours are for terminals");
    assert!(leftovers(folder.path()).is_empty(), "{:?}", leftovers(folder.path()));
}

#[test]
fn programs_get_the_account_alone() {
    let output = process::auditrelay(&["demo", "--output", "json"]);
    assert_eq!(code(&output), 0, "{}\n{}", stdout(&output), stderr(&output));
    let account = process::json(&output);
    assert_eq!(account["ok"], true, "{account}");
    assert_eq!(account["lost"], 0, "{account}");
    assert_eq!(account["second"]["sent"], 2_000, "{account}");
    assert_eq!(account["second"]["distinct"], 2_000, "{account}");
    let states = account["replay"]["seen"].as_array().unwrap();
    let names: Vec<&str> = states.iter().filter_map(|seen| seen["state"].as_str()).collect();
    assert_eq!((names.first(), names.last()), (Some(&"accepted"), Some(&"completed")));
    let took = Duration::from_millis(account["took_ms"].as_u64().unwrap());
    assert!(took < Duration::from_mins(1), "{took:?}");
}

#[test]
fn interrupted_it_cleans_up() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = process::command(&["demo"]);
    command.env("TMPDIR", folder.path());
    let mut demo = process::Running::piped(command);
    while !demo.line().contains("1. ") {}
    demo.terminate();
    assert_eq!(demo.wait(Duration::from_secs(30)), Some(1));
    assert!(leftovers(folder.path()).is_empty(), "{:?}", leftovers(folder.path()));
}
