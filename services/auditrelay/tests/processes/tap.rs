//! A server that keeps every byte it is sent, and answers with what it was told in confidence.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A running one; it ends with the test's process.
pub(crate) struct Tap {
    pub(crate) address: SocketAddr,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Tap {
    /// Starts one that answers with this status and the request's `Authorization` as its body.
    pub(crate) fn start(status: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::<Mutex<Vec<u8>>>::default();
        let kept = Arc::clone(&heard);
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || serve(stream, status, &kept));
            }
        });
        Self { address, heard }
    }

    /// Everything it was sent.
    pub(crate) fn heard(&self) -> Vec<u8> {
        self.heard.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, status: &str, kept: &Mutex<Vec<u8>>) {
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let Some(request) = whole(&mut stream) else { return };
    let head = String::from_utf8_lossy(&request).into_owned();
    let said = value(&head, "authorization").unwrap_or_default();
    kept.lock().unwrap().extend(request);
    let length = said.len();
    let answer =
        format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{said}");
    // Who does not want to hear it has gone.
    let _gone = stream.write_all(answer.as_bytes());
}

/// A request with its body; none when the other side goes before.
fn whole(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let (mut request, mut piece) = (Vec::new(), [0; 4_096]);
    loop {
        if let Some(end) = request.windows(4).position(|part| part == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&request[..end]).into_owned();
            let length: usize =
                value(&head, "content-length").map_or(0, |text| text.parse().unwrap());
            if request.len() >= end + 4 + length {
                return Some(request);
            }
        }
        let read = stream.read(&mut piece).ok().filter(|read| *read > 0)?;
        request.extend_from_slice(&piece[..read]);
    }
}

fn value(head: &str, name: &str) -> Option<String> {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    let mut found = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
    found.next().map(|(_, value)| value.to_owned())
}
