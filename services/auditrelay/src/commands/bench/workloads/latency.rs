//! How long an event takes from the answer 202 to the receiver, at a rate that fills nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Effort;
use super::delivery::{spread, target};
use crate::commands::bench::receiver::Receiver;
use crate::commands::bench::report::Row;
use crate::commands::bench::stage::Stage;
use crate::commands::bench::stats::{Latencies, float};
use crate::failure::Failure;

const RATE: u32 = 200;

/// One event a request, whatever the answers.
pub(in crate::commands::bench) async fn run(
    http: &reqwest::Client,
    effort: Effort,
) -> Result<Vec<Row>, Failure> {
    let stage = Stage::start(true).await?;
    let organization = stage.organization().await?;
    let receiver = Receiver::start().await?;
    let destination = organization.destination(&receiver.url()).await?;
    organization.enable(&destination, None).await?;
    let target = target(http, &stage, &organization, &[], 1);
    let warm = target.open(RATE, Duration::from_secs(1)).await;
    let _warm = receiver.wait(warm.len() as u64, false, Duration::from_secs(10)).await;
    receiver.forget();
    let before = stage.reading();
    let span = Duration::from_secs((effort.span * 4).as_secs().max(2));
    let accepted = target.open(RATE, span).await;
    let events = accepted.len() as u64;
    let arrived = receiver.wait(events, false, Duration::from_secs(10)).await;
    let names = ["broker", "ingest", "webhook-sender"];
    let costs = stage.reading().since(&before, &names, events);
    stage.stop().await;
    let taken = accepted.iter().filter_map(|(id, at)| {
        // It may come before the producer has read its answer.
        Some(arrived.first.get(id)?.saturating_duration_since(*at))
    });
    let latencies = Latencies::of(taken.collect());
    let at = |thousandths| latencies.percentile(thousandths).unwrap_or_default();
    let millis = |duration: Duration| duration.as_secs_f64() * 1_000.0;
    Ok(vec![Row {
        name: "latency at a steady rate".to_owned(),
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
        ]),
    }])
}
