//! What webhooks cost that have nothing to do.

use std::collections::BTreeMap;
use std::time::Duration;

use super::crowd::Crowd;
use super::setting::Setting;
use super::{Effort, Rig, spread};
use crate::commands::bench::report::Row;
use crate::commands::bench::stage::Stage;
use crate::commands::bench::stats::float;
use crate::failure::Failure;

/// More and more webhooks, which have all sent something.
pub(in crate::commands::bench) async fn run(rig: &Rig) -> Result<Vec<Row>, Failure> {
    let mut setting = Setting::without_webhook(rig, 1).await?;
    let mut crowd = Crowd::sending_to(setting.receiver.url());
    let mut rows = Vec::new();
    for webhooks in rig.effort.webhooks {
        setting.target.parcels = crowd.grow(&setting.stage, *webhooks, 1).await?;
        let sent = setting.deliver(setting.target.parcels.len() as u64).await;
        let mut row = measure(&setting.stage, *webhooks, rig.effort).await?;
        row.ledger = Some(sent.arrived.ledger(sent.accepted));
        rows.push(row);
    }
    setting.stage.stop().await;
    Ok(rows)
}

async fn measure(stage: &Stage, webhooks: usize, effort: Effort) -> Result<Row, Failure> {
    let span = effort.span.max(Duration::from_secs(1));
    tokio::time::sleep(span / 4).await;
    let before = stage.reading();
    tokio::time::sleep(span).await;
    let now = stage.reading();
    let costs = now.since(&before, &["broker", "webhook-sender"], 0);
    let share = |name: &str| {
        let cost = costs.iter().find(|cost| cost.process == name);
        cost.map_or(0.0, |cost| 100.0 * cost.cpu_seconds / span.as_secs_f64())
    };
    let more = BTreeMap::from([
        ("broker, % of a core", share("broker")),
        ("sender, % of a core", share("webhook-sender")),
        ("sender, MiB now", float(now.memory("webhook-sender")) / f64::from(1 << 20)),
    ]);
    Ok(Row {
        name: format!("idle: {webhooks} webhooks"),
        rate: spread(&[0.0])?,
        unit: "events/s",
        limit: None,
        costs,
        ledger: None,
        more,
    })
}
