//! How long an event takes from the answer 202 to the receiver, at a rate that fills nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use auditrelay_model::Clock;
use auditrelay_runtime::clock::SystemClock;

use super::delivery::{BATCH, PATH};
use super::setting::{GIVEN_UP, Setting};
use super::{Rig, spread};
use crate::commands::bench::load::{Target, Until, parcels};
use crate::commands::bench::report::Row;
use crate::commands::bench::stats::{Latencies, float};
use crate::failure::Failure;

const RATE: u32 = 200;
const PATIENCE: Duration = Duration::from_secs(10);

/// One event a request, whatever the answers: alone, and while a replay goes to the same receiver.
pub(in crate::commands::bench) async fn run(rig: &Rig) -> Result<Vec<Row>, Failure> {
    let setting = Setting::new(rig, 1).await?;
    let began = SystemClock.now();
    let warm = setting.target.open(RATE, Duration::from_secs(1)).await;
    let _warm = setting.receiver.wait(warm.len() as u64, false, PATIENCE).await;
    let span = Duration::from_secs((rig.effort.span * 4).as_secs().max(2));
    let alone = measure(&setting, "latency at a steady rate", span).await?;
    let parcels = parcels(&setting.organization.producer, BATCH, &[]);
    let bulk = Target { parcels, events: BATCH, ..setting.target.clone() };
    let stored = bulk.closed(8, Until::Requests(2 * rig.effort.events / BATCH)).await;
    let _all = setting.receiver.wait(stored.events, false, GIVEN_UP).await;
    setting.replay(began).await?;
    let span = (span / 4).max(Duration::from_secs(1));
    let beside = measure(&setting, "latency beside a replay", span).await?;
    setting.stage.stop().await;
    Ok(vec![alone, beside])
}

async fn measure(setting: &Setting, name: &str, span: Duration) -> Result<Row, Failure> {
    setting.receiver.forget();
    let before = setting.stage.reading();
    let accepted = setting.target.open(RATE, span).await;
    let events = accepted.len() as u64;
    let replayed = setting.receiver.arrived(true).lines;
    let arrived = setting.receiver.wait(events, false, PATIENCE).await;
    let costs = setting.stage.reading().since(&before, &PATH, events + replayed);
    let taken = accepted.iter().filter_map(|(id, at)| {
        // It may come before the producer has read its answer.
        Some(arrived.first.get(id)?.saturating_duration_since(*at))
    });
    let latencies = Latencies::of(taken.collect());
    let at = |thousandths| latencies.percentile(thousandths).unwrap_or_default();
    let millis = |duration: Duration| duration.as_secs_f64() * 1_000.0;
    Ok(Row {
        name: name.to_owned(),
        rate: spread(&[float(events) / span.as_secs_f64()])?,
        unit: "events/s",
        limit: None,
        costs,
        ledger: Some(arrived.ledger(events)),
        more: BTreeMap::from([
            ("p50, ms", millis(at(500))),
            ("p95, ms", millis(at(950))),
            ("p99, ms", millis(at(990))),
            ("slowest, ms", millis(latencies.max().unwrap_or_default())),
            ("replayed meanwhile, events/s", float(replayed) / span.as_secs_f64()),
        ]),
    })
}
