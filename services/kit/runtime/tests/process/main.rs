//! What only a whole process shows: its signals, its stderr, and what it sends to a collector.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may fail as tests do")]

mod vouched;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use auditrelay_runtime::lifecycle::{Drain, signals};
use auditrelay_runtime::telemetry::{LogFormat, TelemetryError, continue_trace, init, trace_id};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn process(test: &str, env: &[(&str, &str)]) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", test, "--nocapture", "--test-threads=1"])
        .env("AUDITRELAY_TEST_PROCESS", "1")
        .envs(env.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn is_process() -> bool {
    std::env::var_os("AUDITRELAY_TEST_PROCESS").is_some()
}

/// Reads lines until one holds `wanted`.
fn wait_for(lines: &mut impl BufRead, wanted: &str) {
    let mut line = String::new();
    while !line.contains(wanted) {
        line.clear();
        assert_ne!(lines.read_line(&mut line).unwrap(), 0, "{wanted} never came");
    }
}

fn terminate(process: &Child) {
    assert!(Command::new("kill").arg(process.id().to_string()).status().unwrap().success());
}

#[test]
fn the_first_sigterm_drains() {
    let mut process = process("be_a_service", &[("AUDITRELAY_TEST_TASK", "polite")]);
    let mut stdout = BufReader::new(process.stdout.take().unwrap());
    wait_for(&mut stdout, "started");
    terminate(&process);
    wait_for(&mut stdout, "Clean");
    assert!(process.wait().unwrap().success());
}

#[test]
fn the_second_sigterm_cuts_off() {
    let mut process = process("be_a_service", &[("AUDITRELAY_TEST_TASK", "stuck")]);
    let mut stdout = BufReader::new(process.stdout.take().unwrap());
    wait_for(&mut stdout, "started");
    terminate(&process);
    wait_for(&mut stdout, "draining");
    terminate(&process);
    wait_for(&mut stdout, "Forced");
    assert!(process.wait().unwrap().success());
}

#[test]
fn a_second_sigterm_does_not_wait_until_clients_have_gone() {
    let env = [("AUDITRELAY_TEST_TASK", "stuck"), ("AUDITRELAY_TEST_DELAY", "600")];
    let mut process = process("be_a_service", &env);
    let mut stdout = BufReader::new(process.stdout.take().unwrap());
    wait_for(&mut stdout, "started");
    terminate(&process);
    wait_for(&mut stdout, "leaving");
    terminate(&process);
    wait_for(&mut stdout, "draining");
    wait_for(&mut stdout, "Forced");
    assert!(process.wait().unwrap().success());
}

#[tokio::test]
#[ignore = "run by other tests as a process of its own"]
async fn be_a_service() {
    if !is_process() {
        return;
    }
    let drain = Drain::new();
    let (soft, task) = (drain.soft.clone(), std::env::var("AUDITRELAY_TEST_TASK").unwrap());
    let leaving = drain.leaving.clone();
    tokio::spawn(async move {
        leaving.cancelled().await;
        println!("leaving");
    });
    drain.spawn("task", async move {
        soft.cancelled().await;
        println!("draining");
        if task == "stuck" {
            std::future::pending::<()>().await;
        }
    });
    let delay = std::env::var("AUDITRELAY_TEST_DELAY").map_or(0, |text| text.parse().unwrap());
    let delay = Duration::from_secs(delay);
    // `signals` is polled first, and so listens before the announcement.
    let stopping = signals(drain, delay, Duration::from_mins(1));
    let (stopped, ()) = tokio::join!(biased; stopping, async { println!("started") });
    println!("{stopped:?}");
}

#[test]
fn a_json_log_line_names_its_span_and_trace() {
    let said = process("be_traced", &[]).wait_with_output().unwrap();
    let stderr = String::from_utf8(said.stderr).unwrap();
    let line = stderr.lines().find(|line| line.contains("hello")).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!((&line["message"], &line["answer"]), (&"hello".into(), &42.into()));
    assert_eq!(line["span"]["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert!(!stderr.contains("unheard"), "{stderr}");
}

#[test]
fn spans_reach_a_collector_when_one_is_named() {
    let collector = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", collector.local_addr().unwrap());
    let mut process = process("be_traced", &[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)]);
    let (mut stream, _) = collector.accept().unwrap();
    let mut request = Vec::new();
    let mut buffer = [0; 4_096];
    while !request.windows(13).any(|bytes| bytes == b"a test's span") {
        let read = stream.read(&mut buffer).unwrap();
        assert_ne!(read, 0, "{}", String::from_utf8_lossy(&request));
        request.extend_from_slice(buffer.get(..read).unwrap());
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
    let text = String::from_utf8_lossy(&request);
    assert!(text.starts_with("POST /v1/traces HTTP/1.1"), "{text}");
    assert!(text.contains("auditrelay-test"), "{text}");
    assert!(process.wait().unwrap().success());
}

#[test]
fn a_collector_that_is_away_is_no_failure() {
    let env = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")];
    assert!(process("be_traced", &env).wait_with_output().unwrap().status.success());
}

#[tokio::test]
#[ignore = "run by other tests as a process of its own"]
async fn be_traced() {
    if !is_process() {
        return;
    }
    assert!(matches!(init("x", "one", LogFormat::Json, "verbose"), Err(TelemetryError::Filter(_))));
    let guard = init("test", "one", LogFormat::Json, "info").unwrap();
    let again = init("test", "one", LogFormat::Json, "info");
    assert!(matches!(again, Err(TelemetryError::AlreadyInstalled)));
    let span = tracing::info_span!(
        target: "auditrelay_test",
        "request",
        otel.name = "a test's span",
        trace_id = tracing::field::Empty
    );
    continue_trace(&span, PARENT);
    span.in_scope(|| {
        span.record("trace_id", trace_id().unwrap());
        tracing::info!(answer = 42, "hello");
        tracing::debug!("unheard");
    });
    drop(span);
    guard.shutdown().await;
}
