//! A receiver that keeps what it took and answers as it is told.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use flate2::read::GzDecoder;

#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    told: Arc<Mutex<Told>>,
}

struct Told {
    status: u16,
    wait: Duration,
    refused: BTreeSet<String>,
    tried: Vec<Request>,
    accepted: Vec<Request>,
    busy: usize,
    busiest: usize,
}

/// A request as it came.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        self.body.lines().map(id_of).collect()
    }
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let told = Told {
            status: 200,
            wait: Duration::ZERO,
            refused: BTreeSet::new(),
            tried: Vec::new(),
            accepted: Vec::new(),
            busy: 0,
            busiest: 0,
        };
        let receiver =
            Self { address: listener.local_addr().unwrap(), told: Arc::new(Mutex::new(told)) };
        let router = Router::new().route("/", post(take)).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        receiver
    }

    pub(crate) fn answer(&self, status: u16) {
        self.told.lock().unwrap().status = status;
    }

    pub(crate) fn slow(&self, wait: Duration) {
        self.told.lock().unwrap().wait = wait;
    }

    /// Whatever holds this event is answered 400.
    pub(crate) fn refuse(&self, id: &str) {
        self.told.lock().unwrap().refused.insert(id.to_owned());
    }

    pub(crate) fn forget(&self) {
        self.told.lock().unwrap().accepted.clear();
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Most requests that it had in hand at the same time.
    pub(crate) fn busiest(&self) -> usize {
        self.told.lock().unwrap().busiest
    }

    /// Every request, whatever it was answered.
    pub(crate) fn tried(&self) -> Vec<Request> {
        self.told.lock().unwrap().tried.clone()
    }

    /// Those that were answered 2xx.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.told.lock().unwrap().accepted.clone()
    }

    /// Ids of the accepted events, in order, repeats included.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.requests().iter().flat_map(Request::ids).collect()
    }
}

async fn take(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let wait = {
        let mut told = receiver.told.lock().unwrap();
        told.busy += 1;
        told.busiest = told.busiest.max(told.busy);
        told.wait
    };
    tokio::time::sleep(wait).await;
    receiver.told.lock().unwrap().busy -= 1;
    let mut text = String::new();
    GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap();
    let request = Request { headers, body: text };
    let mut told = receiver.told.lock().unwrap();
    told.tried.push(request.clone());
    if told.status == 200 && request.ids().iter().any(|id| told.refused.contains(id)) {
        return StatusCode::BAD_REQUEST;
    }
    if told.status == 200 {
        told.accepted.push(request);
    }
    StatusCode::from_u16(told.status).unwrap()
}

pub(crate) fn id_of(line: &str) -> String {
    let event: serde_json::Value = serde_json::from_str(line).unwrap();
    event["event_id"].as_str().unwrap().to_owned()
}
