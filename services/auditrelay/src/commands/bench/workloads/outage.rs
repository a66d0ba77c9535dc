//! Catching up after an outage of the receiver, while events come as steadily as before.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::delivery::{BATCH, PATH};
use super::setting::{GIVEN_UP, Setting};
use super::{Rig, spread};
use crate::commands::bench::report::Row;
use crate::commands::bench::stats::per_second;
use crate::failure::Failure;

/// The receiver is away while events come, and comes back.
pub(in crate::commands::bench) async fn catch_up(rig: &Rig) -> Result<Vec<Row>, Failure> {
    let effort = rig.effort;
    let setting = Setting::new(rig, BATCH).await?;
    let _warm = setting.deliver(effort.events / 20).await;
    setting.receiver.forget();
    setting.receiver.is_down(true);
    let before = setting.stage.reading();
    let outage = 2 * effort.span;
    let requests = effort.rate / u32::try_from(BATCH).unwrap_or(1);
    let events = setting.target.open(requests, outage).await.len() as u64;
    setting.receiver.is_down(false);
    let back = Instant::now();
    let arrived = setting.receiver.wait(events, false, GIVEN_UP).await;
    let first = arrived.first.values().min().copied().unwrap_or(back);
    let end = arrived.last.unwrap_or(back).max(first);
    let rate = per_second(events, end - first);
    let costs = setting.stage.reading().since(&before, &PATH, events);
    setting.stage.stop().await;
    Ok(vec![Row {
        name: "catch up after an outage".to_owned(),
        rate: spread(&[rate])?,
        unit: "events/s",
        limit: None,
        costs,
        ledger: Some(arrived.ledger(events)),
        more: BTreeMap::from([
            ("outage, s", outage.as_secs_f64()),
            ("events a second meanwhile", effort.rate.into()),
            ("first event after, s", (first - back).as_secs_f64()),
            ("all events after, s", (end - back).as_secs_f64()),
        ]),
    }])
}
