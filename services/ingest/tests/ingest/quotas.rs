//! Who sends too much has to wait, and nobody else.

use std::num::NonZeroU64;
use std::time::Duration;

use auditrelay_ingest::Config;
use auditrelay_ingest_core::quota::{Allowance, Plan};
use auditrelay_model::token::Role;
use reqwest::StatusCode;

use crate::support::{Answer, Instance, PRODUCER, World, events};

async fn send(instance: &Instance, token: &str, body: String) -> Answer {
    let url = format!("http://{}/v1/audit-events", instance.address);
    let request = reqwest::Client::new().post(url).header("content-type", "application/json");
    Answer::of(request.bearer_auth(token).body(body).send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_over_its_quota_waits_and_its_neighbour_does_not() {
    let world = World::new().await;
    world.issue("art_other", Role::Producer, None).await;
    let organization = Allowance { events: NonZeroU64::new(1_000), bytes: None };
    let token = Allowance { events: NonZeroU64::new(1), bytes: NonZeroU64::new(1_000_000) };
    let quotas = Plan { organization, token, burst: Duration::from_mins(1) };
    let instance = world.instance_with(Config { quotas, ..Config::default() }).await;
    let passed = send(&instance, PRODUCER, events(50)).await;
    assert_eq!(passed.ids().len(), 50);
    let state = passed.headers["ratelimit"].to_str().unwrap();
    assert!(state.contains("\"token-events\";r=10;t=50"), "{state}");
    let refused = send(&instance, PRODUCER, events(30)).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.body["detail"], "Rate limit exceeded");
    let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((10..=20).contains(&wait), "{wait}");
    let policy = refused.headers["ratelimit-policy"].to_str().unwrap();
    assert!(policy.contains("\"token-events\";q=60;qu=\"events\";w=60"), "{policy}");
    assert_eq!(send(&instance, "art_other", events(60)).await.ids().len(), 60);
    assert_eq!(world.stored_ids(world.scope()).await.len(), 110);
    let metrics = instance.context.metrics.encode();
    let counted = r#"auditrelay_ingest_quota_refusals_total{quota="token-events"} 1"#;
    assert!(metrics.contains(counted), "{metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_are_refused_count_too() {
    let world = World::new().await;
    let token = Allowance { events: None, bytes: NonZeroU64::new(100) };
    let quotas =
        Plan { organization: Allowance::default(), token, burst: Duration::from_secs(100) };
    let instance = world.instance_with(Config { quotas, ..Config::default() }).await;
    let junk = format!("[{}]", " ".repeat(20_000));
    assert_eq!(send(&instance, PRODUCER, junk).await.status, StatusCode::BAD_REQUEST);
    let refused = send(&instance, PRODUCER, events(1)).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.headers.contains_key("retry-after"));
    assert!(world.stored_ids(world.scope()).await.is_empty());
}
