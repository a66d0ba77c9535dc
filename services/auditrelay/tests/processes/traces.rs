//! One event's way and its replay, as a real collector sees them.

use serde_json::json;

use crate::clients::{end, listen, until_lines};
use crate::collector::{Collector, Span};
use crate::process::{code, stderr};
use crate::system::Dev;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PRODUCER: &str = "00f067aa0ba902b7";

#[tokio::test(flavor = "multi_thread")]
async fn the_way_of_an_event_is_one_trace_and_its_replay_is_linked_to_it() {
    for protocol in ["grpc", "http/protobuf"] {
        let Some(spans) = story(protocol).await else { return };
        live(&spans);
        replayed(&spans);
    }
}

/// Sends one event with a trace of its own, and sends it again.
async fn story(protocol: &str) -> Option<Vec<Span>> {
    let collector = Collector::start()?;
    let folder = tempfile::tempdir().unwrap();
    let endpoint = collector.endpoint(protocol);
    let variables =
        [("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint), ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)];
    let dev = Dev::start_with("127.0.0.1:0", &folder.path().join("data"), &variables);
    let store = folder.path().join("events");
    let listening = listen(&dev, &store, &["--listen", "127.0.0.1:0"]);
    send(&dev).await;
    until_lines(&store, 1);
    let replay = dev.client(&["replay", "--last", "1h", "--wait"]);
    assert_eq!(code(&replay), 0, "{}", stderr(&replay));
    until_lines(&store, 2);
    let _summary = end(listening);
    // The last spans leave before the process ends.
    dev.stop();
    Some(collector.spans())
}

async fn send(dev: &Dev) {
    let event = json!({
        "type": "authentication", "ts": now(), "principal_id": "p-1", "principal_name": "Ada",
        "client_ip": "198.51.100.7", "user_agent": "curl/8.0", "trace_id": "1",
        "authentication_type": "basic", "outcome": "success", "uri": "/v2/authenticate",
    });
    let url = format!("{}/v1/audit-events", dev.text("url").trim_end_matches('/'));
    let answer = reqwest::Client::new()
        .post(url)
        .bearer_auth(dev.text("producer_token"))
        .header("traceparent", format!("00-{TRACE}-{PRODUCER}-01"))
        .json(&json!([event]))
        .send()
        .await
        .unwrap();
    let named = answer.headers()["traceparent"].to_str().unwrap().to_owned();
    assert!(named.contains(TRACE) && named.ends_with("-01"), "{named}");
    assert_eq!(answer.status(), 202, "{}", answer.text().await.unwrap());
}

fn now() -> String {
    use auditrelay_model::Clock;
    auditrelay_runtime::clock::SystemClock.now().to_string()
}

/// Producer → ingest → publish → process → render and sign, request: all one trace.
fn live(spans: &[Span]) {
    let ours: Vec<_> = spans.iter().filter(|span| span.trace == TRACE).collect();
    let one = |name: &str| {
        let named: Vec<_> = ours.iter().filter(|span| span.name == name).collect();
        assert_eq!(named.len(), 1, "{name}: {ours:#?}");
        *named[0]
    };
    let server = one("POST /v1/audit-events");
    assert_eq!((&*server.parent, &*server.kind), (PRODUCER, "SERVER"));
    assert_eq!(server.attributes["http.response.status_code"], "202");
    assert_eq!(server.attributes["http.route"], "/v1/audit-events");
    let publish = one("publish audit.events");
    assert_eq!((&publish.parent, &*publish.kind), (&server.id, "PRODUCER"));
    messaging(publish, "publish", "send");
    let process = one("process audit.events");
    assert_eq!((&process.parent, &*process.kind), (&server.id, "CONSUMER"));
    assert_eq!(process.links, [(TRACE.to_owned(), server.id.clone())]);
    messaging(process, "process", "process");
    assert_eq!(one("render and sign").parent, process.id);
    request(one("POST"), process);
}

/// The replay is a trace of its own, linked to the event's.
fn replayed(spans: &[Span]) {
    let server = spans.iter().find(|span| span.name == "POST /v1/audit-events").unwrap();
    let job = |span: &&Span| span.attributes.contains_key("auditrelay.replay.job_id");
    let again: Vec<_> =
        spans.iter().filter(|span| span.name == "process audit.events").filter(job).collect();
    assert_eq!(again.len(), 1, "{again:#?}");
    let again = again[0];
    assert_ne!(again.trace, TRACE);
    assert_eq!((&*again.parent, &*again.kind), ("", "CONSUMER"));
    assert_eq!(again.links, [(TRACE.to_owned(), server.id.clone())]);
    let post = spans.iter().find(|span| span.name == "POST" && span.trace == again.trace).unwrap();
    request(post, again);
    let command = spans.iter().find(|span| span.name == "process audit.command.replay").unwrap();
    let asked = spans.iter().find(|span| span.id == command.parent).unwrap();
    assert!(asked.name.ends_with("replay-job") && asked.trace == command.trace, "{asked:?}");
    let named = |span: &Span| span.attributes["auditrelay.replay.job_id"].clone();
    assert_eq!(named(command), named(again));
}

fn messaging(span: &Span, operation: &str, kind: &str) {
    assert_eq!(span.attributes["messaging.system"], "nats");
    assert_eq!(span.attributes["messaging.operation.name"], operation);
    assert_eq!(span.attributes["messaging.operation.type"], kind);
    assert_eq!(span.attributes["messaging.destination.name"], "audit.events");
    assert_eq!(span.attributes["messaging.batch.message_count"], "1");
}

fn request(span: &Span, process: &Span) {
    assert_eq!((&span.parent, &*span.kind), (&process.id, "CLIENT"));
    assert_eq!(span.attributes["http.request.method"], "POST");
    assert_eq!(span.attributes["http.response.status_code"], "202");
    assert_eq!(span.attributes["server.address"], "127.0.0.1");
    assert!(span.attributes["url.full"].ends_with("/audit-logs"), "{span:?}");
    assert!(!span.attributes.contains_key("error.type"), "{span:?}");
}
