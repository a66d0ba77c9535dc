//! A rolling restart of ingest under load: whoever looks at readiness sees nothing of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::fleet::{Fleet, TOKEN, get, until_ready};
use crate::process::{self, Running};

/// Producers that send one request after the other.
const PRODUCERS: usize = 6;

/// One replica of ingest.
struct Replica {
    process: Running,
    admin: SocketAddr,
    listen: SocketAddr,
}

/// What the producers saw, together.
#[derive(Default)]
struct Seen {
    accepted: AtomicUsize,
    errors: AtomicUsize,
    done: AtomicBool,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_that_looks_at_readiness_never_sees_a_5xx() {
    let fleet = Fleet::start().await;
    let token = producer(&fleet).await;
    let mut first = replica(&fleet).await;
    let second = replica(&fleet).await;
    // Where the replacement will be.
    let third = (process::closed_address(), process::closed_address());
    let known = [first.places(), second.places(), third];
    let seen = Arc::new(Seen::default());
    let load: Vec<_> = (0..PRODUCERS)
        .map(|_| tokio::spawn(produce(Arc::clone(&seen), known.to_vec(), token.clone())))
        .collect();
    until_accepted(&seen, 50).await;
    first.process.terminate();
    assert_eq!(first.process.wait(Duration::from_secs(30)), Some(0), "it drains and ends");
    let after = seen.accepted.load(Ordering::SeqCst);
    let replacement = replica_at(&fleet, third.0, third.1).await;
    until_accepted(&seen, after + 50).await;
    seen.done.store(true, Ordering::SeqCst);
    for producer in load {
        producer.await.unwrap();
    }
    assert_eq!(seen.errors.load(Ordering::SeqCst), 0);
    drop((second, replacement));
    fleet.stop().await;
}

impl Replica {
    /// Where it says whether it is ready, and where it takes events in.
    fn places(&self) -> (SocketAddr, SocketAddr) {
        (self.admin, self.listen)
    }
}

async fn replica(fleet: &Fleet) -> Replica {
    replica_at(fleet, process::closed_address(), process::closed_address()).await
}

async fn replica_at(fleet: &Fleet, admin: SocketAddr, listen: SocketAddr) -> Replica {
    let (_, mut command) = fleet.command("ingest");
    command.env("AUDITRELAY_ADMIN_LISTEN", admin.to_string());
    command.env("AUDITRELAY_INGEST_LISTEN", listen.to_string());
    let process = Running::start(command);
    until_ready(admin).await;
    Replica { process, admin, listen }
}

/// A producer's token, as an operator makes it.
async fn producer(fleet: &Fleet) -> String {
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
    issued["token"].as_str().unwrap().to_owned()
}

/// Sends to replicas that say that they are ready; whose connection is refused is sent to another.
async fn produce(seen: Arc<Seen>, replicas: Vec<(SocketAddr, SocketAddr)>, token: String) {
    let client = reqwest::Client::new();
    let mut turn = 0;
    while !seen.done.load(Ordering::SeqCst) {
        turn += 1;
        let (admin, listen) = replicas[turn % replicas.len()];
        if get(admin, "/ready", "*/*").await.is_none_or(|(status, _)| status != 200) {
            continue;
        }
        let request = client.post(format!("http://{listen}/v1/audit-events")).bearer_auth(&token);
        // Not answered at all: it had closed its port before the request came.
        let Ok(answer) = request.json(&event()).send().await else { continue };
        match answer.status().as_u16() {
            202 => seen.accepted.fetch_add(1, Ordering::SeqCst),
            _ => seen.errors.fetch_add(1, Ordering::SeqCst),
        };
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

async fn until_accepted(seen: &Seen, wanted: usize) {
    let begun = Instant::now();
    while seen.accepted.load(Ordering::SeqCst) < wanted {
        assert!(begun.elapsed() < Duration::from_mins(1), "events are not accepted");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
