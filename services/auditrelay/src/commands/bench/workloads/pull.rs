//! Reading a log page by page.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::setting::Setting;
use super::{Effort, spread};
use crate::commands::bench::report::{Limit, Row};
use crate::commands::bench::stats::per_second;
use crate::failure::Failure;

/// Pages of a thousand, one after the other, against reading the records as they are.
pub(super) async fn pull(setting: &Setting, effort: Effort) -> Result<Row, Failure> {
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
