//! A SIEM that takes everything at once and looks at it afterwards.

use std::collections::HashMap;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use auditrelay_model::id::EventId;
use axum::Router;
use axum::extract::State;
use bytes::Bytes;
use flate2::read::GzDecoder;
use http::{HeaderMap, StatusCode};
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::stats::Ledger;
use crate::failure::Failure;
use crate::receiver::event_id;

/// How often it is looked whether something came.
const LOOK: Duration = Duration::from_millis(20);

/// A receiver that is listening; ends with the process.
#[derive(Debug, Clone)]
pub(super) struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    taken: Mutex<Vec<Delivery>>,
    requests: AtomicU64,
    down: AtomicBool,
}

/// One request that was taken.
#[derive(Debug, Clone)]
struct Delivery {
    at: Instant,
    replayed: bool,
    body: Bytes,
}

/// What came, unpacked.
#[derive(Debug, Default)]
pub(super) struct Arrived {
    /// When each event came first.
    pub(super) first: HashMap<EventId, Instant>,
    pub(super) lines: u64,
    pub(super) bytes: u64,
    pub(super) last: Option<Instant>,
    /// One of the deliveries.
    pub(super) sample: Option<Sample>,
}

/// A delivery, as it came and unpacked.
#[derive(Debug, Clone, Default)]
pub(super) struct Sample {
    pub(super) body: Bytes,
    pub(super) text: String,
}

impl Receiver {
    pub(super) async fn start() -> Result<Self, Failure> {
        let failed = || Failure::io("the receiver");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed())?;
        let address = listener.local_addr().map_err(failed())?;
        let shared = Arc::new(Shared::default());
        let router = Router::new().fallback(take).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { address, shared })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Answers 503 from here on, or takes everything again.
    pub(super) fn is_down(&self, down: bool) {
        self.shared.down.store(down, Ordering::SeqCst);
    }

    /// Forgets what came so far.
    pub(super) fn forget(&self) {
        self.shared.taken.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Waits until so many live or replayed events came, or until nothing came for a while.
    pub(super) async fn wait(&self, events: u64, replayed: bool, quiet: Duration) -> Arrived {
        loop {
            let before = self.shared.requests.load(Ordering::SeqCst);
            let mut silent = Duration::ZERO;
            while silent < QUIET && self.shared.requests.load(Ordering::SeqCst) == before {
                tokio::time::sleep(LOOK).await;
                silent += LOOK;
            }
            if self.shared.requests.load(Ordering::SeqCst) != before {
                continue;
            }
            let arrived = self.arrived(replayed);
            let since = arrived.last.map_or(Duration::ZERO, |last| last.elapsed());
            if arrived.first.len() as u64 >= events || since > quiet {
                return arrived;
            }
            tokio::time::sleep(QUIET).await;
        }
    }

    /// What came so far.
    pub(super) fn arrived(&self, replayed: bool) -> Arrived {
        let taken = self.shared.taken.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut arrived = Arrived::default();
        for delivery in taken.iter().filter(|delivery| delivery.replayed == replayed) {
            arrived.bytes += delivery.body.len() as u64;
            arrived.last = Some(delivery.at);
            let mut text = String::new();
            if GzDecoder::new(delivery.body.as_ref()).read_to_string(&mut text).is_err() {
                continue;
            }
            for id in text.lines().filter_map(id_of_load) {
                arrived.lines += 1;
                arrived.first.entry(id).or_insert(delivery.at);
            }
            let longest = arrived.sample.as_ref().map_or(0, |sample| sample.text.len());
            if text.len() > longest {
                arrived.sample = Some(Sample { body: delivery.body.clone(), text });
            }
        }
        arrived
    }
}

/// None of what a system tells of itself: its ids are made by rule, which is version 8.
fn id_of_load(line: &str) -> Option<EventId> {
    let id: EventId = event_id(line)?.parse().ok()?;
    (id.uuid().get_version_num() != 8).then_some(id)
}

/// Silence that means that all on its way has come.
const QUIET: Duration = Duration::from_millis(300);

impl Arrived {
    /// Against what was accepted.
    pub(super) fn ledger(&self, accepted: u64) -> Ledger {
        let delivered = self.first.len() as u64;
        Ledger { accepted, delivered, repeated: self.lines - delivered }
    }
}

async fn take(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    if shared.down.load(Ordering::SeqCst) {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let replayed = headers.contains_key("x-auditrelay-replay-job");
    let delivery = Delivery { at: Instant::now(), replayed, body };
    shared.taken.lock().unwrap_or_else(PoisonError::into_inner).push(delivery);
    shared.requests.fetch_add(1, Ordering::SeqCst);
    StatusCode::NO_CONTENT
}
