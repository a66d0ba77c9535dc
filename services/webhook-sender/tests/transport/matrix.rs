//! What receivers do in the middle of an exchange.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use auditrelay_webhook_sender::transport::{Outgoing, Transport, TransportConfig};
use auditrelay_webhook_sender_core::outcome::{FailureKind, Outcome};
use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::receiver::{Receiver, read_request};
use super::{EMPTY, answered, config, outgoing, transport};

/// Cut off at each byte of the answer, by a reset or by an orderly end: before the head is whole it
/// failed, from then on it is delivered.
#[tokio::test]
async fn an_answer_that_breaks_off_counts_once_its_head_is_whole() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc";
    let head = answer.find("\r\n\r\n").unwrap() + 4;
    for reset in [false, true] {
        for at in 0..=answer.len() {
            let url = cutting(&answer[..at], reset).await;
            let outcome = transport(None).post(outgoing(&url)).await;
            match &outcome {
                Outcome::Answered { status: 200, .. } => assert!(at >= head, "{at} {reset}"),
                Outcome::Failed { kind: FailureKind::Protocol, .. } => {
                    // A reset may overtake what was said before it.
                    assert!(at < head || reset, "{at} {reset}: {outcome:?}");
                }
                other => panic!("{at} {reset}: {other:?}"),
            }
        }
    }
}

/// Answers this much and ends the connection; its URL.
async fn cutting(answer: &str, reset: bool) -> String {
    let answer = answer.to_owned();
    serving(move |mut stream, _| {
        let answer = answer.clone();
        async move {
            read_request(&mut stream).await;
            let _ = stream.write_all(answer.as_bytes()).await;
            if reset {
                let _ = stream.set_zero_linger();
            }
        }
    })
    .await
}

/// A receiver that treats each connection, which it counts, this way.
async fn serving<F>(treat: impl Fn(TcpStream, usize) -> F + Send + Sync + 'static) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut count = 0;
        while let Ok((stream, _)) = listener.accept().await {
            count += 1;
            tokio::spawn(treat(stream, count));
        }
    });
    format!("http://{address}/")
}

#[tokio::test]
async fn a_receiver_that_takes_no_connection_is_given_up_in_time() {
    // Nobody accepts, and there is no room to wait in: further calls are not answered at all.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(Ok(stream)) =
        tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address)).await
    {
        waiting.push(stream);
    }
    let config = TransportConfig { connect_wait: Duration::from_millis(300), ..config(None) };
    let transport = Transport::new(config).unwrap();
    let outcome = transport.post(outgoing(&format!("http://{address}/"))).await;
    let message = "no connection: timed out".to_owned();
    assert_eq!(outcome, Outcome::Failed { kind: FailureKind::Connect, message });
}

#[tokio::test]
async fn what_comes_after_an_answer_is_not_taken_for_the_next_one() {
    let smuggled = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    let both = format!("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n{smuggled}{smuggled}");
    let ambiguous = format!(
        "HTTP/1.1 500 No\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"
    );
    for answer in [both, ambiguous] {
        let url = serving(move |mut stream, _| {
            let answer = answer.clone();
            async move {
                while read_request(&mut stream).await.is_some() {
                    let _ = stream.write_all(answer.as_bytes()).await;
                }
            }
        })
        .await;
        let (transport, request) = (transport(None), outgoing(&url));
        for _ in 0..3 {
            let outcome = transport.post(request.clone()).await;
            let refused = matches!(
                outcome,
                Outcome::Answered { status: 500, .. }
                    | Outcome::Failed { kind: FailureKind::Protocol, .. }
            );
            assert!(refused, "{outcome:?}");
        }
    }
}

#[tokio::test]
async fn a_connection_that_the_receiver_closed_while_idle_is_replaced_unnoticed() {
    let url = serving(|mut stream, _| async move {
        read_request(&mut stream).await;
        let _ = stream.write_all(EMPTY.as_bytes()).await;
    })
    .await;
    let (transport, request) = (transport(None), outgoing(&url));
    for _ in 0..5 {
        assert_eq!(transport.post(request.clone()).await, answered(200, ""));
    }
}

/// A proxy on the way that forgot an idle connection: one attempt is lost, the next is fresh.
#[tokio::test]
async fn a_connection_that_swallows_everything_costs_one_attempt() {
    let seen = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&seen);
    let url = serving(move |mut stream, connection| {
        let counted = Arc::clone(&counted);
        async move {
            while read_request(&mut stream).await.is_some() {
                let request = counted.fetch_add(1, Ordering::SeqCst);
                if connection == 1 && request > 0 {
                    std::future::pending::<()>().await;
                }
                let _ = stream.write_all(EMPTY.as_bytes()).await;
            }
        }
    })
    .await;
    let request = Outgoing { deadline: Duration::from_millis(500), ..outgoing(&url) };
    let transport = transport(None);
    assert_eq!(transport.post(request.clone()).await, answered(200, ""));
    let lost = transport.post(request.clone()).await;
    assert!(matches!(lost, Outcome::Failed { kind: FailureKind::Timeout, .. }), "{lost:?}");
    assert_eq!(transport.post(request).await, answered(200, ""));
}

#[tokio::test]
async fn a_2xx_that_comes_too_late_is_none() {
    for (after, in_time) in [(100, true), (900, false)] {
        let url = serving(move |mut stream, _| async move {
            read_request(&mut stream).await;
            tokio::time::sleep(Duration::from_millis(after)).await;
            let _ = stream.write_all(EMPTY.as_bytes()).await;
        })
        .await;
        let request = Outgoing { deadline: Duration::from_millis(500), ..outgoing(&url) };
        let outcome = transport(None).post(request).await;
        assert_eq!(outcome == answered(200, ""), in_time, "{outcome:?}");
    }
}

/// The answer counts only when the whole request was taken.
#[tokio::test]
async fn a_receiver_that_answers_before_it_has_read_everything_ends_the_exchange() {
    let url = serving(|mut stream, _| async move {
        let _ = stream.read(&mut [0; 64]).await;
        let _ = stream.write_all(b"HTTP/1.1 413 Large\r\ncontent-length: 0\r\n\r\n").await;
        let _ = stream.shutdown().await;
    })
    .await;
    let body = Bytes::from(vec![b'x'; 8 << 20]);
    let outcome = transport(None).post(Outgoing { body, ..outgoing(&url) }).await;
    let ended = matches!(
        outcome,
        Outcome::Answered { status: 413, .. } | Outcome::Failed { kind: FailureKind::Protocol, .. }
    );
    assert!(ended, "{outcome:?}");
}

#[tokio::test]
async fn what_a_receiver_says_to_browsers_is_not_listened_to() {
    let said = "HTTP/1.1 200 OK\r\nset-cookie: a=b\r\nalt-svc: h2=\":1\"\r\nrefresh: 0;url=/x\r\n\
                www-authenticate: Basic\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n";
    let receiver = Receiver::answering(said).await;
    let (transport, request) = (transport(None), outgoing(&receiver.url()));
    for _ in 0..2 {
        assert_eq!(transport.post(request.clone()).await, answered(200, ""));
    }
    let requests = receiver.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests.iter().all(|one| !one.to_lowercase().contains("cookie")), "{requests:?}");
}

#[tokio::test]
async fn after_some_interim_heads_an_answer_counts_and_after_many_it_does_not() {
    let interim = "HTTP/1.1 102 Processing\r\n\r\n";
    for (count, counts) in [(16, true), (17, false), (1_000, false)] {
        let receiver = Receiver::answering(&(interim.repeat(count) + EMPTY)).await;
        let message = "more than 16 interim heads".to_owned();
        let none = Outcome::Failed { kind: FailureKind::Protocol, message };
        let expected = if counts { answered(200, "") } else { none };
        assert_eq!(transport(None).post(outgoing(&receiver.url())).await, expected, "{count}");
    }
}

/// Whether such a head is taken or not: it is judged, and what follows is not confused by it.
#[tokio::test]
async fn heads_that_are_nearly_right_are_answers_or_none() {
    let heads = [
        "HTTP/1.1 200 OK\ncontent-length: 0\n\n",
        "HTTP/1.1 200 OK\r\na name: b\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\na: b\r\n c\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: b\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 1000 OK\r\n\r\n",
        "HTTP/1.1 020 OK\r\n\r\n",
        "HTTP/1.1 200 \u{e4}\u{1b}[2J\r\ncontent-length: 0\r\n\r\n",
        "\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    ];
    for head in heads {
        let outcome = transport(None).post(outgoing(&Receiver::answering(head).await.url())).await;
        let judged = matches!(
            outcome,
            Outcome::Answered { status: 200, .. }
                | Outcome::Failed { kind: FailureKind::Protocol, .. }
        );
        assert!(judged, "{head:?}: {outcome:?}");
    }
}
