//! Pages under pressure: a broker that sleeps, readers that leave or do not read, too many of them.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use auditrelay_model::{Clock, Scope};
use auditrelay_runtime::clock::SystemClock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, timeout};

use crate::log::{Log, numbers};
use crate::support::{Client, World};

const PATH: &str = "/v3/audit-logs";
/// Reads the whole log and finds nothing.
const NOTHING: &str = "/v3/audit-logs?filter[type]=authentication";
const LARGE: &str = "/v3/audit-logs?page[size]=1000";
const PATIENCE: Duration = Duration::from_secs(20);

/// An organization with 40 megabytes of events, as somebody sees it who may read them.
async fn with_much() -> (World, Client) {
    let world = World::new().await;
    let api = world.api().await;
    let org = api.organization("Acme").await;
    let viewer = api.with_token(&api.token(&org, "viewer").await);
    let mut log = Log::new(&world, Scope::Organization(org.parse().unwrap()));
    log.agent = "x".repeat(60_000);
    for _ in 0..170 {
        log.append(&[SystemClock.now(); 4]).await;
    }
    (world, viewer)
}

fn signal(world: &World, name: &str) {
    let pid = world.broker.as_ref().unwrap().pid().to_string();
    assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
}

async fn wait_for(reads: &AtomicUsize, count: usize) {
    let seen = async {
        while reads.load(Ordering::SeqCst) < count {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, seen).await.unwrap();
}

#[tokio::test]
async fn a_broker_that_falls_asleep_under_a_page_is_answered_503_and_read_again_when_it_wakes() {
    let (world, viewer) = with_much().await;
    let reads = world.asked("$JS.API.DIRECT.GET.EVENTS").await;
    let asking = tokio::spawn({
        let viewer = viewer.clone();
        async move { viewer.get(NOTHING).await }
    });
    wait_for(&reads, 2).await;
    signal(&world, "-STOP");
    let begun = Instant::now();
    let answer = asking.await.unwrap();
    let took = begun.elapsed();
    signal(&world, "-CONT");
    answer.expect(503);
    assert!(answer.headers.contains_key("retry-after"));
    assert!(took < Duration::from_secs(12), "{took:?}");
    assert_eq!(numbers(&viewer.get(PATH).await.expect(200)).len(), 20);
}

#[tokio::test]
async fn nothing_more_is_read_for_a_client_that_has_left() {
    let (world, viewer) = with_much().await;
    let reads = world.asked("$JS.API.DIRECT.GET.EVENTS").await;
    viewer.get(NOTHING).await.expect(200);
    let whole = reads.swap(0, Ordering::SeqCst);
    let asking = tokio::spawn(async move { viewer.get(NOTHING).await });
    wait_for(&reads, 2).await;
    asking.abort();
    sleep(Duration::from_millis(100)).await;
    let then = reads.load(Ordering::SeqCst);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(reads.load(Ordering::SeqCst), then);
    assert!(then < whole, "{then} of {whole} reads");
}

/// Asks for a large page, and reads no more of it than that it is there.
async fn asks_and_does_not_read(viewer: &Client) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let address = viewer.base.strip_prefix("http://").unwrap().parse().unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    let token = &viewer.token;
    let request =
        format!("GET {LARGE} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = [0; 15];
    timeout(PATIENCE, stream.read_exact(&mut head)).await.unwrap().unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    stream
}

#[tokio::test]
async fn who_does_not_read_four_pages_is_given_no_fifth_and_keeps_nobody_else_from_theirs() {
    let (world, viewer) = with_much().await;
    let other = World::api(&world).await.at(&viewer);
    let other = other.with_token(&other.token(&other.organization("Other").await, "viewer").await);
    let mut unread = Vec::new();
    for _ in 0..4 {
        unread.push(asks_and_does_not_read(&viewer).await);
    }
    for _ in 0..96 {
        let refused = viewer.get(LARGE).await;
        refused.expect(429);
        assert_eq!(refused.headers["retry-after"], "1");
    }
    other.get(PATH).await.expect(200);
    drop(unread);
    let free = async {
        while viewer.get(PATH).await.status == 429 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, free).await.unwrap();
    viewer.get(PATH).await.expect(200);
}

#[tokio::test]
async fn of_a_hundred_pulls_at_once_some_are_served_and_the_rest_told_to_come_again() {
    let (world, viewer) = with_much().await;
    let other = World::api(&world).await.at(&viewer);
    let other = other.with_token(&other.token(&other.organization("Other").await, "viewer").await);
    let crowd = futures::future::join_all((0..100).map(|_| viewer.get(NOTHING)));
    let (answers, others) = tokio::join!(crowd, async {
        let mut slowest = Duration::ZERO;
        for _ in 0..10 {
            let begun = Instant::now();
            other.get(PATH).await.expect(200);
            slowest = slowest.max(begun.elapsed());
        }
        slowest
    });
    let served = answers.iter().filter(|answer| answer.status == 200).count();
    let refused = answers.iter().filter(|answer| answer.status == 429);
    assert!(refused.clone().all(|answer| answer.headers["retry-after"] == "1"));
    assert_eq!(served + refused.count(), 100);
    assert!((4..100).contains(&served), "{served} served");
    assert!(others < Duration::from_secs(5), "{others:?}");
}
