//! Receivers that speak HTTP/2 and break it off, frame by frame (RFC 9113).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use auditrelay_webhook_sender::transport::Outgoing;
use auditrelay_webhook_sender_core::outcome::{FailureKind, Outcome};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::siem::{Authority, server_config};
use super::{answered, outgoing, transport};

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;
/// `:status: 200`, as HPACK's table of usual fields has it.
const OK: u8 = 0x88;

#[tokio::test]
async fn a_stream_that_is_refused_or_reset_failed_and_the_connection_serves_the_next() {
    let (refused, internal) = (7_u32, 2_u32);
    for reason in [refused, internal] {
        let receiver = Receiver::start(move |request, stream| match request {
            1 => frame(RST_STREAM, 0, stream, &reason.to_be_bytes()),
            _ => frame(HEADERS, END_STREAM | END_HEADERS, stream, &[OK]),
        });
        let receiver = receiver.await;
        let (transport, request) = (transport(Some(receiver.roots())), outgoing(&receiver.url));
        failed_by_protocol(&transport.post(request.clone()).await);
        assert_eq!(transport.post(request).await, answered(200, ""), "{reason}");
        assert_eq!(receiver.connections.load(Ordering::SeqCst), 1, "{reason}");
    }
}

#[tokio::test]
async fn after_a_goaway_the_next_request_goes_on_another_connection() {
    let receiver = Receiver::start(|request, stream| match request {
        // No stream was looked at, no error.
        1 => frame(GOAWAY, 0, 0, &[0; 8]),
        _ => frame(HEADERS, END_STREAM | END_HEADERS, stream, &[OK]),
    })
    .await;
    let (transport, request) = (transport(Some(receiver.roots())), outgoing(&receiver.url));
    failed_by_protocol(&transport.post(request.clone()).await);
    assert_eq!(transport.post(request).await, answered(200, ""));
    assert_eq!(receiver.connections.load(Ordering::SeqCst), 2);
}

/// A field of 4,000 bytes is put into the table once and then named ten thousand times: 40 MB of
/// fields in 14 kB.
#[tokio::test]
async fn a_bomb_of_compressed_fields_is_no_answer() {
    let receiver = Receiver::start(|_, stream| {
        let (literal, name, long_length) = (0x40, [1, b'a'], [0x7f, 0xa1, 0x1e]);
        let mut block = vec![OK, literal];
        block.extend(name);
        block.extend(long_length);
        block.extend([b'x'; 4_000]);
        block.extend([0xbe; 10_000]);
        frame(HEADERS, END_STREAM | END_HEADERS, stream, &block)
    })
    .await;
    let outcome = transport(Some(receiver.roots())).post(outgoing(&receiver.url)).await;
    failed_by_protocol(&outcome);
}

/// Here they are not counted, and none is kept: the deadline ends them.
#[tokio::test]
async fn interim_heads_are_passed_over_until_the_deadline() {
    let interim = [&[0x08, 3], &b"103"[..]].concat();
    for (count, answers) in [(20, true), (1_000, false)] {
        let interim = interim.clone();
        let receiver = Receiver::start(move |_, stream| {
            let mut frames = frame(HEADERS, END_HEADERS, stream, &interim).repeat(count);
            if answers {
                frames.extend(frame(HEADERS, END_STREAM | END_HEADERS, stream, &[OK]));
            }
            frames
        })
        .await;
        let deadline = Duration::from_secs(if answers { 15 } else { 1 });
        let request = Outgoing { deadline, ..outgoing(&receiver.url) };
        let outcome = transport(Some(receiver.roots())).post(request).await;
        if answers {
            assert_eq!(outcome, answered(200, ""));
        } else {
            let timed_out = matches!(outcome, Outcome::Failed { kind: FailureKind::Timeout, .. });
            assert!(timed_out, "{outcome:?}");
        }
    }
}

#[tokio::test]
async fn what_is_no_frame_is_no_answer() {
    let receiver = Receiver::start(|_, stream| frame(HEADERS, END_HEADERS, stream, &[0xff; 9]));
    let receiver = receiver.await;
    let outcome = transport(Some(receiver.roots())).post(outgoing(&receiver.url)).await;
    failed_by_protocol(&outcome);
}

fn failed_by_protocol(outcome: &Outcome) {
    assert!(matches!(outcome, Outcome::Failed { kind: FailureKind::Protocol, .. }), "{outcome:?}");
}

/// Says what its script says for each request: the how manieth it is, and its stream.
struct Receiver {
    url: String,
    authority: Authority,
    connections: Arc<AtomicUsize>,
}

impl Receiver {
    async fn start(script: impl Fn(usize, u32) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let authority = Authority::new("ours");
        let config = server_config(&authority.issue("localhost", |_| {}), None, &[b"h2"]);
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
        let (connections, requests) = (Arc::<AtomicUsize>::default(), AtomicUsize::default());
        let counted = Arc::clone(&connections);
        let shared = Arc::new((script, requests));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
                tokio::spawn(async move {
                    let (script, requests) = &*shared;
                    let stream = acceptor.accept(stream).await.unwrap();
                    let answer =
                        |stream| script(requests.fetch_add(1, Ordering::SeqCst) + 1, stream);
                    // Until the sender has had enough.
                    let _ = serve(stream, answer).await;
                });
            }
        });
        Self { url, authority, connections }
    }

    fn roots(&self) -> std::path::PathBuf {
        self.authority.roots()
    }
}

async fn serve(
    mut stream: TlsStream<TcpStream>,
    answer: impl Fn(u32) -> Vec<u8>,
) -> std::io::Result<()> {
    stream.read_exact(&mut [0; 24]).await?;
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        stream.read_exact(&mut vec![0; usize::try_from(length).unwrap()]).await?;
        let (kind, flags) = (head[3], head[4]);
        if kind == SETTINGS && flags & ACK == 0 {
            stream.write_all(&frame(SETTINGS, ACK, 0, &[])).await?;
        } else if kind == HEADERS {
            stream.write_all(&answer(id)).await?;
            stream.flush().await?;
        }
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}
