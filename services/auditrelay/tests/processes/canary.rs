//! Secrets are planted and used; then everything that the system says, sends and stores is searched
//! for them.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::clients::{end, listen, until_lines};
use crate::process::{self, code, stderr};
use crate::system::Dev;
use crate::tap::Tap;

/// What receivers are sent, and nobody else may see.
const AUTHORIZATION: &str = "Splunk canary-f00d-4711-do-not-leak";
const ANOTHER: &str = "Bearer canary-beef-0815-do-not-leak";
/// A right one of somebody's, mistyped.
const MISTYPED: &str = "art_canary-mistyped-0000000000000000000000000";
const TRIES: usize = 3_000;

#[test]
fn no_planted_secret_comes_out_anywhere() {
    let folder = tempfile::tempdir().unwrap();
    let (data, log) = (folder.path().join("data"), folder.path().join("log"));
    let (traces, echo) = (Tap::start("200 OK"), Tap::start("422 Unprocessable Content"));
    let dev = loud(&data, &log, &traces);
    let secrets = secrets(&data, &dev);

    deliver_and_replay(&dev, folder.path());
    let mut said = vec![("an echo's attempts", echoed(&dev, &echo))];
    let refused = dev.command(&["send"]).env("AUDITRELAY_TOKEN", MISTYPED).output().unwrap();
    assert_eq!(code(&refused), 1);
    said.push(("a refusal", [refused.stdout, refused.stderr].concat()));
    said.extend(answers(&dev));
    dev.stop();
    said.push(("the traces", traces.heard()));
    said.push(("the log", std::fs::read(&log).unwrap()));
    assert!(holds(&echo.heard(), ANOTHER), "the receiver is told its own");
    for (place, body) in &said {
        assert!(body.len() > 20, "{place} says something");
        let leaked = secrets.iter().find(|secret| holds(body, secret));
        assert!(leaked.is_none(), "{place} tells a secret that begins with {:.8}", leaked.unwrap());
    }
    for file in files(&data) {
        // Keys and tokens are kept in files of their own, for their owner alone.
        let own = file.parent() == Some(&data);
        let body = std::fs::read(&file).unwrap();
        let leaked = secrets.iter().find(|secret| !own && holds(&body, secret));
        assert!(leaked.is_none(), "{} holds {:.8}", file.display(), leaked.unwrap());
    }
}

/// Everything it can say is said.
fn loud(data: &Path, log: &Path, traces: &Tap) -> Dev {
    let endpoint = format!("http://{}", traces.address);
    Dev::answering("127.0.0.1:0", data, |command| {
        command.args(["--log", "trace"]).stderr(Stdio::from(File::create(log).unwrap()));
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
        command.env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");
    })
}

/// What must not come out: what was planted, and what the system made for itself.
fn secrets(data: &Path, dev: &Dev) -> Vec<String> {
    let credential = |value: &str| value.split_once(' ').unwrap().1.to_owned();
    let mut secrets = vec![credential(AUTHORIZATION), credential(ANOTHER), MISTYPED.to_owned()];
    secrets.extend(["admin_token", "producer_token"].map(|name| dev.text(name).to_owned()));
    for name in ["platform-token", "privacy-key"] {
        secrets.push(std::fs::read_to_string(data.join(name)).unwrap().trim().to_owned());
    }
    for name in ["signing.json", "sealing.json"] {
        let keys: Value = serde_json::from_slice(&std::fs::read(data.join(name)).unwrap()).unwrap();
        let before = secrets.len();
        collect(&keys, &mut secrets);
        assert!(secrets.len() > before, "{name} holds a key");
    }
    secrets
}

/// Texts that are long enough for a key.
fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            fields.iter().filter(|(name, _)| *name != "x").for_each(|(_, one)| collect(one, found));
        }
        Value::Array(items) => items.iter().for_each(|one| collect(one, found)),
        Value::String(text) if text.len() >= 40 => found.push(text.clone()),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn deliver_and_replay(dev: &Dev, folder: &Path) {
    let store = folder.join("events");
    let listening =
        listen(dev, &store, &["--listen", "127.0.0.1:0", "--authorization", AUTHORIZATION]);
    assert_eq!(code(&dev.client(&["send", "--count", "30"])), 0);
    until_lines(&store, 30);
    let replay = dev.client(&["replay", "--last", "1h", "--wait"]);
    assert_eq!(code(&replay), 0, "{}", stderr(&replay));
    until_lines(&store, 60);
    let _summary = end(listening);
}

/// Delivers to a receiver that answers with what it was sent in confidence; what is told of that.
fn echoed(dev: &Dev, echo: &Tap) -> Vec<u8> {
    let place = format!("http://{}/", echo.address);
    let made = json!({"name": "echo", "endpoint": place, "authorization": ANOTHER,
        "log_format": "json"});
    let made = call(dev, "POST", "/v3/audit-log-destinations", Some(&made));
    let made: Value = serde_json::from_slice(&made).unwrap();
    let bound = json!({"audit_log_destination_id": made["id"], "enabled": true});
    call(dev, "PATCH", "/v3/audit-log-webhook", Some(&bound));
    let tested = format!("/v1/destinations/{}/test", made["id"].as_str().unwrap());
    let mut said = call(dev, "POST", &tested, Some(&json!({})));
    assert_eq!(code(&dev.client(&["send", "--count", "3"])), 0);
    for look in 0.. {
        let attempts = call(dev, "GET", "/v1/webhooks/org/attempts", None);
        if holds(&attempts, "422") {
            said.extend(attempts);
            return said;
        }
        assert!(look < TRIES, "{}", String::from_utf8_lossy(&attempts));
        std::thread::sleep(Duration::from_millis(20));
    }
    said
}

/// What every page says that shows anything of it.
fn answers(dev: &Dev) -> Vec<(&'static str, Vec<u8>)> {
    let wrong = json!({"authorization": ANOTHER, "endpoint": 5, "name": 5});
    let refused = call(dev, "POST", "/v3/audit-log-destinations", Some(&wrong));
    let metrics = curl(&["-s", &format!("{}/metrics", dev.text("admin_url"))]);
    let paths = [
        "/v3/audit-log-destinations",
        "/v3/audit-log-webhook",
        "/v3/audit-log-webhook/status",
        "/v2/audit-log-webhook",
        "/v2/audit-log-webhook/jwks.json",
        "/v3/audit-logs",
        "/v1/replay-job",
        "/v1/webhooks/org/quarantine",
        "/v1/privacy",
    ];
    let mut said: Vec<_> = paths.iter().map(|path| (*path, call(dev, "GET", path, None))).collect();
    said.extend([("a wrong destination", refused), ("/metrics", metrics)]);
    said
}

fn call(dev: &Dev, method: &str, path: &str, body: Option<&Value>) -> Vec<u8> {
    let url = format!("{}{path}", dev.text("url").trim_end_matches('/'));
    let token = format!("Authorization: Bearer {}", dev.text("admin_token"));
    let body = body.map(ToString::to_string).unwrap_or_default();
    let json = "Content-Type: application/json";
    let mut args = vec!["-s", "-X", method, "-H", &token, "-H", json, &url];
    if !body.is_empty() {
        args.extend(["--data", &body]);
    }
    curl(&args)
}

fn curl(args: &[&str]) -> Vec<u8> {
    Command::new("curl").args(args).output().unwrap().stdout
}

fn holds(body: &[u8], text: &str) -> bool {
    body.windows(text.len()).any(|part| part == text.as_bytes())
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// A core file would hold every key. Cores are allowed here, and yet there is none.
#[test]
fn a_crash_leaves_no_memory_behind() {
    let folder = tempfile::tempdir().unwrap();
    let binary = env!("CARGO_BIN_EXE_auditrelay");
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -c unlimited; exec \"$0\" \"$@\"", binary]);
    command.args(["listen", "--listen", "127.0.0.1:0"]).current_dir(folder.path());
    let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = child.id().to_string();
    process::first_line(&mut child);
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let cores = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert!(cores.contains(" 0 "), "{cores}");
    assert!(Command::new("kill").args(["-ABRT", &pid]).status().unwrap().success());
    assert!(!child.wait().unwrap().core_dumped());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// What older keys sealed opens after a rotation: receivers are still told what they were told.
#[test]
fn sealing_keys_are_rotated_under_what_they_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let (data, store) = (folder.path().join("data"), folder.path().join("events"));
    let dev = Dev::start(&data);
    let address = process::closed_address().to_string();
    let args = ["--listen", &*address, "--authorization", AUTHORIZATION];
    let _summary = end(listen(&dev, &store, &args));
    assert_eq!(code(&dev.client(&["send", "--count", "5"])), 0);
    dev.stop();
    let keys = data.join("sealing.json");
    let before = std::fs::read(&keys).unwrap();
    let rotated = process::auditrelay(&["keys", "rotate", "sealing", keys.to_str().unwrap()]);
    assert_eq!(code(&rotated), 0, "{}", stderr(&rotated));
    assert_ne!(std::fs::read(&keys).unwrap(), before);
    let dev = Dev::start(&data);
    // It does not tell anybody its authorization anew; it answers 401 to all that bring another.
    let mut command = process::command(&["listen", "--store", store.to_str().unwrap()]);
    command.args(args);
    let mut listening = process::Running::heard(command);
    assert!(listening.error_line().starts_with("listening on"));
    until_lines(&store, 5);
    dev.stop();
}
