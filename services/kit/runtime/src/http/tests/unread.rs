//! Answers that nobody reads, or somebody slowly.

use std::sync::{Arc, Weak};

use bytes::Bytes;

use super::*;

const UNREAD: Duration = Duration::from_millis(500);
const LENGTH: usize = 16 * 1_024 * 1_024;

/// A large answer, and who still holds it.
struct Large(Arc<Vec<u8>>);

impl AsRef<[u8]> for Large {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// A server that answers the first request for `/large` with what is weakly held here.
async fn start() -> (SocketAddr, Weak<Vec<u8>>, Drain) {
    let large = Arc::new(vec![b'x'; LENGTH]);
    let held = Arc::downgrade(&large);
    let bytes = std::sync::Mutex::new(Some(Bytes::from_owner(Large(large))));
    let bytes = Arc::new(bytes);
    let large = get(move || std::future::ready(bytes.lock().unwrap().take().unwrap_or_default()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let drain = Drain::new();
    let bounds = Bounds { connections: 2, unread: UNREAD };
    let router = layer(Router::new().route("/large", large), "test");
    drain.spawn("http", serve_within(bounds, listener, router, drain.clone()));
    (address, held, drain)
}

/// How long it takes until nobody holds the answer.
async fn let_go(held: &Weak<Vec<u8>>) -> Duration {
    let begun = tokio::time::Instant::now();
    let gone = async {
        while held.strong_count() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(GRACE, gone).await.unwrap();
    begun.elapsed()
}

#[tokio::test]
async fn an_answer_that_nobody_reads_is_let_go() {
    let (address, held, _drain) = start().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    stream.read_exact(&mut [0; 12]).await.unwrap();
    assert!(let_go(&held).await >= UNREAD / 2);
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert!(rest.len() < LENGTH, "the connection is closed before the end");
}

#[tokio::test]
async fn an_answer_that_is_read_a_byte_at_a_time_is_let_go() {
    let (address, held, _drain) = start().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let trickle = tokio::spawn(async move {
        while stream.read_exact(&mut [0; 1]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let_go(&held).await;
    trickle.abort();
}

#[tokio::test]
async fn an_answer_over_http2_whose_window_stays_shut_is_let_go() {
    let (address, held, _drain) = start().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    // SETTINGS_INITIAL_WINDOW_SIZE: 0; then a request for `/large`.
    let mut said = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\0\0".to_vec();
    said.extend(b"\0\0\x0d\x01\x05\0\0\0\x01\x82\x86\x41\x01a\x04\x06/large");
    stream.write_all(&said).await.unwrap();
    let mut heard = [0; 1_024];
    assert!(stream.read(&mut heard).await.unwrap() > 0);
    assert!(let_go(&held).await >= UNREAD / 2);
}

#[tokio::test]
async fn an_answer_that_is_read_slowly_comes_whole() {
    let (address, held, _drain) = start().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let (begun, mut read) = (tokio::time::Instant::now(), 0);
    let mut part = vec![0; 512 * 1_024];
    loop {
        match stream.read(&mut part).await.unwrap() {
            0 => break,
            more => read += more,
        }
        tokio::time::sleep(UNREAD / 10).await;
    }
    assert!(read > LENGTH && begun.elapsed() > UNREAD * 2, "{read} in {:?}", begun.elapsed());
    let_go(&held).await;
}
