//! What webhooks cost that have nothing to do.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Effort, Rig, spread};
use crate::commands::bench::report::Row;
use crate::commands::bench::stage::Stage;
use crate::failure::Failure;

/// More and more webhooks.
pub(in crate::commands::bench) async fn run(rig: &Rig) -> Result<Vec<Row>, Failure> {
    let stage = rig.stage(true).await?;
    let organization = stage.organization().await?;
    // Nobody listens there, and nothing is sent.
    let destination = organization.destination("http://127.0.0.1:9/").await?;
    let (mut rows, mut before) = (Vec::new(), 0);
    for webhooks in rig.effort.webhooks {
        for portal in organization.portals(webhooks - before).await? {
            organization.enable(&destination, Some(portal)).await?;
        }
        before = *webhooks;
        rows.push(measure(&stage, *webhooks, rig.effort).await?);
    }
    stage.stop().await;
    Ok(rows)
}

async fn measure(stage: &Stage, webhooks: usize, effort: Effort) -> Result<Row, Failure> {
    let span = effort.span.max(Duration::from_secs(1));
    tokio::time::sleep(span / 4).await;
    let before = stage.reading();
    tokio::time::sleep(span).await;
    let costs = stage.reading().since(&before, &["broker", "webhook-sender"], 1);
    let share = |name: &str| {
        let cost = costs.iter().find(|cost| cost.process == name);
        cost.map_or(0.0, |cost| 100.0 * cost.cpu_seconds / span.as_secs_f64())
    };
    let more = BTreeMap::from([
        ("broker, % of a core", share("broker")),
        ("sender, % of a core", share("webhook-sender")),
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
