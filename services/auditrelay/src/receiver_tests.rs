use std::io::Write;

use super::*;

async fn start(options: ReceiverOptions) -> Receiver {
    Receiver::start("127.0.0.1:0".parse().unwrap(), options).await.unwrap()
}

fn guarded() -> ReceiverOptions {
    ReceiverOptions { authorization: Some("Splunk right".to_owned()), ..ReceiverOptions::default() }
}

async fn post(receiver: &Receiver, authorization: &str, lines: &str) -> StatusCode {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(lines.as_bytes()).unwrap();
    let request = reqwest::Client::builder().no_proxy().build().unwrap().post(receiver.endpoint());
    let request = request
        .header("Authorization", authorization)
        .header("Content-Encoding", "gzip")
        .body(gzip.finish().unwrap());
    request.send().await.unwrap().status()
}

#[tokio::test]
async fn only_the_right_authorization_is_taken() {
    let receiver = start(guarded()).await;
    let line = r#"{"event_id":"1"}"#;
    assert_eq!(post(&receiver, "Splunk wrong", line).await, StatusCode::UNAUTHORIZED);
    assert_eq!(receiver.ledger().lines, 0);
    receiver.require(Some("Splunk wrong".to_owned()));
    assert_eq!(post(&receiver, "Splunk wrong", line).await, StatusCode::ACCEPTED);
    let ledger = receiver.stop().await;
    assert_eq!((ledger.lines, ledger.count("1")), (1, 1));
    assert_eq!(ledger.answered_with(StatusCode::UNAUTHORIZED), 1);
}

#[tokio::test]
async fn a_scripted_failure_takes_nothing() {
    let receiver = start(guarded()).await;
    receiver.answer(StatusCode::SERVICE_UNAVAILABLE);
    let lines = "{\"event_id\":\"1\"}\n{\"event_id\":\"2\"}\n";
    assert_eq!(post(&receiver, "Splunk right", lines).await, StatusCode::SERVICE_UNAVAILABLE);
    receiver.answer(StatusCode::OK);
    assert_eq!(post(&receiver, "Splunk right", lines).await, StatusCode::OK);
    assert_eq!(post(&receiver, "Splunk right", lines).await, StatusCode::OK);
    let ledger = receiver.stop().await;
    assert_eq!((ledger.lines, ledger.distinct(), ledger.duplicates), (4, 2, 2));
}

#[tokio::test]
async fn another_path_or_method_does_not_exist() {
    let receiver = start(ReceiverOptions::default()).await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let elsewhere = http.post(receiver.endpoint() + "/x").send().await.unwrap();
    assert_eq!(elsewhere.status(), StatusCode::NOT_FOUND);
    let get = http.get(receiver.endpoint()).send().await.unwrap();
    assert_eq!(get.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(get.headers()["allow"], "POST");
}

#[tokio::test]
async fn lines_are_on_disk_when_they_are_answered_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let store = Some(path.clone());
    let receiver = start(ReceiverOptions { store, ..ReceiverOptions::default() }).await;
    assert_eq!(post(&receiver, "x", "one\ntwo\n").await, StatusCode::ACCEPTED);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\n");
}

#[tokio::test]
async fn without_keys_to_check_with_nothing_is_taken() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let source = format!("http://{}/jwks.json", closed.local_addr().unwrap());
    drop(closed);
    let keys = Some(Keys::at(source.parse().unwrap()).unwrap());
    let receiver = start(ReceiverOptions { keys, ..ReceiverOptions::default() }).await;
    assert_eq!(post(&receiver, "x", "one").await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(receiver.stop().await.lines, 0);
}
