//! Events in and out again: live, replayed, pulled, and after an outage.

use std::collections::BTreeMap;
use std::time::Duration;

use auditrelay_model::Clock;
use auditrelay_model::id::PortalId;
use auditrelay_runtime::clock::SystemClock;
use http::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Effort;
use crate::commands::bench::limits;
use crate::commands::bench::load::{Target, Until, bodies};
use crate::commands::bench::receiver::{Arrived, Receiver};
use crate::commands::bench::report::{Limit, Row};
use crate::commands::bench::stage::{Organization, Stage};
use crate::commands::bench::stats::{Spread, float, per_million, per_second};
use crate::failure::Failure;

/// Events of a request.
const BATCH: u64 = 250;
const CONNECTIONS: usize = 8;
/// Nothing new for so long: what is missing will not come.
const GIVEN_UP: Duration = Duration::from_secs(40);
const PATH: [&str; 3] = ["broker", "ingest", "webhook-sender"];

/// An organization whose events go to a receiver.
struct Setting {
    stage: Stage,
    organization: Organization,
    receiver: Receiver,
    target: Target,
}

impl Setting {
    /// With so many webhooks; one is the organization's own.
    async fn new(http: &reqwest::Client, webhooks: usize) -> Result<Self, Failure> {
        let stage = Stage::start(true).await?;
        let organization = stage.organization().await?;
        let receiver = Receiver::start().await?;
        let destination = organization.destination(&receiver.url()).await?;
        let portals = match webhooks {
            1 => Vec::new(),
            many => organization.portals(many).await?,
        };
        if portals.is_empty() {
            organization.enable(&destination, None).await?;
        }
        for portal in &portals {
            organization.enable(&destination, Some(*portal)).await?;
        }
        let target = target(http, &stage, &organization, &portals, BATCH);
        Ok(Self { stage, organization, receiver, target })
    }

    /// Sends so many events and waits until all of them came.
    async fn deliver(&self, events: u64) -> (u64, Arrived, Duration) {
        self.receiver.forget();
        let began = Instant::now();
        let done =
            self.target.closed(CONNECTIONS, Until::Requests(events / self.target.events)).await;
        let arrived = self.receiver.wait(done.events, false, GIVEN_UP).await;
        let took = arrived.last.map_or(GIVEN_UP, |last| last - began);
        (done.events, arrived, took)
    }
}

pub(super) fn target(
    http: &reqwest::Client,
    stage: &Stage,
    organization: &Organization,
    portals: &[PortalId],
    events: u64,
) -> Target {
    Target {
        http: http.clone(),
        url: stage.ingest.clone(),
        token: organization.producer.clone(),
        bodies: bodies(events, portals),
        events,
    }
}

/// Live delivery to one receiver, then a replay of the same, then pages of it.
pub(in crate::commands::bench) async fn one_receiver(
    http: &reqwest::Client,
    effort: Effort,
) -> Result<Vec<Row>, Failure> {
    let setting = Setting::new(http, 1).await?;
    let started = SystemClock.now();
    let live = live(&setting, effort, "deliver: 1 webhook".to_owned()).await?;
    let replayed = replay(&setting, started, &live).await?;
    let pulled = pull(&setting, effort).await?;
    setting.stage.stop().await;
    Ok(vec![live, replayed, pulled])
}

/// The same load spread over more and more webhooks.
pub(in crate::commands::bench) async fn fan_out(
    http: &reqwest::Client,
    effort: Effort,
) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for webhooks in [10, 100, 1_000].into_iter().filter(|webhooks| *webhooks <= effort.many) {
        let setting = Setting::new(http, webhooks).await?;
        let name = format!("deliver: {webhooks} webhooks");
        let effort = Effort { rounds: 1, ..effort };
        rows.push(live(&setting, effort, name).await?);
        setting.stage.stop().await;
    }
    Ok(rows)
}

async fn live(setting: &Setting, effort: Effort, name: String) -> Result<Row, Failure> {
    let _warm = setting.deliver(effort.events / 20).await;
    let before = setting.stage.reading();
    let (mut rates, mut limits) = (Vec::new(), Vec::new());
    let mut ledger = crate::commands::bench::stats::Ledger::default();
    let mut sent = 0;
    for _ in 0..effort.rounds {
        let (accepted, arrived, took) = setting.deliver(effort.events).await;
        rates.push(per_second(accepted, took));
        let one = arrived.ledger(accepted);
        ledger.accepted += one.accepted;
        ledger.delivered += one.delivered;
        ledger.repeated += one.repeated;
        sent += arrived.bytes;
        let span = effort.span / 4;
        let signed = tokio::task::spawn_blocking(move || limits::signatures(span)).await;
        limits.push(signed.map_err(anyhow::Error::from)??);
    }
    let costs = setting.stage.reading().since(&before, &PATH, ledger.accepted);
    let limit = Limit { what: "signatures/s", rate: spread(&limits)? };
    let sent = per_million(float(sent), ledger.delivered) / 1_000_000.0;
    let packed = packing(effort.span / 4).await?;
    let more = BTreeMap::from([("bytes sent an event", sent), ("gzip alone, lines/s", packed)]);
    let rate = spread(&rates)?;
    Ok(Row { name, rate, unit: "events/s", limit: Some(limit), costs, ledger: Some(ledger), more })
}

/// Lines that gzip alone packs a second.
async fn packing(span: Duration) -> Result<f64, Failure> {
    let line = json!({
        "event_id": "3e551b39-227d-4297-b911-e68fd5d77c17", "event_product": "Konnect",
        "principal_id": "a3d2699a-0ed3-4417-bb10-d8e74a1513a4", "request": "/v3/audit-logs",
    });
    let lines: Vec<_> = (0..500).map(|number| format!("{number} {line}")).collect();
    let lines = lines.join("\n");
    let packed = tokio::task::spawn_blocking(move || limits::compressed(&lines, span)).await;
    packed.map_err(anyhow::Error::from)?
}

/// Everything that was delivered, again.
async fn replay(
    setting: &Setting,
    started: auditrelay_model::Timestamp,
    live: &Row,
) -> Result<Row, Failure> {
    let stored = setting.stage.streams.events_state().await.map_err(anyhow::Error::from)?;
    let before = setting.stage.reading();
    setting.receiver.forget();
    let events = live.ledger.map_or(0, |ledger| ledger.accepted);
    let window = json!({
        "start_at": (started - Duration::from_mins(1)).to_string(),
        "end_at": SystemClock.now().to_string(),
    });
    let began = Instant::now();
    let path = "/v3/audit-log-replay-job";
    let _job = setting.organization.admin.expect(Method::PUT, path, Some(&window)).await?;
    let arrived = setting.receiver.wait(events, true, GIVEN_UP).await;
    let took = arrived.last.map_or(GIVEN_UP, |last| last - began);
    // The events of the warming up are in the window too.
    let replayed = arrived.first.len() as u64;
    let rate = per_second(replayed, took);
    Ok(Row {
        name: "replay of the same".to_owned(),
        rate: spread(&[rate])?,
        unit: "events/s",
        limit: Some(Limit { what: "live delivery", rate: live.rate }),
        costs: setting.stage.reading().since(&before, &["broker", "webhook-sender"], replayed),
        ledger: Some(arrived.ledger(replayed.max(events))),
        more: BTreeMap::from([("records read", float(stored.messages))]),
    })
}

/// Pages of a thousand, one after the other, against reading the records as they are.
async fn pull(setting: &Setting, effort: Effort) -> Result<Row, Failure> {
    let first = "/v3/audit-logs?page[size]=1000".to_owned();
    let (began, before) = (Instant::now(), setting.stage.reading());
    let (mut path, mut events, mut slowest) = (Some(first), 0_u64, Duration::ZERO);
    while let Some(next) = path.take().filter(|_| began.elapsed() < 2 * effort.span) {
        let asked = Instant::now();
        let page = setting.organization.admin.get(&next).await?;
        slowest = slowest.max(asked.elapsed());
        events += page.get("data").and_then(Value::as_array).map_or(0, Vec::len) as u64;
        path = page.pointer("/meta/page/next").and_then(Value::as_str).and_then(relative);
    }
    let rate = per_second(events, began.elapsed());
    let costs = setting.stage.reading().since(&before, &["broker", "api"], events);
    let limit = Limit { what: "bare read", rate: spread(&[read(setting, effort.span).await?])? };
    Ok(Row {
        name: "pull: pages of 1,000".to_owned(),
        rate: spread(&[rate])?,
        unit: "events/s",
        limit: Some(limit),
        costs,
        ledger: None,
        more: BTreeMap::from([("slowest page, ms", slowest.as_secs_f64() * 1_000.0)]),
    })
}

/// Path and query of a link.
fn relative(link: &str) -> Option<String> {
    if link.starts_with('/') {
        return Some(link.to_owned());
    }
    let url = url::Url::parse(link).ok()?;
    Some(format!("{}?{}", url.path(), url.query().unwrap_or_default()))
}

/// Events a second that a bare consumer is given, undecoded.
async fn read(setting: &Setting, span: Duration) -> Result<f64, Failure> {
    let scope = auditrelay_model::Scope::Organization(setting.organization.id);
    let streams = &setting.stage.streams;
    let mut reader = streams.scope_reader("bench", scope, 1).await.map_err(anyhow::Error::from)?;
    let (began, mut events) = (Instant::now(), 0);
    while began.elapsed() < span {
        let some = reader.next(256, Duration::from_secs(1)).await.map_err(anyhow::Error::from)?;
        events +=
            some.iter().map(|one| one.head.last_number - one.head.first_number + 1).sum::<u64>();
        if some.is_empty() || reader.pending() == 0 {
            break;
        }
    }
    Ok(per_second(events, began.elapsed()))
}

/// The receiver is away while events come, and comes back.
pub(in crate::commands::bench) async fn catch_up(
    http: &reqwest::Client,
    effort: Effort,
) -> Result<Vec<Row>, Failure> {
    let setting = Setting::new(http, 1).await?;
    let _warm = setting.deliver(effort.events / 20).await;
    setting.receiver.forget();
    setting.receiver.is_down(true);
    let before = setting.stage.reading();
    let outage = 2 * effort.span;
    let began = Instant::now();
    let done = setting.target.closed(1, Until::Requests(effort.events / BATCH)).await;
    tokio::time::sleep_until(began + outage).await;
    setting.receiver.is_down(false);
    let back = Instant::now();
    let arrived = setting.receiver.wait(done.events, false, GIVEN_UP).await;
    let first = arrived.first.values().min().copied().unwrap_or(back);
    let end = arrived.last.unwrap_or(back).max(first);
    let rate = per_second(done.events, end - first);
    let costs = setting.stage.reading().since(&before, &PATH, done.events);
    setting.stage.stop().await;
    Ok(vec![Row {
        name: "catch up after an outage".to_owned(),
        rate: spread(&[rate])?,
        unit: "events/s",
        limit: None,
        costs,
        ledger: Some(arrived.ledger(done.events)),
        more: BTreeMap::from([
            ("outage, s", outage.as_secs_f64()),
            ("first event after, s", (first - back).as_secs_f64()),
            ("all events after, s", (end - back).as_secs_f64()),
        ]),
    }])
}

pub(super) fn spread(values: &[f64]) -> Result<Spread, Failure> {
    Spread::of(values).ok_or_else(|| Failure::Other(anyhow::anyhow!("nothing was measured")))
}
