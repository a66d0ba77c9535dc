//! What operators read of running services: metrics with real Prometheus tools, and the log.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::fleet::{Fleet, get};
use crate::metrics::{MONITORING, Reference, watched};
use crate::process::{self, Running};

#[tokio::test(flavor = "multi_thread")]
async fn every_service_can_be_scraped_and_all_that_is_looked_at_exists() {
    let fleet = Fleet::start().await;
    let mut known = BTreeSet::new();
    let mut reference = Reference::default();
    for service in &fleet.services {
        let (_, text) = get(service.admin, "/metrics", "text/plain").await.unwrap();
        known.extend(families(&text));
        reference.add(service.name, &text);
        lint(service.name, &text);
        let open = "application/openmetrics-text";
        let (_, text) = get(service.admin, "/metrics", open).await.unwrap();
        assert!(text.ends_with("# EOF\n"), "{}", service.name);
        for path in ["/live", "/version", "/log-filter"] {
            assert_eq!(get(service.admin, path, "*/*").await.unwrap().0, 200, "{path}");
        }
    }
    let missing: Vec<_> = looked_at().into_iter().filter(|name| !known.contains(name)).collect();
    assert!(missing.is_empty(), "dashboards and alerts name what does not exist: {missing:?}");
    reference.check();
    scrape(&fleet).await;
    fleet.stop().await;
}

/// Samples' names, as a query would name them.
fn families(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').unwrap();
        let endings: &[&str] =
            if kind == "histogram" { &["_bucket", "_count", "_sum"] } else { &[""] };
        names.extend(endings.iter().map(|ending| format!("{name}{ending}")));
    }
    names
}

/// Every metric that a dashboard or an alert names.
fn looked_at() -> BTreeSet<String> {
    let names: BTreeSet<String> = watched().into_values().flatten().collect();
    assert!(names.len() > 40, "{names:?}");
    names
}

fn is_installed(tool: &str) -> bool {
    let mut command = Command::new(tool);
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    let found = command.status().is_ok();
    if !found {
        println!("skipped: {tool} is not installed");
    }
    found
}

fn lint(service: &str, text: &str) {
    if !is_installed("promtool") {
        return;
    }
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut promtool = promtool.stdout(Stdio::piped()).spawn().unwrap();
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = process::stderr(&output) + &process::stdout(&output);
    assert!(output.status.success(), "{service}: {said}");
}

/// A real Prometheus finds all of them up, and answers a question about each.
async fn scrape(fleet: &Fleet) {
    if !is_installed("prometheus") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let listen = process::closed_address().to_string();
    let jobs = fleet.services.iter().fold(String::new(), |jobs, service| {
        let (name, admin) = (service.name, service.admin);
        let targets = format!("static_configs: [{{targets: [\"{admin}\"]}}]");
        jobs + &format!("  - job_name: auditrelay-{name}\n    {targets}\n")
    });
    let rules = format!("rule_files: [\"{MONITORING}/alerts.yaml\"]\n");
    let text = format!("global: {{scrape_interval: 1s}}\n{rules}scrape_configs:\n{jobs}");
    let file = folder.path().join("prometheus.yaml");
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new("prometheus");
    command.arg("--config.file").arg(&file);
    command.arg("--storage.tsdb.path").arg(folder.path().join("data"));
    command.args(["--web.listen-address", &listen, "--enable-feature=exemplar-storage"]);
    let mut prometheus = Running::start(command);
    for query in
        ["up == 1", "auditrelay_broker_connected == 1", "process_resident_memory_bytes > 0"]
    {
        until_all_answer(&listen, query, fleet.services.len()).await;
    }
    prometheus.kill();
}

async fn until_all_answer(prometheus: &str, query: &str, services: usize) {
    let begun = Instant::now();
    loop {
        let url = format!("http://{prometheus}/api/v1/query");
        let asked = reqwest::Url::parse_with_params(&url, [("query", query)]).unwrap();
        let answer = match reqwest::get(asked).await {
            Ok(answer) => answer.json::<Value>().await.unwrap_or_default(),
            Err(_) => Value::Null,
        };
        let found = answer["data"]["result"].as_array().map_or(0, Vec::len);
        if found == services {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{query}: {answer}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_reads_holds_nothing_up_and_a_closed_one_neither() {
    let fleet = Fleet::start().await;
    let (admin, mut unread) = fleet.command("retention");
    unread.env("AUDITRELAY_LOG_FILTER", "trace");
    let unread = Running::heard(unread);
    let (closed_admin, closed) = fleet.command("retention");
    let mut closed = Running::heard(closed);
    closed.close();
    for admin in [admin, closed_admin] {
        crate::fleet::until_ready(admin).await;
        // Far more lines than a pipe holds.
        for _ in 0..400 {
            assert_eq!(get(admin, "/live", "*/*").await.unwrap().0, 200);
        }
    }
    let (_, text) = get(closed_admin, "/metrics", "*/*").await.unwrap();
    let lost = text.lines().find(|line| line.starts_with("auditrelay_log_lines_total{"));
    assert!(lost.is_some_and(|line| line.contains("dropped")), "{lost:?}");
    drop((unread, closed));
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_logged_can_be_changed_while_it_runs() {
    let fleet = Fleet::start().await;
    let admin = fleet.services[0].admin;
    let url = format!("http://{admin}/log-filter");
    let put = async |path: &str, body: &'static str| {
        let client = reqwest::Client::new();
        let answer = client.put(format!("{url}{path}")).body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let (status, state) = put("?for=1s", "debug").await;
    assert_eq!((status, &state["filter"]), (200, &"warn,auditrelay=debug,task=debug".into()));
    for (path, body) in [("", "loud"), ("", "hyper=trace"), ("?for=2d", "debug")] {
        assert_eq!(put(path, body).await.0, 400, "{path} {body}");
    }
    let begun = Instant::now();
    loop {
        let (_, state) = get(admin, "/log-filter", "*/*").await.unwrap();
        let state: Value = serde_json::from_str(&state).unwrap();
        if state["filter"] == state["configured"] {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "it is not taken back: {state}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    fleet.stop().await;
}
