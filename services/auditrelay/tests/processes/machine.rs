//! The machine that a service finds itself on: whose files are open to whom, what its clock says,
//! how little it may do there.

use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use auditrelay_model::{Clock, Timestamp};
use auditrelay_runtime::clock::SystemClock;
use futures::future::join_all;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::fleet::{Fleet, SERVICES, get, until_ready};
use crate::process::{self, Running, code, stderr};
use crate::system::Dev;

const PATIENCE: Duration = Duration::from_mins(1);
const NOBODY: u32 = 65_532;

/// A folder with key files of these modes, and a service that is pointed to them.
fn keys(mode: u32) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for kind in ["signing", "sealing"] {
        let file = folder.path().join(kind);
        let made = process::auditrelay(&["keys", "generate", kind, file.to_str().unwrap()]);
        assert_eq!(code(&made), 0, "{}", stderr(&made));
        set_mode(&file, mode);
    }
    folder
}

fn set_mode(file: &Path, mode: u32) {
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn sender(keys: &Path, more: &[&str]) -> Command {
    let mut command = process::command(&[&["webhook-sender"], more].concat());
    command
        .env("AUDITRELAY_SIGNING_KEYS_FILE", keys.join("signing"))
        .env("AUDITRELAY_SEALING_KEYS_FILE", keys.join("sealing"))
        .env("AUDITRELAY_NATS_URL", format!("nats://{}", process::closed_address()));
    command
}

#[test]
fn a_secret_that_everybody_may_write_is_refused_and_one_that_everybody_may_read_is_told() {
    let rows = [(0o600, 0, 0), (0o440, 0, 0), (0o644, 0, 2), (0o666, 78, 2), (0o622, 78, 2)];
    for (mode, wanted, lines) in rows {
        let folder = keys(mode);
        let checked = sender(folder.path(), &["--check"]).output().unwrap();
        let said = stderr(&checked);
        assert_eq!((code(&checked), said.lines().count()), (wanted, lines), "{mode:o}: {said}");
        let word = if wanted == 0 { "doubtful: " } else { "config: " };
        assert!(said.lines().all(|line| line.starts_with(word)), "{mode:o}: {said}");
        assert!(said.lines().all(|line| line.contains(".keys_file: ")), "{mode:o}: {said}");
    }
}

#[test]
fn a_secret_as_kubernetes_mounts_it_is_used() {
    let folder = keys(0o644);
    let mounted = folder.path().join("mounted");
    std::fs::create_dir(&mounted).unwrap();
    symlink(folder.path(), mounted.join("..data")).unwrap();
    for kind in ["signing", "sealing"] {
        symlink(Path::new("..data").join(kind), mounted.join(kind)).unwrap();
    }
    let checked = sender(&mounted, &["--check"]).output().unwrap();
    assert_eq!(code(&checked), 0, "{}", stderr(&checked));
    assert_eq!(stderr(&checked).lines().count(), 2, "{}", stderr(&checked));
}

#[test]
fn other_files_that_everybody_may_write_are_refused_too() {
    let folder = keys(0o600);
    let open = folder.path().join("open");
    std::fs::write(&open, "").unwrap();
    set_mode(&open, 0o666);
    let open = open.to_str().unwrap();
    let with = |variable: &str| {
        let mut command = sender(folder.path(), &["--check"]);
        command.env(variable, open).env("AUDITRELAY_SENDER_CLIENT_CERTIFICATE", open);
        command.env("AUDITRELAY_SENDER_CLIENT_KEY", open);
        command.output().unwrap()
    };
    let settings = sender(folder.path(), &["--check", "--config", open]).output().unwrap();
    let rows = [
        (settings, open),
        (with("AUDITRELAY_NATS_CREDENTIALS"), "nats.credentials: "),
        (with("AUDITRELAY_SENDER_CLIENT_KEY"), "sender.client_key: "),
    ];
    for (checked, named) in rows {
        let said = stderr(&checked);
        assert_eq!(code(&checked), 78, "{named}: {said}");
        assert!(said.contains(named) && said.contains("everybody may write it"), "{named}: {said}");
    }
}

#[tokio::test]
async fn what_is_doubtful_is_said_at_the_start_and_can_be_seen_for_as_long_as_it_lasts() {
    let (folder, admin) = (keys(0o600), process::closed_address());
    for wide in ["0.0.0.0/0", "::/0", "169.254.0.0/16"] {
        let mut command = sender(folder.path(), &[]);
        command.env("AUDITRELAY_SENDER_ALLOW_PRIVATE_DESTINATIONS", wide);
        command.env("AUDITRELAY_ADMIN_LISTEN", admin.to_string());
        let mut service = Running::heard(command);
        let line = service.error_line();
        assert!(line.contains("WARN") && line.contains("allow_private_destinations"), "{line}");
        let shown = metric(admin, "auditrelay_settings_doubts{setting=").await;
        assert_eq!(shown, "\"sender.allow_private_destinations\"} 1", "{wide}");
        service.kill();
    }
    let mut command = sender(folder.path(), &["--check"]);
    command.env("AUDITRELAY_SENDER_ALLOW_PRIVATE_DESTINATIONS", "10.0.0.0/8,fd00::/8");
    assert_eq!(stderr(&command.output().unwrap()), "");
}

/// What follows in the first sample that begins so.
async fn metric(admin: std::net::SocketAddr, name: &str) -> String {
    let begun = Instant::now();
    loop {
        let text = get(admin, "/metrics", "text/plain").await.unwrap_or_default().1;
        if let Some(rest) = text.lines().find_map(|line| line.strip_prefix(name)) {
            return rest.to_owned();
        }
        assert!(begun.elapsed() < PATIENCE, "{name}: {text}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A library that makes a process believe in another time, where it is installed.
fn false_time(command: &mut Command, time: &str) -> bool {
    let libraries = std::fs::read_dir("/usr/lib").unwrap().flatten();
    let mut libraries = libraries.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    let Some(library) = libraries.find(|library| library.exists()) else {
        println!("skipped: libfaketime is not installed");
        return false;
    };
    command.env("LD_PRELOAD", library).env("FAKETIME", time);
    command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    true
}

#[test]
fn a_clock_that_was_never_set_is_78() {
    for (time, wanted) in [("1970-01-02 00:00:00", 78), ("2019-12-31 12:00:00", 78), ("+0", 0)] {
        let folder = keys(0o600);
        let mut command = sender(folder.path(), &["--check"]);
        if !false_time(&mut command, time) {
            return;
        }
        let checked = command.output().unwrap();
        assert_eq!(code(&checked), wanted, "{time}: {}", stderr(&checked));
        assert_eq!(stderr(&checked).contains("config: clock: "), wanted == 78, "{time}");
    }
}

#[tokio::test]
async fn a_clock_that_is_not_the_brokers_is_told_and_measured() {
    let fleet = Fleet::start().await;
    for (time, ahead) in [("+1h", 3_600.0), ("-90s", -90.0)] {
        let (admin, mut command) = fleet.command("retention");
        if !false_time(&mut command, time) {
            break;
        }
        let mut service = Running::heard(command);
        while !service.error_line().contains("clocks of this machine and of the broker are apart") {
        }
        let seen: f64 =
            metric(admin, "auditrelay_broker_clock_ahead_seconds ").await.parse().unwrap();
        assert!((seen - ahead).abs() < 2.0, "{time}: {seen}");
        service.kill();
    }
    let right = metric(fleet.services[0].admin, "auditrelay_broker_clock_ahead_seconds ").await;
    assert!(right.parse::<f64>().unwrap().abs() < 2.0, "{right}");
    fleet.stop().await;
}

#[tokio::test]
async fn with_few_open_files_a_service_says_so_and_outlives_a_crowd() {
    let fleet = Fleet::start().await;
    for (name, listens) in
        [("ingest", "AUDITRELAY_INGEST_LISTEN"), ("api", "AUDITRELAY_API_LISTEN")]
    {
        let (admin, command) = fleet.command(name);
        let address = process::closed_address();
        let mut limited = Command::new("prlimit");
        limited.arg("--nofile=64").arg(command.get_program()).args(command.get_args());
        limited.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        limited.env(listens, address.to_string());
        let mut service = Running::start(limited);
        until_ready(admin).await;
        assert_eq!(metric(admin, "auditrelay_settings_doubts{setting=").await, "\"open files\"} 1");
        let crowd = join_all((0..200).map(|_| TcpStream::connect(address))).await;
        assert!(crowd.iter().any(Result::is_ok));
        let outside = get(address, "/", "*/*");
        let _late = tokio::time::timeout(Duration::from_secs(1), outside).await;
        assert!(service.is_running(), "{name}");
        drop(crowd);
        let answered =
            tokio::time::timeout(PATIENCE, get(address, "/nowhere", "*/*")).await.unwrap();
        assert!(answered.is_some(), "{name}: nobody is answered");
        service.terminate();
        assert_eq!(service.wait(PATIENCE), Some(0), "{name}");
    }
    fleet.stop().await;
}

/// A machine whose files cannot be written, and somebody on it who may do nothing.
const CONFINED: &str = r#"
while read -r _ place _; do mount -o remount,bind,ro "$place" 2>/dev/null; done </proc/self/mounts
for place in /tmp /var/tmp /dev/shm "$HOME"; do touch "$place/x" 2>/dev/null && exit 99; done
exec setpriv --no-new-privs --bounding-set=-all --inh-caps=-all \
  --reuid=65532 --regid=65532 --clear-groups "$@"
"#;

fn confined(command: &Command, binary: &Path) -> Command {
    let mut wrapped = Command::new("unshare");
    wrapped.args(["--mount", "sh", "-c", CONFINED, "sh"]).arg(binary).args(command.get_args());
    wrapped.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    wrapped
}

/// The binary and the keys where somebody else can read them.
fn handed_over(fleet: &Fleet, folder: &Path) -> PathBuf {
    set_mode(folder, 0o755);
    let binary = folder.join("auditrelay");
    std::fs::copy(env!("CARGO_BIN_EXE_auditrelay"), &binary).unwrap();
    for kind in ["signing", "sealing"] {
        let file = folder.join(kind);
        std::fs::copy(fleet.key_file(kind), &file).unwrap();
        set_mode(&file, 0o400);
        chown(&file, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    binary
}

#[tokio::test]
async fn every_service_runs_without_any_privilege_on_a_machine_that_cannot_be_written() {
    let may = Command::new("unshare").args(["--mount", "setpriv", "--version"]).output();
    if !may.is_ok_and(|output| output.status.success()) {
        println!("skipped: only root may confine a process so");
        return;
    }
    let fleet = Fleet::start().await;
    let folder = tempfile::tempdir().unwrap();
    let binary = handed_over(&fleet, folder.path());
    for name in SERVICES {
        let (admin, mut command) = fleet.command(name);
        command
            .env("AUDITRELAY_API_LISTEN", "127.0.0.1:0")
            .env("AUDITRELAY_SIGNING_KEYS_FILE", folder.path().join("signing"))
            .env("AUDITRELAY_SEALING_KEYS_FILE", folder.path().join("sealing"));
        let mut service = Running::start(confined(&command, &binary));
        until_ready(admin).await;
        let status = std::fs::read_to_string(format!("/proc/{}/status", service.pid())).unwrap();
        for held in ["Uid:\t65532", "NoNewPrivs:\t1", "CapEff:\t0000000000000000"] {
            assert!(status.contains(held), "{name}: {held} in {status}");
        }
        service.terminate();
        assert_eq!(service.wait(PATIENCE), Some(0), "{name}");
    }
    fleet.stop().await;
}

#[tokio::test]
async fn times_and_texts_are_the_same_in_every_zone_and_language() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = [("TZ", "Asia/Kolkata"), ("LANG", "C"), ("LC_ALL", "C")];
    let log = folder.path().join("log");
    let dev = Dev::answering("127.0.0.1:0", folder.path(), |command| {
        command.envs(elsewhere).arg("--log-format").arg("json");
        command.stderr(std::fs::File::create(&log).unwrap());
    });
    let now = SystemClock.now();
    let event = json!({ "type": "gateway_access", "ts": now.to_string(), "principal_id": "p",
        "client_ip": "192.0.2.1", "uri": "/ü/雪", "method": "GET", "status_code": 200 });
    let file = folder.path().join("events");
    std::fs::write(&file, event.to_string()).unwrap();
    let mut sent = dev.command(&["send", "--file", file.to_str().unwrap()]);
    let sent = sent.envs(elsewhere).output().unwrap();
    assert_eq!(code(&sent), 0, "{}", stderr(&sent));
    let path = format!("{}/v3/audit-logs", dev.text("url"));
    let page = reqwest::Client::new().get(path).bearer_auth(dev.text("admin_token")).send().await;
    let page: Value = page.unwrap().json().await.unwrap();
    let shown =
        page["data"].as_array().unwrap().iter().find(|item| item["uri"] == "/ü/雪").unwrap();
    assert_eq!(shown["ts"], now.to_string());
    dev.stop();
    let log = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<_> = log.lines().filter(|line| line.starts_with('{')).collect();
    assert!(!lines.is_empty(), "{log}");
    for line in lines {
        let line: Value = serde_json::from_str(line).unwrap();
        let at = Timestamp::parse_rfc3339(line["timestamp"].as_str().unwrap()).unwrap();
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'), "{line}");
        assert!(at.since(now).max(now.since(at)) < PATIENCE, "{line}");
    }
}
