//! The command line as scripts see it: exit codes, help, and what goes to which stream.

use crate::process::{self, auditrelay, code, stderr, stdout};

#[test]
fn help_and_version_are_answers() {
    for args in [&["--help"][..], &["--version"], &["version"], &["send", "--help"]] {
        let output = auditrelay(args);
        assert_eq!(code(&output), 0, "{args:?}");
        assert!(!stdout(&output).is_empty(), "{args:?}");
        assert!(stderr(&output).is_empty(), "{args:?}");
    }
}

#[test]
fn every_command_shows_examples() {
    let commands = ["demo", "dev", "send", "replay", "listen", "webhook", "org", "token", "keys"];
    for command in commands {
        let output = auditrelay(&[command, "--help"]);
        assert!(stdout(&output).contains("Example"), "{command}: {}", stdout(&output));
    }
}

#[test]
fn wrong_usage_is_64() {
    let wrong = [
        &[][..],
        &["--frobnicate"],
        &["frobnicate"],
        &["send", "--count", "x"],
        &["send", "--batch", "1001"],
        &["send", "--kind", "access"],
        &["replay", "--last", "6"],
        &["replay", "--from", "2026-01-01T00:00:00Z"],
        &[
            "replay",
            "--last",
            "6h",
            "--from",
            "2026-01-01T00:00:00Z",
            "--to",
            "2026-01-02T00:00:00Z",
        ],
        &["replay"],
        &["listen", "--status", "99"],
        &["token", "create", "--org", "x", "--name", "n", "--role", "admin"],
        &["keys", "generate", "frobs", "f"],
        &["ingest", "--frobnicate"],
    ];
    for args in wrong {
        let output = auditrelay(args);
        assert_eq!(code(&output), 64, "{args:?}: {}", stderr(&output));
        assert!(stdout(&output).is_empty(), "{args:?}");
        assert!(!stderr(&output).is_empty(), "{args:?}");
    }
}

#[test]
fn a_missing_token_is_said_before_anything_is_sent() {
    let output = process::command(&["send"]).env_remove("AUDITRELAY_TOKEN").output().unwrap();
    assert_eq!(code(&output), 64);
    assert!(stderr(&output).contains("AUDITRELAY_TOKEN"), "{}", stderr(&output));
}

#[test]
fn nobody_there_is_69() {
    let url = format!("http://{}", process::closed_address());
    for args in [&["send", "--patience", "1s"][..], &["replay", "status"], &["org", "list"]] {
        let output = process::command(args).env("AUDITRELAY_URL", &url).output().unwrap();
        assert_eq!(code(&output), 69, "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(&url), "{}", stderr(&output));
    }
}

#[test]
fn a_token_is_never_printed() {
    let url = format!("http://{}", process::closed_address());
    for output_format in ["text", "json"] {
        let args = ["send", "--patience", "1s", "--output", output_format];
        let output = process::command(&args).env("AUDITRELAY_URL", &url).output().unwrap();
        let everything = stdout(&output) + &stderr(&output);
        assert!(!everything.contains(process::TOKEN), "{everything}");
    }
}

#[test]
fn input_that_is_not_json_is_refused_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.ndjson");
    std::fs::write(&file, "{\"type\":\"authentication\"}\n{broken").unwrap();
    let output = auditrelay(&["send", "--file", file.to_str().unwrap()]);
    assert_eq!(code(&output), 64);
    assert!(stderr(&output).contains("line 2"), "{}", stderr(&output));
}

/// Name of the key that a file says is in use.
fn newest(path: &std::path::Path, kind: &str) -> String {
    let content: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let name = if kind == "signing" { "kid" } else { "id" };
    content["keys"][0][name].as_str().unwrap().to_owned()
}

#[test]
fn key_files_are_made_once_and_turned() {
    let folder = tempfile::tempdir().unwrap();
    for kind in ["signing", "sealing"] {
        let path = folder.path().join(kind);
        let file = path.to_str().unwrap();
        let made = auditrelay(&["keys", "generate", kind, file, "--output", "json"]);
        assert_eq!(code(&made), 0, "{}", stderr(&made));
        let first = process::json(&made)["kid"].as_str().unwrap().to_owned();
        assert_eq!(code(&auditrelay(&["keys", "generate", kind, file])), 74, "made only once");
        let rotated = auditrelay(&["keys", "rotate", kind, file, "--output", "json"]);
        assert_eq!(code(&rotated), 0, "{}", stderr(&rotated));
        assert_ne!(process::json(&rotated)["kid"], first);
        let content: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(content["keys"].as_array().unwrap().len(), 2, "the older key is kept");
        let announced = auditrelay(&["keys", "announce", kind, file, "--output", "json"]);
        let new = process::json(&announced)["kid"].as_str().unwrap().to_owned();
        assert_eq!(newest(&path, kind), process::json(&rotated)["kid"], "not used yet");
        assert_eq!(code(&auditrelay(&["keys", "retire", kind, file, "nobody"])), 1);
        assert_eq!(code(&auditrelay(&["keys", "promote", kind, file, &new])), 0);
        assert_eq!(newest(&path, kind), new);
        assert_eq!(code(&auditrelay(&["keys", "retire", kind, file, &new])), 1, "in use");
        assert_eq!(code(&auditrelay(&["keys", "retire", kind, file, &first])), 0);
    }
}

#[test]
fn a_file_that_holds_no_keys_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    std::fs::write(&path, "{}").unwrap();
    assert_eq!(code(&auditrelay(&["keys", "rotate", "signing", path.to_str().unwrap()])), 1);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "{}");
    assert_eq!(code(&auditrelay(&["keys", "rotate", "signing", "/nowhere/keys"])), 74);
}

#[test]
fn completions_are_made_for_every_shell() {
    for shell in ["bash", "zsh", "fish"] {
        let output = auditrelay(&["completions", shell]);
        assert_eq!(code(&output), 0);
        assert!(stdout(&output).contains("webhook-sender"), "{shell}");
    }
}

#[test]
fn no_colours_without_a_terminal() {
    for args in [&["--help"][..], &["frobnicate"]] {
        let output = auditrelay(args);
        assert!(!(stdout(&output) + &stderr(&output)).contains('\u{1b}'), "{args:?}");
    }
}

#[test]
fn listening_where_somebody_listens_is_74() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = auditrelay(&["listen", "--listen", &address]);
    assert_eq!(code(&output), 74, "{}", stderr(&output));
    assert!(stderr(&output).contains(&address), "{}", stderr(&output));
}
