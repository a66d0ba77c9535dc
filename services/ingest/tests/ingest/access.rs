//! Who may send events.

use std::time::Duration;

use auditrelay_model::clock::Clock;
use auditrelay_model::config::ConfigChange;
use auditrelay_model::token::Role;
use auditrelay_runtime::clock::SystemClock;
use auditrelay_runtime::telemetry::LogFormat;
use reqwest::StatusCode;

use crate::support::{Answer, Instance, VIEWER, World, events};

async fn with_token(instance: &Instance, token: &str) -> Answer {
    let url = format!("http://{}/v1/audit-events", instance.address);
    let request = reqwest::Client::new().post(url).header("content-type", "application/json");
    let request = request.bearer_auth(token).body(events(1));
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_known_tokens_of_the_right_role_may_send() {
    let world = World::new().await;
    let instance = world.instance().await;
    let unknown = with_token(&instance, "art_unknown").await;
    assert_eq!(unknown.status, StatusCode::UNAUTHORIZED);
    assert_eq!(unknown.headers["www-authenticate"], "Bearer");
    assert_eq!(unknown.headers["content-type"], "application/problem+json; charset=utf-8");
    assert_eq!(with_token(&instance, VIEWER).await.status, StatusCode::FORBIDDEN);
    world.issue("art_admin", Role::Admin, None).await;
    assert_eq!(with_token(&instance, "art_admin").await.status, StatusCode::ACCEPTED);
    let ended = Some(SystemClock.now() - Duration::from_secs(1));
    world.issue("art_ended", Role::Producer, ended).await;
    assert_eq!(with_token(&instance, "art_ended").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(world.stored_ids(world.scope()).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_works_as_soon_as_it_is_issued_and_not_long_after_it_is_revoked() {
    let world = World::new().await;
    let instance = world.instance().await;
    let id = world.issue("art_new", Role::Producer, None).await;
    assert_eq!(with_token(&instance, "art_new").await.status, StatusCode::ACCEPTED);
    world.change(ConfigChange::TokenRevoked(id)).await;
    let mut tries = 0;
    while with_token(&instance, "art_new").await.status != StatusCode::UNAUTHORIZED {
        tries += 1;
        assert!(tries < 100, "still accepted");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_and_a_problem_carry_the_trace_of_their_request() {
    // Fails where another test of this process has installed it already, which is as good.
    let _ = auditrelay_runtime::telemetry::init("test", "one", LogFormat::Json, "off");
    let world = World::new().await;
    let instance = world.instance().await;
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let traced = |body: String| {
        let parent = format!("00-{trace}-b7ad6b7169203331-01");
        instance.request(body).header("traceparent", parent).send()
    };
    Answer::of(traced(events(1)).await.unwrap()).await.ids();
    let records = world.records(world.scope()).await;
    let event = &records[0].record.events[0];
    assert!(event.traceparent.starts_with(&format!("00-{trace}-")), "{}", event.traceparent);
    let problem = Answer::of(traced("[]".to_owned()).await.unwrap()).await;
    assert_eq!(problem.body["instance"], format!("kong:trace:{trace}"));
    let metrics = instance.context.metrics.encode();
    let counted = r#"auditrelay_ingest_events_total{kind="authorization",outcome="accepted"} 1"#;
    assert!(metrics.contains(counted), "{metrics}");
    assert!(metrics.contains(r#"auditrelay_ingest_rejections_total{rule="min"} 1"#), "{metrics}");
}
