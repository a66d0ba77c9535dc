//! Durable acceptance: what was answered 202 is in one chain without a gap.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;
use tokio::time::Instant;

use crate::support::{World, event, events};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_clients_on_two_instances_make_one_chain() {
    let world = World::new().await;
    let instances = [Arc::new(world.instance().await), Arc::new(world.instance().await)];
    // Collected: the clients run at the same time only once all are spawned.
    let spawn = |client: usize| {
        let instance = Arc::clone(&instances[client % 2]);
        tokio::spawn(async move {
            let mut ids = Vec::new();
            for request in 0..20 {
                ids.extend(instance.post(events(1 + (client + request) % 4)).await.ids());
            }
            ids
        })
    };
    let clients: Vec<_> = (0..16).map(spawn).collect();
    let mut accepted = Vec::new();
    for client in clients {
        accepted.extend(client.await.unwrap());
    }
    let stored = world.stored_ids(world.scope()).await;
    assert_eq!(stored.len(), accepted.len());
    assert_eq!(stored.iter().collect::<BTreeSet<_>>(), accepted.iter().collect());
    let records = world.records(world.scope()).await.len();
    assert!(records < 320, "requests shared records: {records}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_accepted_is_missing_after_the_broker_was_killed() {
    let mut world = World::new().await;
    let instance = Arc::new(world.instance().await);
    let until = Instant::now() + Duration::from_secs(9);
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let instance = Arc::clone(&instance);
            tokio::spawn(async move {
                let (mut accepted, mut refused) = (Vec::new(), 0);
                while Instant::now() < until {
                    let answer = instance.post(events(3)).await;
                    if answer.status == StatusCode::SERVICE_UNAVAILABLE {
                        assert_eq!(answer.headers["retry-after"], "5");
                        refused += 1;
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    } else {
                        accepted.extend(answer.ids());
                    }
                }
                (accepted, refused)
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    world.kill_broker().await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    world.start_broker().await;
    let (mut accepted, mut refused) = (BTreeSet::new(), 0);
    for client in clients {
        let (ids, no) = client.await.unwrap();
        accepted.extend(ids);
        refused += no;
    }
    let late = instance.post(events(1)).await.ids();
    let stored: BTreeSet<_> = world.stored_ids(world.scope()).await.into_iter().collect();
    assert!(refused > 0 && accepted.len() > 100, "{refused} refused, {} accepted", accepted.len());
    assert!(accepted.is_subset(&stored) && stored.contains(&late[0]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_absence_of_the_broker_is_not_noticed() {
    let mut world = World::new().await;
    let instance = Arc::new(world.instance().await);
    instance.post(events(1)).await.ids();
    world.kill_broker().await;
    let waiting = Arc::clone(&instance);
    let waiting = tokio::spawn(async move { waiting.post(events(2)).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    world.start_broker().await;
    let ids = waiting.await.unwrap().ids();
    assert_eq!(world.stored_ids(world.scope()).await[1..], ids);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_larger_than_a_record_is_stored_in_order() {
    let world = World::new().await;
    let instance = world.instance().await;
    let uri = format!(r#","uri":"/{}""#, "x".repeat(9_000));
    let body = format!("[{}]", vec![event(&uri); 100].join(","));
    let ids = instance.post(body).await.ids();
    assert_eq!(world.stored_ids(world.scope()).await, ids);
    assert!(world.records(world.scope()).await.len() >= 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_scope_has_a_chain_of_its_own() {
    let world = World::new().await;
    let instance = world.instance().await;
    // The instance has not heard of the portal yet: it looks before it refuses.
    let portal = world.portal().await;
    let in_portal = format!(r#","portal_id":"{portal}""#);
    let body = format!("[{},{},{}]", event(""), event(&in_portal), event(""));
    let ids = instance.post(body).await.ids();
    let scope = auditrelay_model::Scope::Portal(world.org, portal);
    assert_eq!(world.stored_ids(scope).await, [ids[1].as_str()]);
    assert_eq!(world.stored_ids(world.scope()).await, [ids[0].as_str(), ids[2].as_str()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_lets_requests_finish() {
    let world = World::new().await;
    let instance = Arc::new(world.instance().await);
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let instance = Arc::clone(&instance);
            tokio::spawn(async move {
                let mut accepted = Vec::new();
                while let Ok(response) = instance.request(events(5)).send().await {
                    accepted.extend(crate::support::Answer::of(response).await.ids());
                }
                accepted
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let stopped = instance.context.drain.stop(Duration::from_secs(5)).await;
    assert_eq!(stopped, auditrelay_runtime::lifecycle::Stopped::Clean);
    let mut accepted = BTreeSet::new();
    for client in clients {
        accepted.extend(client.await.unwrap());
    }
    let stored: BTreeSet<_> = world.stored_ids(world.scope()).await.into_iter().collect();
    assert!(!accepted.is_empty());
    assert_eq!(accepted, stored);
}
