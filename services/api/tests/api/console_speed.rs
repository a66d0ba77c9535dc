//! How long pages take where there is much to show. Measured, not judged: what a number means
//! depends on the machine.

use std::time::Duration;

use auditrelay_model::Clock;
use auditrelay_model::Scope;
use auditrelay_model::delivery::{DeliveryEvent, DeliveryFact, Lane, LaneState};
use auditrelay_model::id::OrgId;
use auditrelay_runtime::clock::SystemClock;
use reqwest::Method;
use serde_json::json;
use tokio::time::Instant;

use crate::browser::Browser;
use crate::support::{Answer, Client, World};

const WEBHOOKS: usize = 1_000;
const ROUNDS: usize = 21;

/// An organization in which so many portals deliver.
async fn fill(world: &World, api: &Client, org: OrgId) {
    let destination = api.destination("siem").await;
    let on = json!({"audit_log_destination_id": destination, "enabled": true});
    for index in 0..WEBHOOKS - 1 {
        let portal = api.portal(&format!("portal {index}")).await;
        let path = format!("/v3/portals/{portal}/audit-log-webhook");
        api.patch(&path, &on).await.expect(200);
        let scope = Scope::Portal(org, portal.parse().unwrap());
        let fact = DeliveryEvent {
            at: SystemClock.now(),
            scope,
            lane: Lane::Live,
            sender: "s".to_owned(),
            fact: DeliveryFact::CaughtUp,
            state: LaneState::default(),
        };
        world.streams.append_delivery(&fact, 0).await.unwrap();
    }
}

/// The median of many requests, from the request to the end of the answer.
async fn median(browser: &Browser, path: &str) -> Duration {
    let mut took = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let answer = Answer::of(browser.request(Method::GET, path)).await;
        took.push(begun.elapsed());
        assert_eq!(answer.status, 200, "{path}");
    }
    took.sort_unstable();
    took[ROUNDS / 2]
}

#[tokio::test]
#[ignore = "measures; cargo test --release -p auditrelay-api --test api speed -- --ignored --nocapture"]
async fn pages_at_a_thousand_webhooks() {
    let world = World::new().await;
    let platform = world.api().await;
    let org = platform.organization("Acme").await;
    let api = platform.with_token(&platform.token(&org, "admin").await);
    fill(&world, &api, org.parse().unwrap()).await;
    let browser = Browser::signed_in(&api).await;
    for page in [
        "overview",
        "organization",
        "access",
        "keys",
        "events",
        "portals",
        "setup/destinations",
        "setup/portals",
        "setup/portals/new",
        "setup/konnect",
        "setup/konnect/replay",
        "setup/konnect/requests",
    ] {
        let took = median(&browser, &format!("/console/{page}")).await;
        let shown = Answer::of(browser.request(Method::GET, &format!("/console/{page}"))).await;
        println!("{page}: {:.1} ms, {} bytes", took.as_secs_f64() * 1_000.0, shown.text.len());
    }
}
