//! What receivers answer.

use std::net::SocketAddr;
use std::sync::LazyLock;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use auditrelay_model::Timestamp;
use auditrelay_model::destination::TlsPolicy;
use auditrelay_model::id::OrgId;
use auditrelay_webhook_sender::transport::{Outgoing, TlsFiles, Transport, TransportConfig};
use auditrelay_webhook_sender_core::judge::{Verdict, judge};
use auditrelay_webhook_sender_core::outcome::Outcome;
use bytes::Bytes;
use http::HeaderMap;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::{NOW, text};

/// Of an answer, this much is shown.
const SHOWN: usize = 1_024;

/// Times as they are written, and how long a receiver wants to be left alone.
pub(crate) fn times(data: &[u8]) {
    let text = text(data);
    if let Ok(time) = Timestamp::parse_rfc3339(&text) {
        assert_eq!(Timestamp::parse_rfc3339(&time.to_string()), Ok(time), "{text}");
    }
    let message = String::new();
    let asked = Outcome::Answered { status: 503, retry_after: Some(text.clone()), message };
    let Verdict::Retry { after } = judge(&asked, NOW) else { panic!("503 is tried again") };
    assert!(after.is_none_or(|after| after <= Duration::from_hours(1)), "{text}: {after:?}");
}

/// The bytes of an answer, from a real connection to a verdict.
pub(crate) fn answer(data: &[u8]) {
    static WORLD: LazyLock<World> = LazyLock::new(World::start);
    let outcome = WORLD.outcome(data);
    let verdict = judge(&outcome, NOW);
    let said = match &outcome {
        Outcome::Answered { status, message, .. } => {
            assert_eq!(verdict == Verdict::Delivered, (200..300).contains(status), "{outcome:?}");
            let said = text(data);
            assert!(said.contains("\n\r\n") || said.contains("\n\n"), "no head ends: {outcome:?}");
            message
        }
        Outcome::Failed { message, .. } => {
            assert!(matches!(verdict, Verdict::Retry { .. } | Verdict::Hold { .. }), "{outcome:?}");
            message
        }
    };
    assert!(said.len() <= SHOWN && !said.contains(char::is_control), "{said:?}");
}

/// A receiver on this machine that answers what it is told, and somebody who asks it.
struct World {
    runtime: Runtime,
    transport: Transport,
    address: SocketAddr,
    next: Arc<Mutex<Bytes>>,
}

impl World {
    fn start() -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let next = Arc::new(Mutex::new(Bytes::new()));
        let answers = Arc::clone(&next);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let answer = answers.lock().unwrap_or_else(PoisonError::into_inner).clone();
                tokio::spawn(serve(stream, answer));
            }
        });
        let config = TransportConfig {
            policy: "127.0.0.0/8".parse().expect("a network"),
            allow_http: true,
            tls: TlsFiles::default(),
            connect_wait: Duration::from_secs(5),
        };
        let transport = runtime.block_on(async { Transport::new(config) }).expect("a transport");
        Self { runtime, transport, address, next }
    }

    fn outcome(&self, answer: &[u8]) -> Outcome {
        let answer = Bytes::copy_from_slice(answer);
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = answer;
        let request = Outgoing {
            org: OrgId::from_uuid(Uuid::from_u128(7)),
            url: format!("http://{}/", self.address),
            tls: TlsPolicy::Verify,
            headers: HeaderMap::new(),
            body: Bytes::from_static(b"body"),
            deadline: Duration::from_secs(10),
        };
        self.runtime.block_on(self.transport.post(request))
    }
}

/// Reads the request's head and body, answers, and ends the connection.
async fn serve(mut stream: TcpStream, answer: Bytes) {
    let mut heard = Vec::new();
    while !heard.ends_with(b"body") {
        if stream.read_buf(&mut heard).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let _ = stream.write_all(&answer).await;
    let _ = stream.shutdown().await;
}
