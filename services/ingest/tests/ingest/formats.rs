//! The formats that platforms speak already, on the wire.

use std::io::Write;

use auditrelay_model::clock::Clock;
use auditrelay_model::event::EventKind;
use auditrelay_proto::event::v1 as event;
use auditrelay_proto::otlp::v1 as otlp;
use auditrelay_runtime::clock::SystemClock;
use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message;
use reqwest::{Response, StatusCode};
use serde_json::json;

use crate::support::{Answer, Instance, PRODUCER, World};

const ID: &str = "3e551b39-227d-4297-b911-e68fd5d77c17";

async fn post(
    instance: &Instance,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<reqwest::Body>,
) -> Response {
    let url = format!("http://{}{path}", instance.address);
    let mut request = reqwest::Client::new().post(url).bearer_auth(PRODUCER).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn protobuf_is_stored_once_by_its_ids() {
    let world = World::new().await;
    let instance = world.instance().await;
    let access =
        event::AccessDraft { method: "GET".to_owned(), status_code: 200, query: String::new() };
    let draft = event::EventDraft {
        id: ID.to_owned(),
        ts_ns: SystemClock.now().nanos(),
        uri: "/x".to_owned(),
        detail: Some(event::event_draft::Detail::Access(access)),
        ..event::EventDraft::default()
    };
    let body = event::PublishRequest { events: vec![draft] }.encode_to_vec();
    let headers = [("content-type", "application/x-protobuf")];
    for duplicates in [None, Some(1)] {
        let answer = post(&instance, "/v1/audit-events", &headers, body.clone()).await;
        let answer = Answer::of(answer).await;
        assert_eq!(answer.ids(), [ID]);
        assert_eq!(answer.body["duplicates"].as_u64(), duplicates);
    }
    assert_eq!(world.stored_ids(world.scope()).await, [ID]);
    let wrong = post(&instance, "/v1/audit-events", &headers, "{}").await;
    assert_eq!(Answer::of(wrong).await.body["detail"], "Could not parse request body");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cloud_events_are_stored_in_every_mode() {
    let world = World::new().await;
    let instance = world.instance().await;
    let now = SystemClock.now().to_string();
    let data = json!({"type": "authorization", "resource": "r", "action": "a", "granted": true});
    let event = |id: &str| json!({"specversion": "1.0", "id": id, "source": "/s", "type": "t", "time": now, "data": data});
    let path = "/v1/audit-events";
    let structured = [("content-type", "application/cloudevents+json")];
    let first = post(&instance, path, &structured, event("1").to_string()).await;
    let first = Answer::of(first).await.ids();
    let batch = [("content-type", "application/cloudevents-batch+json")];
    let body = json!([event("1"), event("2")]).to_string();
    let both = Answer::of(post(&instance, path, &batch, body).await).await;
    assert_eq!(both.body["duplicates"], 1);
    assert_eq!(both.ids()[0], first[0]);
    let binary = [
        ("content-type", "application/json"),
        ("ce-specversion", "1.0"),
        ("ce-id", "2"),
        ("ce-source", "/s"),
        ("ce-type", "t"),
        ("ce-time", now.as_str()),
    ];
    let again = Answer::of(post(&instance, path, &binary, data.to_string()).await).await;
    assert_eq!((again.ids(), &again.body["duplicates"]), (both.ids()[1..].to_vec(), &json!(1)));
    assert_eq!(world.stored_ids(world.scope()).await, both.ids());
    let wrong = post(&instance, path, &binary[..4], data.to_string()).await;
    let wrong = Answer::of(wrong).await;
    assert_eq!(wrong.body["invalid_parameters"][0]["field"], "type");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_kong_gateway_logs_is_stored_as_access_events() {
    let world = World::new().await;
    let instance = world.instance().await;
    let log = |status: u16| {
        json!({
            "request": {"method": "GET", "uri": "/x?a=b", "headers": {"user-agent": "curl"}},
            "response": {"status": status}, "client_ip": "10.0.0.1",
            "started_at": SystemClock.now().millis(), "consumer": {"username": "demo"},
        })
    };
    let headers = [("content-type", "application/json; charset=utf-8")];
    let body = json!([log(200), log(404)]).to_string();
    assert_eq!(
        Answer::of(post(&instance, "/v1/http-log", &headers, body).await).await.ids().len(),
        2
    );
    let one = post(&instance, "/v1/http-log", &headers, log(500).to_string()).await;
    assert_eq!(Answer::of(one).await.ids().len(), 1);
    let wrong =
        post(&instance, "/v1/http-log", &headers, json!([log(200), log(7)]).to_string()).await;
    let wrong = Answer::of(wrong).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    assert_eq!(wrong.body["invalid_parameters"][0]["field"], "[1].response.status");
    let records = world.records(world.scope()).await;
    let events: Vec<_> = records.iter().flat_map(|stored| &stored.record.events).collect();
    assert_eq!(events.len(), 3);
    assert!(events.iter().all(|event| event.kind() == EventKind::Access));
    assert!(events.iter().all(|event| event.principal_name == "demo" && event.uri == "/x?a=b"));
}

fn logs(granted: &[bool]) -> Vec<u8> {
    let text = |key: &str, value: &str| otlp::KeyValue {
        key: key.to_owned(),
        value: Some(otlp::AnyValue {
            value: Some(otlp::any_value::Value::StringValue(value.to_owned())),
        }),
    };
    let record = |good: &bool| otlp::LogRecord {
        time_unix_nano: u64::try_from(SystemClock.now().nanos()).unwrap(),
        attributes: vec![
            text("audit.type", "authentication"),
            text("audit.authentication_type", "sso"),
            text("audit.outcome", if *good { "success" } else { "?" }),
        ],
        ..otlp::LogRecord::default()
    };
    let log_records = granted.iter().map(record).collect();
    let scope_logs = vec![otlp::ScopeLogs { log_records }];
    let resource_logs = vec![otlp::ResourceLogs { resource: None, scope_logs }];
    otlp::ExportLogsServiceRequest { resource_logs }.encode_to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn otlp_stores_what_is_good_and_names_what_is_not() {
    let world = World::new().await;
    let instance = world.instance().await;
    let protobuf = ("content-type", "application/x-protobuf");
    let good = post(&instance, "/v1/logs", &[protobuf], logs(&[true, true])).await;
    assert_eq!(
        (good.status(), &good.headers()["content-type"]),
        (StatusCode::OK, &"application/x-protobuf".parse().unwrap())
    );
    assert_eq!(good.bytes().await.unwrap(), "");
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&logs(&[true, false])).unwrap();
    let headers = [protobuf, ("content-encoding", "gzip")];
    let mixed = post(&instance, "/v1/logs", &headers, gzip.finish().unwrap()).await;
    assert_eq!(mixed.status(), StatusCode::OK);
    let answer = otlp::ExportLogsServiceResponse::decode(mixed.bytes().await.unwrap()).unwrap();
    let partial = answer.partial_success.unwrap();
    assert_eq!(partial.rejected_log_records, 1);
    assert_eq!(partial.error_message, "[1].attributes.audit.outcome must be one of the choices");
    let bad = post(&instance, "/v1/logs", &[protobuf], "nope").await;
    assert_eq!(bad.status(), StatusCode::BAD_REQUEST);
    assert_eq!(otlp::Status::decode(bad.bytes().await.unwrap()).unwrap().code, 3);
    let json = [("content-type", "application/json")];
    let empty = post(&instance, "/v1/logs", &json, "{}").await;
    assert_eq!((empty.status(), empty.text().await.unwrap().as_str()), (StatusCode::OK, "{}"));
    let xml = post(&instance, "/v1/logs", &[("content-type", "text/xml")], "").await;
    assert_eq!(xml.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(xml.headers()["accept-post"], "application/json, application/x-protobuf");
    assert_eq!(world.stored_ids(world.scope()).await.len(), 3);
}
