//! How long configuration takes while many read and change it, beside what one round trip to the
//! broker takes at the same time: `cargo test -p auditrelay-api --release -- --ignored latency`.

use std::time::Duration;

use auditrelay_streams::StreamName;
use serde_json::json;
use tokio::time::Instant;

use crate::support::World;

const CLIENTS: usize = 50;
const ROUNDS: usize = 20;

fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() * 99 / 100]
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn of_configuration_under_fifty_clients() {
    let (world, api) = World::admin().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut running = Vec::new();
    for number in 0..CLIENTS {
        let (api, client) = (api.clone(), client.clone());
        running.push(tokio::spawn(async move {
            let id = api.destination(&format!("d{number}")).await;
            let url = format!("{}/v3/audit-log-destinations/{id}", api.base);
            let (mut reads, mut writes) = (Vec::new(), Vec::new());
            for round in 0..ROUNDS {
                let begun = Instant::now();
                let read = client.get(&url).bearer_auth(&api.token).send().await.unwrap();
                reads.push(begun.elapsed());
                assert_eq!(read.status(), 200);
                let body = json!({"name": format!("d{number}-{round}")}).to_string();
                let begun = Instant::now();
                let write = client.patch(&url).bearer_auth(&api.token).body(body).send();
                let write = write.await.unwrap();
                writes.push(begun.elapsed());
                assert_eq!(write.status(), 200, "everybody gets a turn");
            }
            (reads, writes)
        }));
    }
    let streams = world.streams.clone();
    let raw = tokio::spawn(async move {
        let mut trips = Vec::new();
        for _ in 0..200 {
            let begun = Instant::now();
            streams.observe(StreamName::Config).await.unwrap();
            trips.push(begun.elapsed());
        }
        trips
    });
    let (mut reads, mut writes) = (Vec::new(), Vec::new());
    for running in running {
        let (read, wrote) = running.await.unwrap();
        reads.extend(read);
        writes.extend(wrote);
    }
    let (raw, reads, writes) = (p99(raw.await.unwrap()), p99(reads), p99(writes));
    println!("p99 with {CLIENTS} clients: read {reads:?}, change {writes:?}, round trip {raw:?}");
    println!(
        "in round trips: read {:.1}, change {:.1}",
        reads.as_secs_f64() / raw.as_secs_f64(),
        writes.as_secs_f64() / raw.as_secs_f64()
    );
}
