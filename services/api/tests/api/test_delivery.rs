//! Test deliveries, with a sender that answers as it is told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use auditrelay_model::test_delivery::{
    HttpAnswer, Seen, TestDelivery, TestFailure, TestPhase, TestReport,
};
use auditrelay_model::{Clock, Timestamp};
use auditrelay_runtime::clock::SystemClock;
use auditrelay_runtime::ids;
use auditrelay_streams::TestReply;
use serde_json::json;

use crate::support::World;

/// Reports the same of whatever it is asked to test, and remembers it.
async fn sender(world: &World, status: u16) -> Arc<Mutex<Vec<TestDelivery>>> {
    let asked: Arc<Mutex<Vec<TestDelivery>>> = Arc::default();
    let mut commands = world.streams.listen::<TestDelivery>().await.unwrap();
    let remembered = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Some(incoming) = commands.next().await {
            remembered.lock().unwrap().push(incoming.command.clone());
            incoming.reply(&TestReply::Report(Box::new(report(status)))).await;
        }
    });
    world.streams.flush().await.unwrap();
    asked
}

fn report(status: u16) -> TestReport {
    let reason = format!("the receiver answered {status}");
    let failure = TestFailure { phase: TestPhase::Http, reason };
    TestReport {
        at: Timestamp::from_nanos(0),
        event: auditrelay_model::id::EventId::from_uuid(ids::uuid_v7()),
        duration: Duration::from_micros(1_500),
        seen: Seen {
            answer: Some(HttpAnswer {
                version: "HTTP/1.1".to_owned(),
                status,
                message: "hello".to_owned(),
                duration: Duration::from_millis(1),
            }),
            failure: (status >= 300).then_some(failure),
            ..Seen::default()
        },
        trace_id: String::new(),
    }
}

#[tokio::test]
async fn a_stored_destination_is_tested_as_it_is_or_as_it_would_be() {
    let (world, admin) = World::admin().await;
    let asked = sender(&world, 401).await;
    let id = admin.destination("siem").await;
    let path = format!("/v1/destinations/{id}/test");
    let report = admin.post(&path, &json!({})).await.expect(200);
    assert_eq!(report["delivered"], false);
    assert_eq!(report["failure"]["phase"], "http");
    assert_eq!(report["answer"]["message"], "hello");
    assert_eq!(report["duration_ms"], 1.5);
    assert_eq!(report["tls"], json!(null));

    let changed = json!({"endpoint": "https://example.com/other", "log_format": "cps"});
    admin.post(&path, &changed).await.expect(200);
    let asked: Vec<TestDelivery> = asked.lock().unwrap().clone();
    let endpoints: Vec<&str> = asked.iter().map(|one| one.destination.endpoint.as_str()).collect();
    assert_eq!(endpoints, ["https://example.com/siem", "https://example.com/other"]);
    assert_eq!(asked[0].destination.id.to_string(), id);
    let stored = admin.get(&format!("/v3/audit-log-destinations/{id}")).await.expect(200);
    assert_eq!(stored["endpoint"], "https://example.com/siem", "nothing is stored");

    let elsewhere = json!({"endpoint": "https://evil.example/"});
    let faults = admin.post(&path, &elsewhere).await.faults();
    assert_eq!(faults[0].0, "authorization", "a stored secret goes to no other host");
    let private = admin.post(&path, &json!({"endpoint": "https://10.0.0.1/"})).await.faults();
    assert_eq!(private[0].0, "endpoint");
    admin
        .post("/v1/destinations/7c1d1f0e-0000-0000-0000-000000000000/test", &json!({}))
        .await
        .expect(404);
}

#[tokio::test]
async fn a_draft_is_tested_with_the_secret_in_its_body() {
    let (world, admin) = World::admin().await;
    let asked = sender(&world, 204).await;
    let draft = json!({"name": "new", "endpoint": "https://example.com/in", "log_format": "json",
        "authorization": "Bearer very-secret", "skip_ssl_verification": true});
    let report = admin.post("/v1/destination-tests", &draft).await.expect(200);
    assert_eq!((&report["delivered"], &report["failure"]), (&json!(true), &json!(null)));
    let asked = asked.lock().unwrap().clone();
    let sealed = &asked[0].destination.authorization;
    let owner = asked[0].destination.id.to_string();
    let keys = world.config.sealing.as_ref().unwrap();
    let opened =
        keys.open_text(&sealed.key_id, &sealed.nonce, &sealed.ciphertext, owner.as_bytes());
    assert_eq!(opened.unwrap().as_str(), "Bearer very-secret");
    assert!(asked[0].destination.created_at <= SystemClock.now());
    let listed = admin.get("/v3/audit-log-destinations").await.expect(200);
    assert_eq!(listed["data"], json!([]), "nothing is made");

    for (body, field) in [
        (json!({"endpoint": "https://example.com/"}), "authorization"),
        (json!({"authorization": "x"}), "endpoint"),
        (json!({"endpoint": "https://127.1/", "authorization": "x"}), "endpoint"),
        (json!({"endpoint": "https://example.com/", "authorization": "x\r\ny"}), "authorization"),
        (json!({"endpoint": "https://example.com/", "authorization": "x", "z": 1}), "z"),
    ] {
        let faults = admin.post("/v1/destination-tests", &body).await.faults();
        assert_eq!(faults[0].0, field, "{body}");
    }
}

#[tokio::test]
async fn only_who_may_change_destinations_may_test_them_and_not_without_end() {
    let (world, admin) = World::admin().await;
    let id = admin.destination("siem").await;
    let path = format!("/v1/destinations/{id}/test");
    admin.post(&path, &json!({})).await.expect(503);
    let _asked = sender(&world, 200).await;
    let other = world.api().await;
    let org = other.organization("Other").await;
    for (role, status) in [("viewer", 403), ("producer", 403), ("admin", 404)] {
        let stranger = other.with_token(&other.token(&org, role).await);
        stranger.post(&path, &json!({})).await.expect(status);
    }
    let mut refused = None;
    for _ in 0..40 {
        let answer = admin.post(&path, &json!({})).await;
        if answer.status != 200 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.unwrap();
    refused.expect(429);
    assert!(refused.headers.contains_key("retry-after"));
}
