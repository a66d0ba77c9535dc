//! What a test delivery sees.

use std::time::Duration;

use auditrelay_model::destination::TlsPolicy;
use auditrelay_model::test_delivery::{Seen, TestPhase};
use auditrelay_webhook_sender::transport::Outgoing;

use super::receiver::Receiver;
use super::siem::{Authority, Identity, Siem};
use super::{EMPTY, outgoing, transport};

#[tokio::test]
async fn every_step_of_a_delivery_is_told() {
    let authority = Authority::new("ours");
    let identity = authority.issue("localhost", |_| {});
    let siem = Siem::start(&identity, &[b"h2", b"http/1.1"]).await;
    let seen = transport(Some(authority.roots())).probe(outgoing(&siem.url())).await;
    assert_eq!(seen.failure, None);
    let lookup = seen.lookup.unwrap();
    assert!(lookup.addresses.contains(&"127.0.0.1".parse().unwrap()), "{lookup:?}");
    assert!(seen.connection.unwrap().address.ip().is_loopback());
    let tls = seen.tls.unwrap();
    assert_eq!((tls.version.as_str(), tls.application_protocol.as_str()), ("TLSv1.3", "h2"));
    assert!(tls.cipher_suite.starts_with("TLS13_"), "{tls:?}");
    assert_eq!((tls.checked, tls.distrust), (true, None));
    assert_eq!(tls.chain.len(), 1);
    let own = &tls.chain[0];
    assert_eq!((own.subject.as_str(), own.issuer.as_str()), ("CN=a siem", "CN=ours"));
    assert_eq!(own.names, ["localhost"]);
    let answer = seen.answer.unwrap();
    let expected = ("HTTP/2.0", 200, "HTTP/2.0 body");
    assert_eq!((answer.version.as_str(), answer.status, answer.message.as_str()), expected);
}

#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_told_whether_it_is_checked_or_not() {
    let siem = Siem::start(&Identity::self_signed("localhost"), &[]).await;
    let checked = transport(None).probe(outgoing(&siem.url())).await;
    let failure = checked.failure.as_ref().unwrap();
    assert_eq!(failure.phase, TestPhase::Tls);
    assert!(failure.reason.contains("self-signed"), "{failure:?}");
    assert_eq!(siem.requests(), 0);
    let skipping = Outgoing { tls: TlsPolicy::SkipVerification, ..outgoing(&siem.url()) };
    let skipped = transport(None).probe(skipping).await;
    assert_eq!(skipped.failure, None);
    for seen in [checked, skipped] {
        let tls = seen.tls.unwrap();
        assert!(tls.distrust.unwrap().contains("self-signed"));
        assert_eq!(tls.chain[0].names, ["localhost"]);
    }
}

#[tokio::test]
async fn a_test_ends_where_the_receiver_fails() {
    let secret = "HTTP/1.1 401 No\r\ncontent-length: 26\r\n\r\nnot Bearer s3cr3t-token, sir";
    let cases = [
        ("ftp://siem.test/".to_owned(), TestPhase::Endpoint),
        ("http://nobody.invalid/".to_owned(), TestPhase::Lookup),
        ("http://127.0.0.1:1/".to_owned(), TestPhase::Connect),
        (Receiver::answering("SSH-2.0-x\r\n").await.url(), TestPhase::Http),
        (Receiver::resetting().await.url(), TestPhase::Http),
        (Receiver::answering(secret).await.url(), TestPhase::Http),
    ];
    for (url, phase) in cases {
        let seen = transport(None).probe(outgoing(&url)).await;
        assert_eq!(seen.failure.as_ref().map(|failure| failure.phase), Some(phase), "{seen:?}");
        assert!(!format!("{seen:?}").contains("s3cr3t-token"), "{seen:?}");
    }
}

#[tokio::test]
async fn silence_is_told_with_the_step_it_came_at() {
    let silent = Receiver::silent().await;
    for (scheme, phase) in [("http", TestPhase::Http), ("https", TestPhase::Tls)] {
        let url = silent.url().replace("http", scheme);
        let request = Outgoing { deadline: Duration::from_millis(300), ..outgoing(&url) };
        let Seen { connection, failure, .. } = transport(None).probe(request).await;
        assert!(connection.is_some());
        assert_eq!(failure.map(|failure| failure.phase), Some(phase), "{scheme}");
    }
}

#[tokio::test]
async fn a_test_is_one_request_on_a_connection_of_its_own() {
    let receiver = Receiver::answering(EMPTY).await;
    let transport = transport(None);
    for _ in 0..2 {
        assert_eq!(transport.probe(outgoing(&receiver.url())).await.failure, None);
    }
    assert_eq!((receiver.connections(), receiver.requests().len()), (2, 2));
    let head = receiver.requests().remove(0).to_lowercase();
    assert!(head.starts_with("post / http/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("\r\nhost: 127.0.0.1:{}", receiver.port())), "{head}");
    assert!(head.contains("\r\ncontent-length: 4"), "{head}");
}
