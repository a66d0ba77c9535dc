//! What webhooks cost that have nothing to do.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Effort;
use super::delivery::spread;
use crate::commands::bench::report::Row;
use crate::commands::bench::stage::Stage;
use crate::failure::Failure;

/// One webhook, and many.
pub(in crate::commands::bench) async fn run(effort: Effort) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for webhooks in [1, effort.many] {
        rows.push(measure(webhooks, effort.span.max(Duration::from_secs(1))).await?);
    }
    Ok(rows)
}

async fn measure(webhooks: usize, span: Duration) -> Result<Row, Failure> {
    let stage = Stage::start(true).await?;
    let organization = stage.organization().await?;
    // Nobody listens there, and nothing is sent.
    let destination = organization.destination("http://127.0.0.1:9/").await?;
    for portal in organization.portals(webhooks).await? {
        organization.enable(&destination, Some(portal)).await?;
    }
    tokio::time::sleep(span / 4).await;
    let before = stage.reading();
    tokio::time::sleep(span).await;
    let costs = stage.reading().since(&before, &["broker", "webhook-sender"], 1);
    stage.stop().await;
    let share = |name: &str| {
        let cost = costs.iter().find(|cost| cost.process == name);
        cost.map_or(0.0, |cost| 100.0 * cost.cpu_seconds / span.as_secs_f64())
    };
    let more = BTreeMap::from([
        ("broker, % of a core", share("broker")),
        ("sender, % of a core", share("webhook-sender")),
    ]);
    let name = format!("idle: {webhooks} webhooks");
    Ok(Row {
        name,
        rate: spread(&[0.0])?,
        unit: "events/s",
        limit: None,
        costs,
        ledger: None,
        more,
    })
}
