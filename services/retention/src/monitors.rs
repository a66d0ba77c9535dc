//! What brokers say of themselves on their monitoring ports: whether they still write to disk what
//! they acknowledge. No client of theirs is told that.

use std::time::Duration;

use anyhow::{Context as _, bail};
use auditrelay_retention_core::risk::{self, Risk};
use serde_json::Value;

/// For one broker, all in all.
const PATIENCE: Duration = Duration::from_secs(3);
/// What a broker says is a few kilobytes.
const ANSWER_MAX: usize = 1 << 20;

/// The brokers that keep what they acknowledge in memory for a while. Of one that does not answer
/// nothing is known; that it is away is told elsewhere.
pub(crate) async fn unsynced(monitors: &[String]) -> Option<Risk> {
    if monitors.is_empty() {
        return None;
    }
    let client = client()
        .inspect_err(|error| tracing::warn!(%error, "no broker can be asked whether it syncs"))
        .ok()?;
    let mut unsynced = Vec::new();
    for monitor in monitors {
        match syncs(&client, monitor).await {
            Ok(true) => {}
            Ok(false) => unsynced.push(monitor.as_str()),
            Err(error) => {
                tracing::warn!(
                    monitor,
                    error = format!("{error:#}"),
                    "a broker does not say whether it syncs"
                );
            }
        }
    }
    risk::unsynced(&unsynced)
}

fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
}

async fn syncs(client: &reqwest::Client, monitor: &str) -> anyhow::Result<bool> {
    let asked = format!("{}/jsz", monitor.trim_end_matches('/'));
    let mut answer = client.get(asked).send().await?.error_for_status()?;
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await? {
        body.extend_from_slice(&part);
        if body.len() > ANSWER_MAX {
            bail!("it says more than {ANSWER_MAX} bytes");
        }
    }
    let said: Value = serde_json::from_slice(&body)?;
    let config = said.get("config").context("it says nothing of JetStream")?;
    Ok(config.get("sync_always").and_then(Value::as_bool).unwrap_or(false))
}
