//! Receivers behind TLS.

use std::time::Duration;

use auditrelay_model::destination::TlsPolicy;
use auditrelay_webhook_sender::transport::{Outgoing, TlsFiles, Transport, TransportConfig};
use auditrelay_webhook_sender_core::outcome::{FailureKind, Outcome};
use rcgen::{ExtendedKeyUsagePurpose, date_time_ymd};
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::receiver::Receiver;
use super::siem::{Authority, Identity, Siem};
use super::{answered, config, outgoing, transport};

#[tokio::test]
async fn a_trusted_receiver_is_delivered_to_over_http_2_or_1() {
    let authority = Authority::new("ours");
    let identity = authority.issue("localhost", |_| {});
    let transport = transport(Some(authority.roots()));
    for (protocols, version) in [(&[b"h2".as_slice(), b"http/1.1"][..], "2.0"), (&[], "1.1")] {
        let siem = Siem::start(&identity, protocols).await;
        let expected = answered(200, &format!("HTTP/{version} body"));
        assert_eq!(transport.post(outgoing(&siem.url())).await, expected);
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_gets_nothing_of_the_request_and_the_reason_in_words() {
    let (ours, foreign) = (Authority::new("ours"), Authority::new("Foreign CA"));
    let cases = [
        (Identity::self_signed("localhost"), "self-signed and not among the trusted ones"),
        (foreign.issue("localhost", |_| {}), "an unknown authority (CN=Foreign CA)"),
        (ours.issue("siem.example", |_| {}), "is for siem.example, not for localhost"),
        (
            ours.issue("localhost", |params| params.not_after = date_time_ymd(2020, 1, 1)),
            "expired at 2020-01-01T00:00:00Z",
        ),
        (
            ours.issue("localhost", |params| params.not_before = date_time_ymd(2090, 1, 1)),
            "not valid before 2090-01-01T00:00:00Z",
        ),
        (
            ours.issue("localhost", |params| {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            }),
            "is not for servers",
        ),
    ];
    let transport = transport(Some(ours.roots()));
    for (identity, words) in cases {
        let siem = Siem::start(&identity, &[]).await;
        let message = tls_failure(transport.post(outgoing(&siem.url())).await);
        assert!(message.starts_with("tls: the certificate"), "{message}");
        assert!(message.contains(words), "{message}, not {words}");
        assert_eq!(siem.requests(), 0);
        let skipping = Outgoing { tls: TlsPolicy::SkipVerification, ..outgoing(&siem.url()) };
        assert_eq!(transport.post(skipping).await, answered(200, "HTTP/1.1 body"), "{words}");
    }
}

#[tokio::test]
async fn a_receiver_that_wants_our_certificate_gets_it() {
    let (ours, clients) = (Authority::new("ours"), Authority::new("clients"));
    let siem = Siem::asking(&ours.issue("localhost", |_| {}), &clients).await;
    let as_client = |identity: &Identity| {
        let tls = TlsFiles {
            extra_roots: Some(ours.roots()),
            client_certificate: Some(identity.certificate_file.path().to_owned()),
            client_key: Some(identity.key_file.path().to_owned()),
        };
        Transport::new(TransportConfig { tls, ..config(None) }).unwrap()
    };
    let good = as_client(&clients.issue("sender", |_| {}));
    assert_eq!(good.post(outgoing(&siem.url())).await, answered(200, "HTTP/1.1 body"));

    let none = transport(Some(ours.roots())).post(outgoing(&siem.url())).await;
    assert!(tls_failure(none).contains("wants a client certificate"));
    let other = as_client(&ours.issue("sender", |_| {})).post(outgoing(&siem.url())).await;
    assert!(tls_failure(other).contains("does not accept our client certificate"));
    assert_eq!(siem.requests(), 1);
}

/// What a server that only speaks what is no longer safe, and one that speaks no TLS, send.
#[tokio::test]
async fn handshakes_that_can_not_succeed_are_told_in_words() {
    let cases: [(&[u8], &str); 4] = [
        (b"\x15\x03\x01\x00\x02\x02\x46", "tls: no protocol version in common"),
        (b"\x15\x03\x03\x00\x02\x02\x28", "tls: the receiver broke the handshake off"),
        (b"\x15\x03\x03\x00\x02\x02\x70", "tls: the receiver does not know this host name"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "tls: the receiver does not speak TLS"),
    ];
    for (bytes, words) in cases {
        let message = tls_failure(transport(None).post(outgoing(&raw(bytes).await)).await);
        assert!(message.starts_with(words), "{message}, not {words}");
    }
    let closed = transport(None).post(outgoing(&raw(b"").await)).await;
    let message = "no connection: closed by the receiver during the TLS handshake".to_owned();
    assert_eq!(closed, Outcome::Failed { kind: FailureKind::Connect, message });
}

#[tokio::test]
async fn a_handshake_that_hangs_ends_at_the_deadline() {
    let silent = Receiver::silent().await;
    let url = silent.url().replace("http://", "https://");
    let request = Outgoing { deadline: Duration::from_millis(300), ..outgoing(&url) };
    let outcome = transport(None).post(request).await;
    assert!(matches!(outcome, Outcome::Failed { kind: FailureKind::Timeout, .. }), "{outcome:?}");
}

#[tokio::test]
async fn files_that_are_not_in_order_are_refused_by_name() {
    let empty = NamedTempFile::new().unwrap();
    for path in [empty.path().to_owned(), "/nonexistent/roots.pem".into()] {
        let error = Transport::new(config(Some(path.clone()))).unwrap_err();
        assert!(error.to_string().starts_with(&path.display().to_string()), "{error}");
    }
    let (one, other) = (Identity::self_signed("one"), Identity::self_signed("other"));
    let mixed = TlsFiles {
        extra_roots: None,
        client_certificate: Some(one.certificate_file.path().to_owned()),
        client_key: Some(other.key_file.path().to_owned()),
    };
    assert!(Transport::new(TransportConfig { tls: mixed, ..config(None) }).is_err());
}

#[tokio::test]
async fn organizations_share_no_connection_and_no_session() {
    let authority = Authority::new("ours");
    let siem = Siem::start(&authority.issue("localhost", |_| {}), &[b"h2"]).await;
    let transport = transport(Some(authority.roots()));
    let (one, other) = (outgoing(&siem.url()), outgoing(&siem.url()));
    for _ in 0..3 {
        for request in [&one, &other] {
            let outcome = transport.post(request.clone()).await;
            assert_eq!(outcome, answered(200, "HTTP/2.0 body"));
        }
    }
    assert_eq!((siem.requests(), siem.connections()), (6, 2), "one each");
}

/// A server that reads a little, says the bytes and closes; its URL.
async fn raw(bytes: &[u8]) -> String {
    let bytes = bytes.to_vec();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
    });
    format!("https://{address}/")
}

fn tls_failure(outcome: Outcome) -> String {
    match outcome {
        Outcome::Failed { kind: FailureKind::Tls, message } => message,
        other => panic!("{other:?}"),
    }
}
