//! What is held, and what was sent last.

use std::time::Duration;

use auditrelay_model::delivery::{Attempt, DeliveryEvent, DeliveryFact, Lane, LaneState, Totals};
use auditrelay_model::destination::LogFormat;
use auditrelay_model::id::{BatchId, DestinationId};
use auditrelay_model::record::Position;
use auditrelay_model::{Clock, Scope, Timestamp};
use auditrelay_runtime::clock::SystemClock;
use auditrelay_runtime::ids::uuid_v7;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::log::Log;
use crate::support::World;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[tokio::test]
async fn coverage_says_what_is_really_held() {
    let world = World::new().await;
    let api = world.api().await;
    let org = api.organization("Acme").await;
    let viewer = api.with_token(&api.token(&org, "viewer").await);
    let nothing = viewer.get("/v1/coverage").await.expect(200);
    assert_eq!(nothing, json!({"retention_seconds": 604_800, "held_since": null, "log": null}));
    let mut log = Log::new(&world, Scope::Organization(org.parse().unwrap()));
    log.append(&[SystemClock.now(); 3]).await;
    log.append(&[SystemClock.now(); 2]).await;
    let held = viewer.get("/v1/coverage").await.expect(200);
    assert_eq!(
        (&held["log"]["oldest"]["number"], &held["log"]["newest"]["number"]),
        (&json!(1), &json!(5))
    );
    assert_eq!(held["held_since"], held["log"]["oldest"]["stored_at"]);
    assert_eq!(held["log"]["newest"]["epoch"], 1);
}

/// Stores a fact behind the lane's last one.
async fn store(
    world: &World,
    scope: Scope,
    last: u64,
    fact: DeliveryFact,
    state: LaneState,
) -> u64 {
    let (at, sender) = (SystemClock.now(), "s".to_owned());
    let event = DeliveryEvent { at, scope, lane: Lane::Live, sender, fact, state };
    world.streams.append_delivery(&event, last).await.unwrap()
}

fn attempt(number: u64, status: Option<u16>) -> DeliveryFact {
    let at = |number| Position { epoch: 1, number, sequence: number };
    DeliveryFact::Attempt(Box::new(Attempt {
        batch: BatchId::from_uuid(uuid_v7()),
        number: 1,
        first: at(number),
        last: at(number + 1),
        events: 2,
        body_bytes: 900,
        started_at: Timestamp::from_nanos(1),
        duration: Duration::from_millis(12),
        destination: DestinationId::from_uuid(uuid_v7()),
        log_format: LogFormat::Json,
        delivered: status == Some(200),
        status,
        message: "said".to_owned(),
        trace_id: TRACE.to_owned(),
        sent: None,
        runs: Vec::new(),
    }))
}

#[tokio::test]
async fn the_newest_attempts_come_first() {
    let world = World::new().await;
    let api = world.api().await;
    let org = api.organization("Acme").await;
    let api = api.with_token(&api.token(&org, "admin").await);
    let portal = api.portal("p").await;
    let scope = Scope::Portal(org.parse().unwrap(), portal.parse().unwrap());
    let path = format!("/v1/webhooks/{portal}/attempts");
    let meta = json!({"size": 20, "next": null});
    assert_eq!(api.get(&path).await.expect(200), json!({"data": [], "meta": meta}));
    let mut last = 0;
    for number in 0..40 {
        let facts = [attempt(number, Some(200)), DeliveryFact::CaughtUp, attempt(number, None)];
        for fact in facts {
            last = store(&world, scope, last, fact, LaneState::default()).await;
        }
    }
    let listed = api.get(&path).await.expect(200);
    let listed: Vec<Value> = listed["data"].as_array().unwrap().clone();
    assert_eq!(listed.len(), 20);
    assert_eq!(listed[0]["status"], json!(null));
    assert_eq!((&listed[1]["status"], &listed[1]["delivered"]), (&json!(200), &json!(true)));
    let firsts: Vec<_> = listed.iter().map(|one| one["first_number"].as_u64().unwrap()).collect();
    assert_eq!(firsts[..4], [39, 39, 38, 38]);
    let all = api.get(&format!("{path}?page[size]=100")).await.expect(200);
    assert_eq!(all["data"].as_array().unwrap().len(), 80);
    let faults = api.get(&format!("{path}?page[size]=101")).await.faults();
    assert_eq!(faults[0].1, "must be at most 100");
    api.get("/v1/webhooks/nobody/attempts").await.expect(404);
}

#[tokio::test]
async fn a_request_leads_to_its_trace() {
    let mut world = World::new().await;
    world.config.trace_url = Some("https://tempo.example/trace/{trace_id}".to_owned());
    let api = world.api().await;
    let org = api.organization("Acme").await;
    let api = api.with_token(&api.token(&org, "viewer").await);
    let scope = Scope::Organization(org.parse().unwrap());
    let sequence = store(&world, scope, 0, attempt(1, Some(200)), LaneState::default()).await;
    let mut browser = Browser::signed_in(&api).await;
    browser.go(&format!("/console/setup/konnect/requests/{sequence}")).await;
    let link = format!("<a href=\"https://tempo.example/trace/{TRACE}\" rel=\"noreferrer\">");
    assert!(browser.page.text.contains(&link), "{}", browser.page.text);
}

#[tokio::test]
async fn lists_show_what_came_since_they_were_looked_at() {
    let (world, api) = World::admin().await;
    let org = api.get("/v3/organizations/me").await.expect(200)["id"].as_str().unwrap().parse();
    let org = org.unwrap();
    let destination = api.destination("siem").await;
    let on = json!({"audit_log_destination_id": destination, "enabled": true});
    let mut lasts = Vec::new();
    for name in ["one", "other"] {
        let portal = api.portal(name).await;
        api.patch(&format!("/v3/portals/{portal}/audit-log-webhook"), &on).await.expect(200);
        lasts.push((Scope::Portal(org, portal.parse().unwrap()), 0));
    }
    let mut browser = Browser::signed_in(&api).await;
    for (delivered, which) in [(1_111, 0), (2_222, 0), (3_333, 1), (4_444, 0), (5_555, 1)] {
        let (scope, last) = &mut lasts[which];
        let totals = Totals { events_delivered: delivered, ..Totals::default() };
        let state = LaneState { totals, ..LaneState::default() };
        *last = store(&world, *scope, *last, DeliveryFact::CaughtUp, state).await;
        browser.go("/console/overview").await;
        browser.sees(&format!("{},{}", delivered / 1_000, delivered % 1_000));
    }
    browser.sees("4,444");
    assert!(!browser.page.text.contains("3,333"));
}
