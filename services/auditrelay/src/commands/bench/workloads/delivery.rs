//! Events in and out again: live, to more and more webhooks, and replayed.

use std::collections::BTreeMap;
use std::time::Duration;

use auditrelay_model::{Clock, Timestamp};
use auditrelay_runtime::clock::SystemClock;
use tokio::time::Instant;

use super::crowd::Crowd;
use super::pull::pull;
use super::setting::{Delivered, GIVEN_UP, Setting};
use super::{Effort, Rig, spread};
use crate::commands::bench::limits::{self, NullHandler};
use crate::commands::bench::load::{Parcel, Target};
use crate::commands::bench::receiver::Sample;
use crate::commands::bench::report::{Limit, Row};
use crate::commands::bench::stats::{Ledger, float, per_million, per_second};
use crate::failure::Failure;

/// Events of a request.
pub(super) const BATCH: u64 = 250;
/// The same where they go to many logs, so that every log gets some.
const SMALL_BATCH: u64 = 20;
pub(super) const PATH: [&str; 3] = ["broker", "ingest", "webhook-sender"];

/// Live delivery to one receiver, then a replay of the same, then pages of it.
pub(in crate::commands::bench) async fn one_receiver(rig: &Rig) -> Result<Vec<Row>, Failure> {
    let setting = Setting::new(rig, BATCH).await?;
    let started = SystemClock.now();
    let live = live(&setting, rig.effort, "deliver: 1 webhook".to_owned()).await?;
    let replayed = replay(&setting, started, &live).await?;
    let pulled = pull(&setting, rig.effort).await?;
    setting.stage.stop().await;
    Ok(vec![live, replayed, pulled])
}

/// The same load spread over more and more webhooks, all of them at work.
pub(in crate::commands::bench) async fn fan_out(rig: &Rig) -> Result<Vec<Row>, Failure> {
    let effort = Effort { rounds: 1, ..rig.effort };
    let mut setting = Setting::without_webhook(rig, SMALL_BATCH).await?;
    let mut crowd = Crowd::sending_to(setting.receiver.url());
    let mut rows: Vec<Row> = Vec::new();
    for webhooks in effort.webhooks {
        let more = crowd.grow(&setting.stage, *webhooks, SMALL_BATCH).await?;
        setting.target.include(&more);
        let name = format!("fan-out: {webhooks} active webhooks");
        let mut row = live(&setting, effort, name).await?;
        let first = rows.first().map_or_else(|| row.cpu(), Row::cpu);
        // Of a given system it is not known.
        if first > 0.0 {
            row.more.insert("CPU an event, × that of one", row.cpu() / first);
        }
        rows.push(row);
    }
    setting.stage.stop().await;
    Ok(rows)
}

async fn live(setting: &Setting, effort: Effort, name: String) -> Result<Row, Failure> {
    // Every lane is open before it counts.
    let lanes = setting.target.parcels.len() as u64 * setting.target.events;
    let warm = setting.deliver(lanes.max(effort.events / 20)).await;
    let sample = warm.arrived.sample.unwrap_or_default();
    let before = setting.stage.reading();
    let (mut rates, mut limits, mut ledger, mut sent) =
        (Vec::new(), Vec::new(), Ledger::default(), 0);
    let (mut own_cpu, mut took_all) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..effort.rounds {
        let delivered = setting.deliver(effort.events).await;
        let Delivered { accepted, arrived, took, .. } = delivered;
        rates.push(per_second(accepted, took));
        ledger = ledger.and(arrived.ledger(accepted));
        sent += arrived.bytes;
        own_cpu += delivered.own_cpu;
        took_all += took;
        limits.push(signing(&sample, effort.span / 4).await?);
    }
    let costs = setting.stage.reading().since(&before, &PATH, ledger.accepted);
    let limit = Limit { what: "signatures/s", rate: spread(&limits)? };
    let rate = spread(&rates)?;
    let processors =
        std::thread::available_parallelism().map_or(1.0, |all| float(all.get() as u64));
    let left = 1.0 - own_cpu.as_secs_f64() / took_all.as_secs_f64() / processors;
    let sent = per_million(float(sent), ledger.delivered) / 1_000_000.0;
    let more = BTreeMap::from([
        ("bytes sent an event", sent),
        (
            "producers and receiver, CPU s per million",
            per_million(own_cpu.as_secs_f64(), ledger.accepted),
        ),
        ("of signatures on what they leave", rate.median / (limit.rate.median * left)),
        ("gzip alone, events/s", packing(&sample, effort.span / 4).await?),
        ("HTTP alone, events/s", posting(setting, &sample, effort.span / 4).await?),
    ]);
    Ok(Row { name, rate, unit: "events/s", limit: Some(limit), costs, ledger: Some(ledger), more })
}

/// Lines that are signed a second, and nothing else is done.
async fn signing(sample: &Sample, span: Duration) -> Result<f64, Failure> {
    let line = sample.text.lines().next().unwrap_or_default().to_owned();
    let signed = tokio::task::spawn_blocking(move || limits::signatures(&line, span)).await;
    signed.map_err(anyhow::Error::from)?
}

/// Lines that are compressed a second, a delivery at once.
async fn packing(sample: &Sample, span: Duration) -> Result<f64, Failure> {
    let text = sample.text.clone();
    let packed = tokio::task::spawn_blocking(move || limits::compressed(&text, span)).await;
    packed.map_err(anyhow::Error::from)?
}

/// Events a second when the same delivery is posted again and again to a handler that does nothing.
async fn posting(setting: &Setting, sample: &Sample, span: Duration) -> Result<f64, Failure> {
    let token = setting.organization.producer.as_str().into();
    let parcels = [Parcel { token, body: sample.body.clone() }].into();
    let events = sample.text.lines().count() as u64;
    let target = Target { parcels, events, ..setting.target.clone() };
    Ok(NullHandler::start().await?.measure(&target, 2, span).await)
}

/// Everything that was delivered, again.
async fn replay(setting: &Setting, started: Timestamp, live: &Row) -> Result<Row, Failure> {
    let stored = setting.stage.streams.events_state().await.map_err(anyhow::Error::from)?;
    let before = setting.stage.reading();
    setting.receiver.forget();
    let events = live.ledger.map_or(0, |ledger| ledger.accepted);
    let began = Instant::now();
    setting.replay(started).await?;
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
