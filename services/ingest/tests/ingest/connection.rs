//! What goes wrong below the body: framing, time and order of bytes on a connection.

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::time::Duration;

use auditrelay_ingest::Config;
use auditrelay_ingest_core::quota::{Allowance, Plan};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{PRODUCER, World, event};

/// Sends bytes and reads until the server closes.
async fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may close before it has read everything.
    let _ = stream.write_all(bytes).await;
    let mut heard = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut heard)).await;
    String::from_utf8_lossy(&heard).into_owned()
}

fn post(headers: &str, body: &str) -> String {
    format!(
        "POST /v1/audit-events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {PRODUCER}\r\n\
         Content-Type: application/json\r\nConnection: close\r\n{headers}\r\n{body}"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_framing_is_refused_and_stores_nothing() {
    let world = World::new().await;
    let instance = world.instance().await;
    let one = event("");
    let length = format!("Content-Length: {}\r\n", one.len());
    let chunked = format!("{:x}\r\n{one}\r\n0\r\n\r\n", one.len());
    let many = "X: y\r\n".repeat(101);
    let large = format!("X: {}\r\n", "x".repeat(17_000));
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let table = [
        ("I-35", post(&format!("{length}Content-Length: 7\r\n"), &one), "HTTP/1.1 400"),
        ("I-36", post("Transfer-Encoding: gzip\r\n", &one), ""),
        (
            "I-37",
            post("Transfer-Encoding: chunked\r\n", &chunked).replace("1.1\r", "1.0\r"),
            "HTTP/1.",
        ),
        ("I-38", post(&format!("{length}{many}"), &one), "HTTP/1.1 431"),
        ("I-39", post(&format!("{length}{large}"), &one), "HTTP/1.1 431"),
        ("I-40", post(&format!("{length}X: a\rb\r\n"), &one), "HTTP/1.1 400"),
        ("I-40", post(&format!("{length}X: a\0b\r\n"), &one), "HTTP/1.1 400"),
        ("I-41", post(&format!("{length}X : y\r\n"), &one), "HTTP/1.1 400"),
        ("I-42", get(&format!("/{}", "x".repeat(9_000))), "HTTP/1.1 414"),
        ("I-44", get("/v1/audit-events"), "HTTP/1.1 405"),
        ("I-72", post(&format!("{length}Expect: 200-maybe\r\n"), &one), "HTTP/1.1 417"),
    ];
    for (name, request, wanted) in table {
        let answer = exchange(instance.address, request.as_bytes()).await;
        assert!(answer.starts_with(wanted), "{name}: {answer}");
        assert!(
            !answer.starts_with("HTTP/1.1 2") && !answer.starts_with("HTTP/1.0 2"),
            "{name}: {answer}"
        );
    }
    assert!(world.stored_ids(world.scope()).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_has_a_deadline_whatever_trickles() {
    let world = World::new().await;
    let config = Config { body_timeout: Duration::from_millis(700), ..Config::default() };
    let instance = world.instance_with(config).await;
    let address = instance.address;
    let silent = post("Content-Length: 10\r\n", "12345");
    let expecting = post("Content-Length: 10\r\nExpect: 100-continue\r\n", "");
    let (silent, expecting) = tokio::join!(
        exchange(address, silent.as_bytes()),
        exchange(address, expecting.as_bytes()),
    );
    assert!(silent.starts_with("HTTP/1.1 408"), "I-31: {silent}");
    assert!(expecting.contains("HTTP/1.1 408"), "I-71: {expecting}");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(post("Content-Length: 500\r\n", "").as_bytes()).await.unwrap();
    let mut heard = Vec::new();
    loop {
        tokio::select! {
            read = stream.read_buf(&mut heard) => if read.unwrap_or(0) == 0 { break },
            () = tokio::time::sleep(Duration::from_millis(50)) => {
                let _ = stream.write_all(b" ").await;
            }
        }
    }
    let slow = String::from_utf8_lossy(&heard);
    assert!(slow.starts_with("HTTP/1.1 408"), "I-32: {slow}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipelined_requests_are_answered_in_order_under_their_quota() {
    let world = World::new().await;
    let token = Allowance { events: NonZeroU64::new(1), bytes: None };
    let organization = Allowance::default();
    let quotas = Plan { organization, token, burst: Duration::from_secs(100) };
    let instance = world.instance_with(Config { quotas, ..Config::default() }).await;
    let one = event("");
    let keep = post(&format!("Content-Length: {}\r\n", one.len()), &one)
        .replace("Connection: close\r\n", "");
    let last = post(&format!("Content-Length: {}\r\n", one.len()), &one);
    let bytes = keep.repeat(299) + &last;
    let answers = exchange(instance.address, bytes.as_bytes()).await;
    let statuses: Vec<_> = answers
        .match_indices("HTTP/1.1 ")
        .filter_map(|(at, _)| answers.get(at + 9..at + 12))
        .collect();
    assert_eq!(statuses.len(), 300);
    let passed = statuses.iter().take_while(|status| **status == "202").count();
    assert!((100..110).contains(&passed), "{passed}");
    assert!(statuses[passed..].iter().filter(|status| **status == "429").count() > 180);
}
