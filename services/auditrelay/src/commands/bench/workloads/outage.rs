//! Catching up after an outage of the receiver.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::delivery::{BATCH, PATH};
use super::setting::{GIVEN_UP, Setting};
use super::{Rig, spread};
use crate::commands::bench::load::Until;
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
