//! What comes of a request, against real sockets.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test")]

#[path = "transport/answers.rs"]
mod answers;
#[path = "transport/http2.rs"]
mod http2;
#[path = "transport/matrix.rs"]
mod matrix;
#[path = "transport/names.rs"]
mod names;
#[path = "transport/probe.rs"]
mod probe;
#[path = "transport/receiver.rs"]
mod receiver;
#[path = "transport/siem.rs"]
mod siem;
#[path = "transport/tls.rs"]
mod tls;

use std::time::Duration;

use auditrelay_model::address::AddressPolicy;
use auditrelay_model::destination::TlsPolicy;
use auditrelay_model::id::OrgId;
use auditrelay_runtime::ids::uuid_v7;
use auditrelay_webhook_sender::transport::{Outgoing, TlsFiles, Transport, TransportConfig};
use auditrelay_webhook_sender_core::outcome::{FailureKind, Outcome};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use receiver::Receiver;
use tokio::time::Instant;

const EMPTY: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

#[tokio::test]
async fn the_request_arrives_as_it_was_made() {
    let receiver = Receiver::answering(EMPTY).await;
    send(&format!("{}/in?a=b", receiver.url())).await;
    let request = receiver.requests().remove(0);
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let head = head.to_lowercase();
    assert!(head.starts_with("post /in?a=b http/1.1\r\n"), "{head}");
    assert!(head.contains("\r\ncontent-length: 4"), "{head}");
    assert!(head.contains("\r\nauthorization: bearer s3cr3t-token"), "{head}");
    assert!(head.contains("\r\nhost: 127.0.0.1:"), "{head}");
    assert_eq!(body, "body");
}

#[tokio::test]
async fn the_first_printable_kibibyte_of_the_body_is_kept() {
    let body = "a\n\u{1b}[1mb Bearer s3cr3t-token";
    let head = format!("HTTP/1.1 500 Oh\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    assert_eq!(
        send(&Receiver::answering(&head).await.url()).await,
        answered(500, "a[1mb [redacted]")
    );
    let long = format!("HTTP/1.1 200 OK\r\ncontent-length: 9999999\r\n\r\n{}", "x".repeat(9999));
    assert_eq!(
        send(&Receiver::answering(&long).await.url()).await,
        answered(200, &"x".repeat(1024))
    );
}

#[tokio::test]
async fn a_body_that_breaks_off_changes_nothing() {
    let receiver = Receiver::answering("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc").await;
    assert_eq!(send(&receiver.url()).await, answered(200, "abc"));
}

#[tokio::test]
async fn a_body_that_drips_is_dropped_after_a_second() {
    let receiver = Receiver::dripping("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n").await;
    let started = Instant::now();
    assert!(matches!(send(&receiver.url()).await, Outcome::Answered { status: 200, .. }));
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_compressed_body_is_not_shown() {
    let head = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc";
    assert_eq!(send(&Receiver::answering(head).await.url()).await, answered(200, ""));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let trap = Receiver::answering(EMPTY).await;
    for status in [300, 301, 302, 303, 304, 307, 308] {
        let head = format!(
            "HTTP/1.1 {status} Go\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n",
            trap.url()
        );
        let receiver = Receiver::answering(&head).await;
        assert_eq!(send(&receiver.url()).await, answered(status, "redirect not followed"));
        assert_eq!(receiver.requests().len(), 1);
    }
    assert_eq!(trap.connections(), 0);
}

#[tokio::test]
async fn retry_after_is_handed_on_as_it_came() {
    let cases = [
        ("retry-after: 120\r\n", Some("120".to_owned())),
        ("retry-after: 120.6\r\nretry-after: 5\r\n", Some("120.6, 5".to_owned())),
        ("retry-after: \r\n", None),
        (&*format!("retry-after: {}\r\n", "9".repeat(10_000)), None),
    ];
    for (field, expected) in cases {
        let head = format!("HTTP/1.1 429 Slow\r\n{field}content-length: 0\r\n\r\n");
        let outcome = send(&Receiver::answering(&head).await.url()).await;
        let Outcome::Answered { status: 429, retry_after, .. } = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(retry_after, expected);
    }
}

#[tokio::test]
async fn answers_that_are_no_http_fail_by_protocol() {
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(101));
    let huge = format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "b".repeat(1 << 20));
    let cases = [
        ("SSH-2.0-OpenSSH_9.6\r\n", "malformed response"),
        ("\x15\x03\x01\x00\x02\x02\x28", "malformed response"),
        ("HTTP/2.0 200 OK\r\n\r\n", "malformed response"),
        ("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "malformed response"),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\na",
            "malformed response",
        ),
        (&many, "response head too large"),
        (&huge, "response head too large"),
        ("HTTP/1.1 200 OK\r\n", "connection closed before an answer"),
        ("", "connection closed before an answer"),
        (
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
            "unexpected 101",
        ),
    ];
    for (answer, reason) in cases {
        let outcome = send(&Receiver::answering(answer).await.url()).await;
        let Outcome::Failed { kind: FailureKind::Protocol, message } = &outcome else {
            panic!("{answer:.40}: {outcome:?}");
        };
        assert!(message.starts_with(reason), "{answer:.40}: {message}");
    }
}

#[tokio::test]
async fn a_reset_fails_by_protocol_and_is_not_repeated() {
    let receiver = Receiver::resetting().await;
    let outcome = send(&receiver.url()).await;
    assert!(matches!(outcome, Outcome::Failed { kind: FailureKind::Protocol, .. }), "{outcome:?}");
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn silence_ends_at_the_deadline() {
    let receiver = Receiver::silent().await;
    let request = Outgoing { deadline: Duration::from_millis(300), ..outgoing(&receiver.url()) };
    let outcome = transport(None).post(request).await;
    assert_eq!(
        outcome,
        Outcome::Failed {
            kind: FailureKind::Timeout,
            message: "no answer within 0.3 s".to_owned()
        }
    );
}

#[tokio::test]
async fn interim_heads_do_not_move_the_deadline() {
    let receiver = Receiver::dripping("HTTP/1.1 102 Processing\r\n\r\n").await;
    let request = Outgoing { deadline: Duration::from_millis(300), ..outgoing(&receiver.url()) };
    let outcome = transport(None).post(request).await;
    assert!(matches!(outcome, Outcome::Failed { kind: FailureKind::Timeout, .. }), "{outcome:?}");
}

#[tokio::test]
async fn no_listener_and_no_name_are_told_apart() {
    let outcome = send("http://127.0.0.1:1/").await;
    assert_eq!(
        outcome,
        Outcome::Failed {
            kind: FailureKind::Connect,
            message: "no connection: connection refused".to_owned()
        }
    );
    let outcome = send("http://nobody.invalid/").await;
    assert!(matches!(outcome, Outcome::Failed { kind: FailureKind::Dns, .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_blocked_address_gets_no_packet() {
    let receiver = Receiver::answering(EMPTY).await;
    let config = TransportConfig { policy: AddressPolicy::default(), ..config(None) };
    let transport = Transport::new(config).unwrap();
    let port = receiver.port();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0x7f.1", "2130706433"] {
        let outcome = transport.post(outgoing(&format!("http://{host}:{port}/"))).await;
        let Outcome::Failed { kind: FailureKind::Blocked, .. } = outcome else {
            panic!("{host}: {outcome:?}");
        };
    }
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn endpoints_that_may_not_be_called_are_refused() {
    let strict = Transport::new(TransportConfig { allow_http: false, ..config(None) }).unwrap();
    for url in ["", "siem", "ftp://siem/", "http://siem/", "https://user:pw@siem/", "https://"] {
        let outcome = strict.post(outgoing(url)).await;
        let Outcome::Failed { kind: FailureKind::Endpoint, .. } = outcome else {
            panic!("{url}: {outcome:?}");
        };
    }
}

#[tokio::test]
async fn a_connection_is_used_again_unless_the_receiver_closes_it() {
    let transport = transport(None);
    let keeping = Receiver::answering(EMPTY).await;
    let closing =
        Receiver::answering("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            .await;
    for receiver in [&keeping, &closing] {
        let request = outgoing(&receiver.url());
        for _ in 0..3 {
            assert_eq!(transport.post(request.clone()).await, answered(200, ""));
        }
        assert_eq!(receiver.requests().len(), 3);
    }
    assert_eq!(keeping.connections(), 1);
    assert_eq!(closing.connections(), 3);
}

fn answered(status: u16, message: &str) -> Outcome {
    Outcome::Answered { status, retry_after: None, message: message.to_owned() }
}

async fn send(url: &str) -> Outcome {
    transport(None).post(outgoing(url)).await
}

fn transport(extra_roots: Option<std::path::PathBuf>) -> Transport {
    Transport::new(config(extra_roots)).unwrap()
}

fn config(extra_roots: Option<std::path::PathBuf>) -> TransportConfig {
    TransportConfig {
        policy: "127.0.0.0/8,::1".parse().unwrap(),
        allow_http: true,
        tls: TlsFiles { extra_roots, ..TlsFiles::default() },
        connect_wait: Duration::from_secs(5),
    }
}

/// In the name of an organization that nobody else has.
fn outgoing(url: &str) -> Outgoing {
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer s3cr3t-token"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Outgoing {
        org: OrgId::from_uuid(uuid_v7()),
        url: url.to_owned(),
        tls: TlsPolicy::Verify,
        headers,
        body: Bytes::from_static(b"body"),
        deadline: Duration::from_secs(15),
    }
}
