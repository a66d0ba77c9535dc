//! A receiver that answers every request with the same bytes, whatever they are.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

#[derive(Clone)]
pub(crate) enum Manner {
    /// Answers, and closes when the answer is no complete response.
    Answer(Vec<u8>),
    /// Answers, then a byte of the answer now and then.
    Drip(Vec<u8>),
    /// Reads the request and resets the connection.
    Reset,
    /// Never answers.
    Silence,
}

pub(crate) struct Receiver {
    address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
pub(crate) struct Seen {
    connections: AtomicUsize,
    requests: Mutex<Vec<String>>,
}

impl Receiver {
    pub(crate) async fn answering(answer: &str) -> Self {
        Self::start(Manner::Answer(answer.as_bytes().to_vec())).await
    }

    pub(crate) async fn dripping(answer: &str) -> Self {
        Self::start(Manner::Drip(answer.as_bytes().to_vec())).await
    }

    pub(crate) async fn resetting() -> Self {
        Self::start(Manner::Reset).await
    }

    pub(crate) async fn silent() -> Self {
        Self::start(Manner::Silence).await
    }

    async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let shared = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, manner.clone(), Arc::clone(&shared)));
            }
        });
        Self { address, seen }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen.requests.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, manner: Manner, seen: Arc<Seen>) {
    while let Some(request) = read_request(&mut stream).await {
        seen.requests.lock().unwrap().push(request);
        match &manner {
            Manner::Answer(answer) => {
                let _ = stream.write_all(answer).await;
                if !answer.ends_with(b"content-length: 0\r\n\r\n") || closes(answer) {
                    return;
                }
            }
            Manner::Drip(answer) => {
                while stream.write_all(answer).await.is_ok() {
                    sleep(Duration::from_millis(50)).await;
                }
                return;
            }
            Manner::Reset => {
                let _ = stream.set_zero_linger();
                return;
            }
            Manner::Silence => std::future::pending().await,
        }
    }
}

fn closes(answer: &[u8]) -> bool {
    String::from_utf8_lossy(answer).contains("connection: close")
}

/// Head and body as they came; none at the end of the connection.
pub(crate) async fn read_request<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.split("content-length: ").nth(1)?.lines().next()?.parse().ok()?;
            if body.len() >= length {
                return Some(String::from_utf8_lossy(&bytes).into_owned());
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}
