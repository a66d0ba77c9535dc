//! A rolling restart under load: whoever looks at readiness sees nothing of it, neither at ingest
//! nor at the api.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::fleet::{Fleet, TOKEN, get, until_ready};
use crate::process::{self, Running};

/// Clients that send one request after the other.
const CLIENTS: usize = 6;
/// For how long a replica serves on after it has said that it is no longer ready.
const DELAY: &str = "3s";

/// A replica's admin port and where it listens.
type Place = (SocketAddr, SocketAddr);

/// What the clients saw, together.
#[derive(Default)]
struct Seen {
    answered: AtomicUsize,
    troubles: Mutex<Vec<String>>,
    done: AtomicBool,
}

/// Who is asked, and for what.
#[derive(Clone)]
struct Traffic {
    service: &'static str,
    /// The variable that says where it listens.
    listen: &'static str,
    path: String,
    token: String,
    body: fn() -> Value,
    wanted: u16,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_looks_at_readiness_sees_nothing_of_a_rolling_restart() {
    let fleet = Fleet::start().await;
    let (tokens, producer) = producer(&fleet).await;
    let ingest = Traffic {
        service: "ingest",
        listen: "AUDITRELAY_INGEST_LISTEN",
        path: "/v1/audit-events".to_owned(),
        token: producer,
        body: event,
        wanted: 202,
    };
    let api = Traffic {
        service: "api",
        listen: "AUDITRELAY_API_LISTEN",
        path: tokens,
        token: TOKEN.to_owned(),
        body: || json!({"name": "one more", "role": "viewer"}),
        wanted: 201,
    };
    for traffic in [ingest, api] {
        roll(&fleet, &traffic).await;
    }
    fleet.stop().await;
}

/// Replaces two replicas in turn while clients send.
async fn roll(fleet: &Fleet, traffic: &Traffic) {
    let places: [Place; 4] =
        [(); 4].map(|()| (process::closed_address(), process::closed_address()));
    let mut running = vec![replica(fleet, traffic, places[0]).await];
    running.push(replica(fleet, traffic, places[1]).await);
    let seen = Arc::new(Seen::default());
    let load: Vec<_> = (0..CLIENTS)
        .map(|_| tokio::spawn(ask(Arc::clone(&seen), places.to_vec(), traffic.clone())))
        .collect();
    for replacement in &places[2..] {
        until_answered(&seen, 30).await;
        let mut old = running.remove(0);
        old.terminate();
        assert_eq!(old.wait(Duration::from_mins(1)), Some(0), "it drains and ends");
        running.push(replica(fleet, traffic, *replacement).await);
    }
    until_answered(&seen, 30).await;
    seen.done.store(true, Ordering::SeqCst);
    for client in load {
        client.await.unwrap();
    }
    let troubles = seen.troubles.lock().unwrap();
    assert!(troubles.is_empty(), "{}: {troubles:#?}", traffic.service);
}

async fn replica(fleet: &Fleet, traffic: &Traffic, (admin, listen): Place) -> Running {
    let (_, mut command) = fleet.command(traffic.service);
    command.env("AUDITRELAY_ADMIN_LISTEN", admin.to_string());
    command.env("AUDITRELAY_DRAIN_DELAY", DELAY);
    command.env(traffic.listen, listen.to_string());
    let process = Running::start(command);
    until_ready(admin).await;
    process
}

/// The path of an organization's tokens, and one for its producer, as an operator makes it.
async fn producer(fleet: &Fleet) -> (String, String) {
    let client = reqwest::Client::new();
    let post = async |path: &str, body: Value| {
        let url = format!("http://{}{path}", fleet.api);
        let answer = client.post(url).bearer_auth(TOKEN).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 201);
        answer.json::<Value>().await.unwrap()
    };
    let made = post("/v1/organizations", json!({"name": "rolling"})).await;
    let path = format!("/v1/organizations/{}/tokens", made["id"].as_str().unwrap());
    let issued = post(&path, json!({"name": "producer", "role": "producer"})).await;
    (path, issued["token"].as_str().unwrap().to_owned())
}

/// Asks replicas that say that they are ready, over connections that are kept; whatever else than
/// the wanted answer comes is trouble.
async fn ask(seen: Arc<Seen>, replicas: Vec<Place>, traffic: Traffic) {
    let client = reqwest::Client::new();
    let mut turn = 0;
    while !seen.done.load(Ordering::SeqCst) {
        turn += 1;
        let (admin, listen) = replicas[turn % replicas.len()];
        if get(admin, "/ready", "*/*").await.is_none_or(|(status, _)| status != 200) {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        }
        let request = client.post(format!("http://{listen}{}", traffic.path));
        let answer = request.bearer_auth(&traffic.token).json(&(traffic.body)()).send().await;
        let trouble = match answer {
            Ok(answer) if answer.status() == traffic.wanted => None,
            Ok(answer) => Some(answer.status().to_string()),
            Err(error) => Some(format!("{error:?}")),
        };
        match trouble {
            None => drop(seen.answered.fetch_add(1, Ordering::SeqCst)),
            Some(trouble) => seen.troubles.lock().unwrap().push(trouble),
        }
    }
}

fn event() -> Value {
    use auditrelay_model::Clock;
    let now = auditrelay_runtime::clock::SystemClock.now().to_string();
    json!({
        "type": "authentication", "ts": now, "principal_id": "p-1", "principal_name": "Ada",
        "client_ip": "198.51.100.7", "user_agent": "curl/8.0", "trace_id": "1",
        "authentication_type": "basic", "outcome": "success", "uri": "/v2/authenticate",
    })
}

/// Waits until so many more requests were answered as they should be.
async fn until_answered(seen: &Seen, more: usize) {
    let (begun, before) = (Instant::now(), seen.answered.load(Ordering::SeqCst));
    while seen.answered.load(Ordering::SeqCst) < before + more {
        assert!(begun.elapsed() < Duration::from_mins(2), "nobody is answered");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
