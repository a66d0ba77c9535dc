//! Services as operators start them: wrong settings end at once, with a line for each mistake.

use std::net::TcpListener;
use std::time::Duration;

use serde_json::Value;

use crate::process::{self, code, stderr, stdout};

const SERVICES: [&str; 5] = ["ingest", "retention", "replay-scheduler", "webhook-sender", "api"];

/// A folder with the key files that some services cannot do without.
fn keys() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for kind in ["signing", "sealing"] {
        let file = folder.path().join(kind);
        let made = process::auditrelay(&["keys", "generate", kind, file.to_str().unwrap()]);
        assert_eq!(code(&made), 0, "{}", stderr(&made));
    }
    folder
}

fn service(args: &[&str], keys: &tempfile::TempDir) -> std::process::Command {
    let mut command = process::command(args);
    command
        .env("AUDITRELAY_SIGNING_KEYS_FILE", keys.path().join("signing"))
        .env("AUDITRELAY_SEALING_KEYS_FILE", keys.path().join("sealing"))
        .env("AUDITRELAY_ADMIN_LISTEN", "127.0.0.1:0")
        .env("AUDITRELAY_NATS_URL", format!("nats://{}", process::closed_address()));
    command
}

#[test]
fn settings_can_be_checked_without_starting() {
    let keys = keys();
    for name in SERVICES {
        let output = service(&[name, "--check"], &keys).output().unwrap();
        assert_eq!(code(&output), 0, "{name}: {}", stderr(&output));
        assert!(stdout(&output).contains("in order"), "{name}");
    }
}

#[test]
fn every_mistake_is_a_line_and_the_exit_code_is_78() {
    let keys = keys();
    for name in SERVICES {
        let output = service(&[name], &keys)
            .env("AUDITRELAY_ADMIN_LISTEN", "nowhere")
            .env("AUDITRELAY_DRAIN_GRACE", "30")
            .env("AUDITRELAY_FROBNICATE", "hunter2")
            .output()
            .unwrap();
        assert_eq!(code(&output), 78, "{name}: {}", stderr(&output));
        let said = stderr(&output);
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines.len(), 3, "{name}: {said}");
        assert!(lines.iter().all(|line| line.starts_with("config: ")), "{name}: {said}");
        assert!(said.contains("admin.listen") && said.contains("drain.grace"), "{name}: {said}");
        assert!(said.contains("AUDITRELAY_FROBNICATE") && !said.contains("hunter2"), "{said}");
    }
}

#[test]
fn every_wrong_setting_is_named_and_ends_with_78() {
    let keys = keys();
    let table: Value = toml::from_str(include_str!("settings.toml")).unwrap();
    for row in table["rows"].as_array().unwrap() {
        let (name, file) = (row["row"].as_str().unwrap(), keys.path().join("settings"));
        let mut command = service(&[row["service"].as_str().unwrap(), "--check"], &keys);
        for variable in row["without"].as_array().into_iter().flatten() {
            command.env_remove(variable.as_str().unwrap());
        }
        for (variable, value) in row["env"].as_object().into_iter().flatten() {
            command.env(variable, value.as_str().unwrap());
        }
        if let Some(text) = row["file"].as_str() {
            std::fs::write(&file, text).unwrap();
            command.arg("--config").arg(&file);
        }
        let output = command.output().unwrap();
        let said = stderr(&output);
        let wanted = row["code"].as_i64().unwrap_or(78);
        assert_eq!(i64::from(code(&output)), wanted, "{name}: {said}");
        if let Some(says) = row["says"].as_str() {
            assert_eq!(said.lines().count(), 1, "{name}: {said}");
            assert!(said.starts_with("config: ") && said.contains(says), "{name}: {said}");
            assert!(!said.contains("hunter2"), "{name}: {said}");
        }
    }
}

#[test]
fn a_missing_settings_file_is_78_and_names_it() {
    let output = process::auditrelay(&["ingest", "--config", "/nowhere/auditrelay.toml"]);
    assert_eq!(code(&output), 78);
    assert!(stderr(&output).contains("/nowhere/auditrelay.toml"), "{}", stderr(&output));
}

#[test]
fn one_file_may_serve_all_services_and_still_shows_typos() {
    let keys = keys();
    let file = keys.path().join("auditrelay.toml");
    let all =
        "[ingest]\nmax_lateness = \"12h\"\n[retention]\nreplicas = 1\n[sender]\nretries = 4\n";
    std::fs::write(&file, all).unwrap();
    let check = |name| {
        let args = [name, "--check", "--config", file.to_str().unwrap()];
        service(&args, &keys).output().unwrap()
    };
    for name in SERVICES {
        assert_eq!(code(&check(name)), 0, "{name}: {}", stderr(&check(name)));
    }
    std::fs::write(&file, all.replace("max_lateness", "max_latenes")).unwrap();
    let output = check("ingest");
    assert_eq!(code(&output), 78);
    assert!(stderr(&output).contains("did you mean ingest.max_lateness"), "{}", stderr(&output));
}

#[test]
fn an_address_that_is_taken_is_74() {
    let keys = keys();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output =
        service(&["retention"], &keys).env("AUDITRELAY_ADMIN_LISTEN", &address).output().unwrap();
    assert_eq!(code(&output), 74, "{}", stderr(&output));
    assert!(stderr(&output).contains(&address), "{}", stderr(&output));
}

#[test]
fn a_service_waits_for_its_broker_and_stops_when_told() {
    let keys = keys();
    let mut child = process::Running::start(service(&["retention"], &keys));
    std::thread::sleep(Duration::from_millis(700));
    assert!(child.is_running(), "a broker that is away must not end a service");
    child.terminate();
    assert_eq!(child.wait(Duration::from_secs(5)), Some(0), "it had nothing to drain");
}
