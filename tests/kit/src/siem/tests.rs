use std::io::Write;

use super::*;

#[tokio::test]
async fn a_ledger_holds_what_was_answered_with_success() {
    let siem = Siem::start().await;
    siem.answer_next([Answer::Status(500), Answer::RetryAfter(429, 7)]);
    assert_eq!(post(&siem, "a").await.unwrap().status(), 500);
    let later = post(&siem, "a").await.unwrap();
    assert_eq!(
        (later.status().as_u16(), &later.headers()["retry-after"]),
        (429, &"7".parse().unwrap())
    );
    assert_eq!(post(&siem, "a").await.unwrap().status(), 202);
    assert_eq!(post(&siem, "b").await.unwrap().status(), 202);
    assert_eq!(siem.live_ids(), ["a", "b"]);
    assert_eq!(siem.deliveries().len(), 4);
    siem.wait_for_live(&["a".to_owned(), "b".to_owned()]).await;
}

#[tokio::test]
async fn an_unknown_authorization_is_refused() {
    let siem = Siem::start().await;
    siem.require_authorization("Bearer good");
    assert_eq!(post(&siem, "a").await.unwrap().status(), 401);
    siem.require_authorization("Bearer kit");
    assert_eq!(post(&siem, "a").await.unwrap().status(), 202);
}

#[tokio::test]
async fn a_closed_receiver_comes_back_at_the_same_place() {
    let mut siem = Siem::start().await;
    siem.answer_next([Answer::Disconnect]);
    assert!(post(&siem, "a").await.is_err());
    siem.close();
    assert!(post(&siem, "a").await.is_err());
    siem.open().await;
    assert_eq!(post(&siem, "a").await.unwrap().status(), 202);
    assert_eq!(siem.live_ids(), ["a"]);
}

#[tokio::test]
async fn a_rule_sees_the_events() {
    let siem = Siem::start_with_tls().await;
    siem.answer_by(|delivery| Answer::Status(if delivery.brings("bad") { 400 } else { 200 }));
    assert_eq!(post(&siem, "bad").await.unwrap().status(), 400);
    assert_eq!(post(&siem, "good").await.unwrap().status(), 200);
}

async fn post(siem: &Siem, id: &str) -> reqwest::Result<reqwest::Response> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writeln!(packed, r#"{{"event_id":"{id}"}}"#).unwrap();
    let client = reqwest::Client::builder().tls_danger_accept_invalid_certs(true).build()?;
    let request = client.post(siem.url()).header("authorization", "Bearer kit");
    request.header("content-encoding", "gzip").body(packed.finish().unwrap()).send().await
}
