//! A SIEM on this machine: takes deliveries, checks them and keeps a ledger of what it holds.
//!
//! Cast: a `request` is unpacked (gzip, lines) without any I/O; [`Keys`] verify each line;
//! the `Store` has the lines on disk before the answer goes out; the [`Ledger`] counts by event
//! id. What it answers can be changed while it runs ([`Receiver::require`], [`Receiver::answer`]),
//! so that a scenario can break and mend it.

mod keys;
mod ledger;
mod request;
mod store;

pub(crate) use self::request::event_id;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::{HeaderMap, StatusCode, header};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) use self::keys::{Keys, Signature};
pub(crate) use self::ledger::{Ledger, Receipt};
use self::request::Refused;
use self::store::Store;
use crate::output;

/// Most bytes of a body, on the wire and again unpacked.
const BODY_MAX: usize = 1024 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// How a receiver behaves.
#[derive(Debug)]
pub(crate) struct ReceiverOptions {
    /// The one path that exists.
    pub(crate) path: String,
    /// The `Authorization` a request must carry; none takes every request.
    pub(crate) authorization: Option<String>,
    /// Answered to every request that is in order; other than `2xx` nothing is taken.
    pub(crate) status: StatusCode,
    /// Checks signatures; none leaves them unchecked.
    pub(crate) keys: Option<Keys>,
    /// Takes the lines before the answer goes out.
    pub(crate) store: Option<PathBuf>,
    /// Takes the manifest of each request whose lines are stored.
    pub(crate) manifests: Option<PathBuf>,
    /// Whether each line is printed.
    pub(crate) echo: bool,
    /// How long it thinks before it answers.
    pub(crate) latency: Duration,
}

impl Default for ReceiverOptions {
    fn default() -> Self {
        Self {
            path: "/audit-logs".to_owned(),
            authorization: None,
            status: StatusCode::ACCEPTED,
            keys: None,
            store: None,
            manifests: None,
            echo: false,
            latency: Duration::ZERO,
        }
    }
}

/// A running receiver.
#[derive(Debug)]
pub(crate) struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
    server: JoinHandle<io::Result<()>>,
}

#[derive(Debug)]
struct Shared {
    path: String,
    script: Mutex<Script>,
    keys: Option<Keys>,
    store: Option<Store>,
    manifests: Option<Store>,
    echo: bool,
    latency: Duration,
    ledger: Mutex<Ledger>,
}

/// What can change while the receiver runs.
#[derive(Debug, Clone)]
struct Script {
    authorization: Option<String>,
    status: StatusCode,
}

impl Receiver {
    /// Opens the store and listens; the port may be 0.
    pub(crate) async fn start(listen: SocketAddr, options: ReceiverOptions) -> io::Result<Self> {
        let store = options.store.as_deref().map(Store::open).transpose()?;
        let manifests = options.manifests.as_deref().map(Store::open).transpose()?;
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            path: options.path,
            script: Mutex::new(Script {
                authorization: options.authorization,
                status: options.status,
            }),
            keys: options.keys,
            store,
            manifests,
            echo: options.echo,
            latency: options.latency,
            ledger: Mutex::default(),
        });
        let router = Router::new().route(&shared.path, post(receive)).with_state(shared.clone());
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let server = tokio::spawn(async move {
            axum::serve(listener, router).with_graceful_shutdown(stopped).await
        });
        Ok(Self { address, shared, stop, server })
    }

    /// Where deliveries go.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}{}", self.address, self.shared.path)
    }

    /// Requires another `Authorization` from now on.
    #[cfg(test)]
    pub(crate) fn require(&self, authorization: Option<String>) {
        lock(&self.shared.script).authorization = authorization;
    }

    /// Answers with another status from now on.
    #[cfg(test)]
    pub(crate) fn answer(&self, status: StatusCode) {
        lock(&self.shared.script).status = status;
    }

    /// What it holds now.
    #[cfg(test)]
    pub(crate) fn ledger(&self) -> Ledger {
        lock(&self.shared.ledger).clone()
    }

    /// Looks at what it holds without copying it.
    pub(crate) fn with_ledger<T>(&self, look: impl FnOnce(&Ledger) -> T) -> T {
        look(&lock(&self.shared.ledger))
    }

    /// Stops listening, lets requests end, and gives the ledger back.
    pub(crate) async fn stop(self) -> Ledger {
        self.stop.cancel();
        let abort = self.server.abort_handle();
        if tokio::time::timeout(STOP_TIMEOUT, self.server).await.is_err() {
            abort.abort();
        }
        lock(&self.shared.ledger).clone()
    }
}

/// A panic elsewhere leaves counts that are still worth telling.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn receive(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let answer = match take(&shared, &parts.headers, body).await {
        Ok(status) => (status, String::new()),
        Err(Refused { status, reason }) => (status, reason),
    };
    lock(&shared.ledger).answered(answer.0);
    answer.into_response()
}

/// The order matters: who asks, then what is asked, then whether it holds, then the disk.
async fn take(shared: &Shared, headers: &HeaderMap, body: Body) -> Result<StatusCode, Refused> {
    let script = lock(&shared.script).clone();
    if let Some(expected) = &script.authorization {
        request::authorize(headers, expected)?;
    }
    let bytes = tokio::time::timeout(BODY_TIMEOUT, request::read(body, BODY_MAX))
        .await
        .map_err(|_| Refused::new(StatusCode::REQUEST_TIMEOUT, "the body took too long"))??;
    let lines = request::lines(headers, &bytes, BODY_MAX)?;
    if !script.status.is_success() {
        return Err(Refused::new(script.status, "as asked for by --status"));
    }
    let signatures = match &shared.keys {
        Some(keys) => keys.verify(&lines).await.map_err(|reason| {
            Refused::new(StatusCode::SERVICE_UNAVAILABLE, &format!("cannot verify: {reason}"))
        })?,
        None => vec![Signature::Unchecked; lines.len()],
    };
    keep(shared.store.as_ref(), lines.clone()).await?;
    keep(shared.manifests.as_ref(), request::manifest(headers)).await?;
    tokio::time::sleep(shared.latency).await;
    let replay = headers.contains_key("x-auditrelay-replay-job");
    note(shared, &lines, &signatures, replay, header_len(headers));
    Ok(script.status)
}

async fn keep(store: Option<&Store>, lines: Vec<String>) -> Result<(), Refused> {
    let Some(store) = store else { return Ok(()) };
    store.append(lines).await.map_err(|error| {
        Refused::new(StatusCode::INTERNAL_SERVER_ERROR, &format!("cannot store: {error}"))
    })
}

fn header_len(headers: &HeaderMap) -> u64 {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    length.and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn note(shared: &Shared, lines: &[String], signatures: &[Signature], replay: bool, bytes: u64) {
    if shared.echo {
        for (line, signature) in lines.iter().zip(signatures) {
            output::line(line);
            if *signature == Signature::Wrong {
                output::note("auditrelay: the signature of the line above does not hold");
            }
        }
    }
    let mut ledger = lock(&shared.ledger);
    ledger.wire_bytes += bytes;
    for (line, signature) in lines.iter().zip(signatures) {
        let id = request::event_id(line);
        ledger.take(Receipt { id, signature: *signature, replay });
    }
}

#[cfg(test)]
#[path = "receiver_tests.rs"]
mod tests;
