//! A request is stored whole or not at all, also when it needs several records or scopes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auditrelay_model::Scope;
use reqwest::StatusCode;

use crate::support::{Answer, Instance, World, event};

/// Events of a request whose tag is in every one of them: in two scopes, or too large for one
/// record.
fn body(tag: &str, portal: &str, large: bool) -> (String, usize) {
    let uri = format!(r#","uri":"/{tag}""#);
    if large {
        let agent = format!(r#"{uri},"user_agent":"{}""#, "x".repeat(12_000));
        return (format!("[{}]", vec![event(&agent); 50].join(",")), 50);
    }
    let there = format!(r#"{uri},"portal_id":"{portal}""#);
    (format!("[{},{},{}]", event(&uri), event(&there), event(&uri)), 3)
}

/// How many events of each request are stored.
async fn stored(world: &World, scopes: &[Scope]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for scope in scopes {
        for stored in world.records(*scope).await {
            for event in stored.record.events {
                *counts.entry(event.uri[1..].to_owned()).or_default() += 1;
            }
        }
    }
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_and_small_requests_share_their_scopes() {
    let world = World::new().await;
    let instances = [Arc::new(world.instance().await), Arc::new(world.instance().await)];
    let portal = world.portal().await;
    let scopes = [world.scope(), Scope::Portal(world.org, portal)];
    let spawn = |client: usize| {
        let instance = Arc::clone(&instances[client % 2]);
        let portal = portal.to_string();
        tokio::spawn(async move {
            for request in 0..15 {
                let tag = format!("{client}-{request}");
                let (body, count) = match client % 4 {
                    0 => body(&tag, &portal, request % 5 == 4),
                    _ => (event(&format!(r#","uri":"/{tag}""#)), 1),
                };
                assert_eq!(instance.post(body).await.ids().len(), count);
            }
        })
    };
    let clients: Vec<_> = (0..8).map(spawn).collect();
    for client in clients {
        client.await.unwrap();
    }
    let counts = stored(&world, &scopes).await;
    assert_eq!(counts.len(), 8 * 15);
    assert_eq!(counts["0-3"], 3);
    assert_eq!(counts["4-4"], 50);
}

/// Where to send, until it is accepted or the load ends.
struct Load {
    addresses: Arc<Mutex<Vec<Arc<Instance>>>>,
    done: Arc<AtomicBool>,
    portal: String,
    client: usize,
}

impl Load {
    /// Sends requests of every kind; returns those that were accepted. Some carry a key and are
    /// repeated until they are.
    async fn run(self) -> BTreeMap<String, usize> {
        let (mut accepted, mut request) = (BTreeMap::new(), 0);
        while !self.done.load(Ordering::SeqCst) {
            request += 1;
            let keyed = request % 3 != 0;
            let mark = if keyed { "k" } else { "n" };
            let tag = format!("{mark}{}-{request}", self.client);
            let (body, count) = body(&tag, &self.portal, request % 7 == 0);
            if self.send(keyed.then_some(tag.as_str()), &body).await {
                accepted.insert(tag, count);
            }
        }
        accepted
    }

    async fn send(&self, key: Option<&str>, body: &str) -> bool {
        for turn in self.client.. {
            let instance = Arc::clone(&self.addresses.lock().unwrap()[turn % 2]);
            let mut request = instance.request(body.to_owned());
            if let Some(key) = key {
                request = request.header("idempotency-key", key);
            }
            let answer = match request.timeout(Duration::from_secs(5)).send().await {
                Ok(response) => Answer::of(response).await.status,
                Err(_) => StatusCode::BAD_GATEWAY,
            };
            if answer == StatusCode::ACCEPTED || key.is_none() {
                return answer == StatusCode::ACCEPTED;
            }
            assert!(answer.is_server_error(), "{answer}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        false
    }
}

/// Twenty times something dies under load: the broker, or an instance of ingest. In the end every
/// accepted request is stored whole, those with a key once, and no request by halves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_death_leaves_half_a_request() {
    let mut world = World::new().await;
    let portal = world.portal().await;
    let scopes = [world.scope(), Scope::Portal(world.org, portal)];
    let (first, mut mortal) = world.mortal().await;
    let instances = vec![Arc::new(first), Arc::new(world.instance().await)];
    let addresses = Arc::new(Mutex::new(instances));
    let done = Arc::new(AtomicBool::new(false));
    let spawn = |client| {
        let (addresses, done) = (Arc::clone(&addresses), Arc::clone(&done));
        tokio::spawn(Load { addresses, done, portal: portal.to_string(), client }.run())
    };
    let clients: Vec<_> = (0..6).map(spawn).collect();
    for death in 0..20 {
        tokio::time::sleep(Duration::from_millis(150 + 20 * death)).await;
        if death % 2 == 0 {
            world.kill_broker().await;
            world.start_broker().await;
        } else {
            mortal.shutdown_background();
            let (next, runtime) = world.mortal().await;
            addresses.lock().unwrap()[0] = Arc::new(next);
            mortal = runtime;
        }
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    done.store(true, Ordering::SeqCst);
    let mut accepted = BTreeMap::new();
    for client in clients {
        accepted.extend(client.await.unwrap());
    }
    mortal.shutdown_background();
    let counts = stored(&world, &scopes).await;
    assert!(accepted.len() > 20, "only {} accepted", accepted.len());
    for (tag, count) in &accepted {
        assert_eq!(counts.get(tag), Some(count), "{tag} was accepted");
    }
    let halves: BTreeSet<_> =
        counts.iter().filter(|(_, count)| ![3, 50].contains(*count)).collect();
    assert!(halves.is_empty(), "{halves:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_bundle_is_recognised_by_its_ids_on_any_instance() {
    let world = World::new().await;
    let (one, two) = (world.instance().await, world.instance().await);
    let portal = world.portal().await;
    let named =
        |id: u128, more: &str| event(&format!(r#","id":"{}"{more}"#, uuid::Uuid::from_u128(id)));
    let there = format!(r#","portal_id":"{portal}""#);
    let first = format!("[{},{}]", named(1, ""), named(2, &there));
    let ids = one.post(first.clone()).await.ids();
    let again = two.post(first).await;
    assert_eq!((again.ids(), &again.body["duplicates"]), (ids, &2.into()));
    let more = format!("[{},{},{}]", named(1, ""), named(2, &there), named(3, &there));
    assert_eq!(one.post(more).await.body["duplicates"], 2);
    assert_eq!(world.stored_ids(world.scope()).await.len(), 1);
    assert_eq!(world.stored_ids(Scope::Portal(world.org, portal)).await.len(), 2);
}
