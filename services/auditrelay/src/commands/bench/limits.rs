//! What the machine and the layers below us do at best, measured in the same run.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant as Moment};

use auditrelay_broker::{Broker, BrokerOptions, find_or_provide};
use auditrelay_model::event::{AuditEvent, Authorization, Detail};
use auditrelay_model::id::{EventId, OrgId, RecordId};
use auditrelay_model::record::Record;
use auditrelay_model::{Clock, Scope};
use auditrelay_runtime::clock::SystemClock;
use auditrelay_runtime::ids;
use auditrelay_signing::{KeySet, SystemRandom};
use auditrelay_streams::{StreamName, Streams};
use auditrelay_webhook_sender::gzip::gzip;
use axum::Router;
use axum::routing::post;
use bytes::Bytes;
use http::StatusCode;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::load::{Target, Until};
use super::stage::dial;
use super::stats::per_second;
use crate::failure::Failure;

/// A broker without anything of ours around it.
pub(super) struct RawBroker {
    streams: Streams,
    broker: Broker,
    _store: TempDir,
}

impl RawBroker {
    /// With the same stream of events as the system under test has.
    pub(super) async fn start(like: &Streams, sync_always: bool) -> Result<Self, Failure> {
        let store = tempfile::tempdir().map_err(Failure::io("a temporary directory"))?;
        let binary = find_or_provide().await.map_err(anyhow::Error::from)?;
        let options = BrokerOptions { sync_always, ..BrokerOptions::new(store.path()) };
        let broker = Broker::start(&binary, options).await.map_err(anyhow::Error::from)?;
        let streams = dial(&broker.url()).await?;
        let observed = like.observe(StreamName::Events).await.map_err(anyhow::Error::from)?;
        let observed = observed.ok_or_else(|| anyhow::anyhow!("no stream of events"))?;
        streams.create_stream(&observed.spec).await.map_err(anyhow::Error::from)?;
        Ok(Self { streams, broker, _store: store })
    }

    pub(super) async fn stop(self) {
        self.broker.kill().await;
    }

    /// Events a second when records of so many events are appended to so many scopes, one on its
    /// way in each, with the expectations that ingest uses.
    pub(super) async fn publish(&self, scopes: usize, events: usize, span: Duration) -> f64 {
        let began = Instant::now();
        let mut writers = JoinSet::new();
        for _ in 0..scopes {
            let streams = self.streams.clone();
            writers.spawn(async move { append(&streams, record(events), began, span).await });
        }
        let records: u64 = writers.join_all().await.into_iter().sum();
        per_second(records * events as u64, began.elapsed())
    }
}

async fn append(streams: &Streams, mut record: Record, began: Instant, span: Duration) -> u64 {
    let (mut last, mut count) = (0, 0);
    while began.elapsed() < span {
        record.id = RecordId::from_uuid(ids::uuid_v7());
        match streams.append_record(&record, last).await {
            Ok(appended) => {
                last = appended.sequence;
                record.first_number += record.events.len() as u64;
                count += 1;
            }
            Err(_) => return count,
        }
    }
    count
}

/// A record of so many events of the usual size, in a scope of its own.
pub(super) fn record(events: usize) -> Record {
    let event = AuditEvent {
        id: EventId::from_uuid(ids::uuid_v7()),
        ts: SystemClock.now(),
        principal_id: "a3d2699a-0ed3-4417-bb10-d8e74a1513a4".to_owned(),
        principal_name: "Ada Okafor".to_owned(),
        actor_id: String::new(),
        client_ip: Some(Ipv4Addr::new(198, 51, 100, 7).into()),
        uri: "/v3/audit-logs?page[size]=20".to_owned(),
        user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
            .to_owned(),
        trace_id: "8d1f4a2b7c3e".to_owned(),
        platform_initiated: false,
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned(),
        detail: Detail::Authorization(Authorization {
            service: "konnect".to_owned(),
            resource: "control-planes/*".to_owned(),
            action: "list".to_owned(),
            granted: true,
        }),
    };
    let of = |_| AuditEvent { id: EventId::from_uuid(ids::uuid_v7()), ..event.clone() };
    Record {
        id: RecordId::from_uuid(ids::uuid_v7()),
        scope: Scope::Organization(OrgId::from_uuid(ids::uuid_v7())),
        epoch: 1,
        first_number: 1,
        previous_digest: None,
        accepted_at: SystemClock.now(),
        idempotency_key: None,
        events: (0..events).map(of).collect(),
    }
}

/// A handler that reads a body and answers 202, asked by the same producers with the same bodies.
pub(super) struct NullHandler(String);

impl NullHandler {
    pub(super) async fn start() -> Result<Self, Failure> {
        let failed = || Failure::io("the null handler");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed())?;
        let address = listener.local_addr().map_err(failed())?;
        let router = Router::new().route("/", post(accept));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self(format!("http://{address}/")))
    }

    /// Events a second.
    pub(super) async fn measure(&self, target: &Target, connections: usize, span: Duration) -> f64 {
        let target = Target { url: self.0.clone(), ..target.clone() };
        let done = target.closed(connections, Until::After(span)).await;
        per_second(done.events, done.took)
    }
}

async fn accept(_body: Bytes) -> (StatusCode, &'static str) {
    (StatusCode::ACCEPTED, r#"{"accepted":1,"ids":["3e551b39-227d-4297-b911-e68fd5d77c17"]}"#)
}

/// Signatures of a line a second, on as many threads as there are processors.
pub(super) fn signatures(line: &str, span: Duration) -> Result<f64, Failure> {
    let keys = KeySet::generate("bench", "2026-01-01T00:00:00Z", &SystemRandom::new());
    let keys = keys.map_err(anyhow::Error::from)?;
    on_all_processors(|| {
        let key = keys.keys().next()?;
        Some(counted(span, || key.sign(line.as_bytes()).len()))
    })
}

/// Lines that are compressed a second, all at once, as the sender does it.
pub(super) fn compressed(lines: &str, span: Duration) -> Result<f64, Failure> {
    let count = lines.lines().count() as u64;
    let once = on_all_processors(|| Some(counted(span, || gzip(lines.as_bytes()).len())))?;
    Ok(once * super::stats::float(count))
}

fn on_all_processors(work: impl Fn() -> Option<f64> + Sync) -> Result<f64, Failure> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let work = &work;
    let sum = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running.into_iter().map(|one| one.join().ok().flatten()).sum::<Option<f64>>()
    });
    sum.ok_or_else(|| Failure::Other(anyhow::anyhow!("a limit could not be measured")))
}

fn counted(span: Duration, mut once: impl FnMut() -> usize) -> f64 {
    let began = now();
    let mut count = 0;
    while began.elapsed() < span {
        std::hint::black_box(once());
        count += 1;
    }
    per_second(count, began.elapsed())
}

/// Outside of the runtime there is no clock of its.
#[expect(clippy::disallowed_methods, reason = "threads of their own have no other clock")]
fn now() -> Moment {
    Moment::now()
}
