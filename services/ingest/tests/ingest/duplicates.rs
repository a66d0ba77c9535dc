//! A repeated request is stored once, whichever instance gets it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use auditrelay_runtime::ids::uuid_v7;
use reqwest::StatusCode;

use crate::support::{Answer, Instance, World, event, events};

async fn with_key(instance: &Instance, key: &str, body: String) -> Answer {
    let request = instance.request(body).header("idempotency-key", key);
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_key_gets_the_first_ids() {
    let world = World::new().await;
    let (one, two) = (world.instance().await, world.instance().await);
    let first = with_key(&one, "k", events(3)).await.ids();
    // Others' requests lie in between, on both instances.
    one.post(events(2)).await.ids();
    two.post(events(2)).await.ids();
    for instance in [&one, &two, &world.instance().await] {
        let repeated = with_key(instance, "k", events(3)).await;
        assert_eq!(repeated.ids(), first);
        assert_eq!(repeated.body["duplicates"], 3);
    }
    assert_eq!(world.stored_ids(world.scope()).await.len(), 7);
    assert_eq!(with_key(&two, "k", events(2)).await.status, StatusCode::CONFLICT);
    let other = with_key(&two, "l", events(3)).await.ids();
    assert_ne!(other, first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_covers_requests_of_several_records_and_scopes() {
    let world = World::new().await;
    let (one, two) = (world.instance().await, world.instance().await);
    let portal = world.portal().await;
    let uri = format!(r#","uri":"/{}""#, "x".repeat(9_000));
    let in_portal = format!(r#","portal_id":"{portal}""#);
    let both = format!("{},{}", event(&uri), event(&in_portal));
    let body = format!("[{}]", vec![both; 60].join(","));
    let first = with_key(&one, "k", body.clone()).await.ids();
    let repeated = with_key(&two, "k", body).await;
    assert_eq!(repeated.ids(), first);
    assert_eq!(repeated.body["duplicates"], 120);
    assert_eq!(world.stored_ids(world.scope()).await.len(), 60);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_event_id_is_stored_once() {
    let world = World::new().await;
    let (one, two) = (world.instance().await, world.instance().await);
    let (a, b) = (uuid_v7().to_string(), uuid_v7().to_string());
    let named = |id: &str| event(&format!(r#","id":"{id}""#));
    assert_eq!(one.post(named(&a)).await.ids(), [a.as_str()]);
    two.post(events(1)).await.ids();
    let mixed = two.post(format!("[{},{}]", named(&a), named(&b))).await;
    assert_eq!(mixed.ids(), [a.as_str(), b.as_str()]);
    assert_eq!(mixed.body["duplicates"], 1);
    let again = one.post(named(&b)).await;
    assert_eq!(again.body["duplicates"], 1);
    assert_eq!(world.stored_ids(world.scope()).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_key_at_the_same_time_is_stored_once() {
    let world = World::new().await;
    let (one, two) = (world.instance().await, world.instance().await);
    for round in 0..20 {
        let key = round.to_string();
        let (first, second) =
            tokio::join!(with_key(&one, &key, events(2)), with_key(&two, &key, events(2)));
        assert_eq!(first.ids(), second.ids());
    }
    assert_eq!(world.stored_ids(world.scope()).await.len(), 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_recognised_after_the_broker_was_away() {
    let mut world = World::new().await;
    let instance = world.instance().await;
    let first = with_key(&instance, "k", events(2)).await.ids();
    world.kill_broker().await;
    assert_eq!(with_key(&instance, "l", events(1)).await.status, StatusCode::SERVICE_UNAVAILABLE);
    world.start_broker().await;
    let second = with_key(&instance, "l", events(1)).await.ids();
    assert_eq!(with_key(&instance, "k", events(2)).await.ids(), first);
    assert_eq!(with_key(&instance, "l", events(1)).await.ids(), second);
    assert_eq!(world.stored_ids(world.scope()).await.len(), 3);
}

/// Every client repeats each request, with its key, on one instance after the other until it is
/// accepted, while the broker is killed again and again: in the end every event is there once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeated_requests_are_stored_exactly_once_while_the_broker_dies() {
    let mut world = World::new().await;
    let instances = Arc::new([world.instance().await, world.instance().await]);
    let done = Arc::new(AtomicBool::new(false));
    let spawn = |client: usize| {
        let (instances, done) = (Arc::clone(&instances), Arc::clone(&done));
        tokio::spawn(async move {
            let (mut accepted, mut request) = (Vec::new(), 0);
            while !done.load(Ordering::SeqCst) {
                request += 1;
                let (key, body) = (format!("{client}-{request}"), events(1 + request % 3));
                let mut turn = client;
                accepted.extend(loop {
                    let answer = with_key(&instances[turn % 2], &key, body.clone()).await;
                    if answer.status == StatusCode::ACCEPTED {
                        break answer.ids();
                    }
                    turn += 1;
                });
            }
            accepted
        })
    };
    let clients: Vec<_> = (0..8).map(spawn).collect();
    for downtime in [100, 3_500, 800, 3_100] {
        tokio::time::sleep(Duration::from_millis(700)).await;
        world.kill_broker().await;
        tokio::time::sleep(Duration::from_millis(downtime)).await;
        world.start_broker().await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    done.store(true, Ordering::SeqCst);
    let mut accepted = Vec::new();
    for client in clients {
        accepted.extend(client.await.unwrap());
    }
    let mut stored = world.stored_ids(world.scope()).await;
    accepted.sort_unstable();
    stored.sort_unstable();
    assert!(accepted.len() > 100, "{}", accepted.len());
    assert_eq!(stored.len(), accepted.len());
    assert_eq!(stored, accepted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_id_said_first_is_kept_and_the_rest_is_counted() {
    let world = World::new().await;
    let (one, two) = (world.instance().await, world.instance().await);
    let id = uuid_v7().to_string();
    let first = event(&format!(r#","id":"{id}","uri":"/first""#));
    let other = first.replace("/first", "/other");
    one.post(first.clone()).await.ids();
    // The second instance knows the first event from the stream alone.
    for (instance, conflicts) in [(&one, 1), (&two, 1)] {
        assert_eq!(instance.post(other.clone()).await.body["duplicates"], 1);
        assert_eq!(instance.post(first.clone()).await.body["duplicates"], 1);
        let metrics = instance.context.metrics.encode();
        let counted = format!("auditrelay_ingest_id_conflicts_total {conflicts}\n");
        assert!(metrics.contains(&counted), "{metrics}");
    }
    let records = world.records(world.scope()).await;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].record.events[0].uri, "/first");
}
