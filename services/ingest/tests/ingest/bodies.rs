//! What is read and what is refused, on the wire.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Answer, Instance, PRODUCER, World, event, events};

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

async fn with(instance: &Instance, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
    let url = format!("http://{}/v1/audit-events", instance.address);
    let mut request = reqwest::Client::new().post(url).bearer_auth(PRODUCER).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_bad_event_stores_nothing_and_every_problem_is_named() {
    let world = World::new().await;
    let instance = world.instance().await;
    let bad = event("").replace("\"granted\":true", "\"granted\":\"yes\",\"foo\":1");
    let body = format!("[{},{},{bad}]", event(""), event(""));
    let answer = instance.post(body).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.headers["content-type"], "application/problem+json; charset=utf-8");
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(
        answer.body["invalid_parameters"],
        json!([
            {"field": "[2].granted", "rule": "is_boolean", "reason": "must be a boolean", "source": "body"},
            {"field": "[2].foo", "rule": "unknown_property", "reason": "is not a known property", "source": "body"},
        ])
    );
    let foreign = instance.post(event(&format!(r#","org_id":"{}""#, uuid::Uuid::nil()))).await;
    assert_eq!(foreign.body["invalid_parameters"][0]["reason"], "does not belong to this token");
    let unknown = instance.post(event(&format!(r#","portal_id":"{}""#, uuid::Uuid::nil()))).await;
    assert_eq!(unknown.body["invalid_parameters"][0]["rule"], "missing_reference");
    let cut = instance.post("[{\"type\":").await;
    assert_eq!(cut.body["detail"], "Could not parse request body");
    assert!(world.stored_ids(world.scope()).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gzip_and_ndjson_are_read() {
    let world = World::new().await;
    let instance = world.instance().await;
    let json = ("content-type", "application/json");
    let ndjson = ("content-type", "application/x-ndjson");
    let gzipped = ("content-encoding", "gzip");
    let lines = format!("{}\n{}\n", event(""), event(""));
    assert_eq!(with(&instance, &[ndjson], lines.clone().into()).await.ids().len(), 2);
    let members = [gzip(event("").as_bytes()), gzip(b"\n"), gzip(event("").as_bytes())].concat();
    assert_eq!(with(&instance, &[ndjson, gzipped], members).await.ids().len(), 2);
    let many = gzip(events(1_000).as_bytes());
    assert_eq!(with(&instance, &[json, gzipped], many).await.ids().len(), 1_000);
    let plain = with(&instance, &[json, gzipped], events(1).into()).await;
    assert_eq!(plain.body["detail"], "Could not parse request body");
    let bomb = gzip(&vec![b' '; 9 << 20]);
    let refused = with(&instance, &[json, gzipped], bomb).await;
    assert_eq!(refused.body["detail"], "Request body exceeds 8388608 bytes");
    let twice = with(&instance, &[json, ("content-encoding", "gzip, gzip")], Vec::new()).await;
    assert_eq!(twice.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(with(&instance, &[], Vec::new()).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_body_is_refused_before_it_is_read() {
    let world = World::new().await;
    let instance = world.instance().await;
    let mut stream = tokio::net::TcpStream::connect(instance.address).await.unwrap();
    let head = format!(
        "POST /v1/audit-events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {PRODUCER}\r\n\
         content-type: application/json\r\ncontent-length: 1048577\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    // Without a length the limit is met on the way.
    let mut stream = tokio::net::TcpStream::connect(instance.address).await.unwrap();
    let head = head.replace("content-length: 1048577", "transfer-encoding: chunked");
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = [b"10000\r\n".as_slice(), &vec![b' '; 65_536], b"\r\n"].concat();
    for _ in 0..17 {
        let _ = stream.write_all(&chunk).await;
    }
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_methods_and_paths_are_told_so() {
    let world = World::new().await;
    let instance = world.instance().await;
    let url = format!("http://{}/v1/audit-events", instance.address);
    let client = reqwest::Client::new();
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let answer = Answer::of(client.request(method, &url).send().await.unwrap()).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.headers["allow"], "POST");
        assert_eq!(answer.body["title"], "Method Not Allowed");
    }
    let key = instance.request(events(1)).header("idempotency-key", "a b");
    let answer = Answer::of(key.send().await.unwrap()).await;
    assert_eq!(answer.body["invalid_parameters"][0]["source"], "header");
}
