//! How long the all-in-one takes to be there again, with a store that holds something.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use auditrelay_broker::{Broker, BrokerOptions, find_or_provide};
use reqwest::Client;
use tokio::process::Command;
use tokio::time::Instant;

use super::delivery::BATCH;
use super::setting::Setting;
use super::{Rig, spread};
use crate::commands::bench::report::{Limit, Row};
use crate::commands::bench::stage::{self, PATIENCE};
use crate::failure::Failure;

/// Starts of the all-in-one and of its broker alone, in turn, on the same store.
pub(in crate::commands::bench) async fn run(rig: &Rig) -> Result<Vec<Row>, Failure> {
    let setting = Setting::new(rig, BATCH).await?;
    let _stored = setting.deliver(rig.effort.events).await;
    let Some(data) = setting.stage.leave().await else { return Ok(Vec::new()) };
    // The first start of all finds a store that nobody has read since it was written.
    let _first = broker(data.path()).await?;
    let (mut starts, mut limits) = (Vec::new(), Vec::new());
    for _ in 0..rig.effort.rounds {
        limits.push(broker(data.path()).await?.recip());
        starts.push(all_in_one(&rig.http, data.path()).await?.recip());
    }
    let (rate, limit) = (spread(&starts)?, spread(&limits)?);
    Ok(vec![Row {
        name: "start of the all-in-one".to_owned(),
        rate,
        unit: "starts/s",
        limit: Some(Limit { what: "broker alone", rate: limit }),
        costs: Vec::new(),
        ledger: None,
        more: BTreeMap::from([
            ("ready after, ms", 1_000.0 / rate.median),
            ("broker ready after, ms", 1_000.0 / limit.median),
        ]),
    }])
}

/// Seconds until the broker takes connections.
async fn broker(data: &Path) -> Result<f64, Failure> {
    let binary = find_or_provide().await.map_err(anyhow::Error::from)?;
    let options = BrokerOptions::new(data.join("nats"));
    let began = Instant::now();
    let broker = Broker::start(&binary, options).await.map_err(anyhow::Error::from)?;
    let took = began.elapsed();
    broker.stop().await;
    Ok(took.as_secs_f64())
}

/// Seconds until a request is answered.
async fn all_in_one(http: &Client, data: &Path) -> Result<f64, Failure> {
    let failed = |error| Failure::io("dev")(error);
    let (listen, admin) = (stage::free_address().await?, stage::free_address().await?);
    let mut command = Command::new(std::env::current_exe().map_err(failed)?);
    command.arg("dev").arg("--data").arg(data).arg("--listen").arg(listen.to_string());
    command.env("AUDITRELAY_ADMIN_LISTEN", admin.to_string());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let began = Instant::now();
    let mut child = command.spawn().map_err(failed)?;
    let url = format!("http://{listen}/v3/portals");
    let answered = async {
        while http.get(&url).send().await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    };
    let answered = tokio::time::timeout(PATIENCE, answered).await;
    let took = began.elapsed();
    stage::end(&mut child).await;
    answered.map_err(|_| Failure::Unreachable("dev did not become ready".to_owned()))?;
    Ok(took.as_secs_f64())
}
