//! `bench`: how fast it is on this machine, and how near to what the machine allows.
//!
//! Cast: the `stage` runs a broker and every service in processes of their own; `workloads` load it
//! and measure, alternately, the `limits` below it; `load` is the producers, `receiver` the SIEM,
//! `meter` the kernel's account of each process; `stats` and `report` say what it means. Machines
//! differ and neighbours disturb: what can be compared is the ratio of two figures of one run.

mod limits;
mod load;
mod meter;
mod receiver;
mod report;
mod stage;
mod stats;
mod workloads;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;
use url::Url;

use self::report::Row;
use self::stage::Given;
use self::workloads::{Effort, Rig, delivery, idle, ingest, latency, outage, start};
use super::org::PLATFORM_TOKEN;
use crate::client::server_url;
use crate::failure::Failure;
use crate::output::{self, Output};

const EXAMPLES: &str = "\
Examples:
  auditrelay bench                             everything, a quarter of an hour
  auditrelay bench --only deliver,latency      two of them
  auditrelay bench --quick --json bench.json   half a minute, for a look

Starts a broker and every service as processes of its own, on a store that is thrown away; or uses
those of --url, which must reach this machine's loopback addresses over plain http. Limits
are measured in between; compare ratios, not rates. Every run ends with a ledger: one in which not
every accepted event came exactly once does not count, and the command fails.";

/// What to measure.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BenchArgs {
    /// Only these workloads
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WORKLOAD")]
    only: Vec<Workload>,

    /// Short and small: shows that it works, not how fast it is
    #[arg(long)]
    quick: bool,

    /// Write the figures to this file too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Fail when a ratio is far below what it should be
    #[arg(long)]
    check: bool,

    /// Measure a running system instead: its API
    #[arg(long, value_name = "URL", value_parser = server_url, requires = "nats_url", requires = "platform_token")]
    url: Option<Url>,

    /// Its ingest, where that has an address of its own
    #[arg(long, value_name = "URL", value_parser = server_url, requires = "url")]
    ingest_url: Option<Url>,

    /// Its broker, with user and password if it wants them
    #[arg(long, value_name = "URL", requires = "url")]
    nats_url: Option<String>,

    /// Its platform token
    #[arg(long, env = PLATFORM_TOKEN, value_name = "TOKEN", hide_env_values = true)]
    platform_token: Option<String>,
}

/// The workloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Workload {
    /// Events in, synced always
    Ingest,
    /// Events in, synced as the broker does by default
    IngestDefault,
    /// Live delivery to one webhook, a replay and pages of the same
    Deliver,
    /// The same load over more and more webhooks
    FanOut,
    /// From the answer to the receiver, at 200 events a second
    Latency,
    /// After an outage of the receiver
    CatchUp,
    /// Webhooks that have nothing to do
    Idle,
    /// From the start of the all-in-one to its first answer
    Start,
}

impl Workload {
    const ALL: [Self; 8] = [
        Self::Ingest,
        Self::IngestDefault,
        Self::Deliver,
        Self::FanOut,
        Self::Latency,
        Self::CatchUp,
        Self::Idle,
        Self::Start,
    ];

    async fn run(self, rig: &Rig) -> Result<Vec<Row>, Failure> {
        match self {
            Self::Ingest => ingest::run(rig, true).await,
            Self::IngestDefault => ingest::run(rig, false).await,
            Self::Deliver => delivery::one_receiver(rig).await,
            Self::FanOut => delivery::fan_out(rig).await,
            Self::Latency => latency::run(rig).await,
            Self::CatchUp => outage::catch_up(rig).await,
            Self::Idle => idle::run(rig).await,
            Self::Start => start::run(rig).await,
        }
    }

    /// A given system is not started anew, and its broker syncs as it does; what its webhooks cost
    /// cannot be seen.
    fn suits(self, rig: &Rig) -> bool {
        rig.given.is_none() || !matches!(self, Self::IngestDefault | Self::Idle | Self::Start)
    }
}

/// Ratios below which something is wrong, by how a workload's name begins. Far below what is usual,
/// so that a neighbour's noise does not fail a build.
const FLOORS: [(&str, f64); 4] = [
    ("ingest: 1 a request", 0.1),
    ("ingest: 500 a request", 0.15),
    ("deliver: 1 webhook", 0.1),
    ("replay", 0.3),
];

/// Measures and prints.
pub(crate) async fn run(args: BenchArgs, output: Output) -> Result<ExitCode, Failure> {
    if cfg!(debug_assertions) {
        output::note("this build is not optimized: its figures say nothing");
    }
    let rig = rig(&args)?;
    let mut rows = Vec::new();
    let chosen = |workload: &Workload| args.only.is_empty() || args.only.contains(workload);
    for workload in Workload::ALL.into_iter().filter(chosen).filter(|one| one.suits(&rig)) {
        output::note(&format!("measuring {workload:?} …"));
        rows.extend(workload.run(&rig).await?);
    }
    let document = json!({
        "optimized": !cfg!(debug_assertions),
        "quick": args.quick,
        "workloads": rows.iter().map(Row::document).collect::<Vec<_>>(),
    });
    if let Some(path) = &args.json {
        let written = std::fs::write(path, format!("{document:#}\n"));
        written.map_err(Failure::io(path.display().to_string()))?;
    }
    match output {
        Output::Text => output::line(&report::table(&rows)),
        Output::Json => output::json(&document),
    }
    let findings = findings(&rows, args.check);
    for finding in &findings {
        output::note(finding);
    }
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn rig(args: &BenchArgs) -> Result<Rig, Failure> {
    let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).build();
    let given = match (&args.url, &args.nats_url, &args.platform_token) {
        (Some(api), Some(nats), Some(token)) => Some(Given {
            api: api.clone(),
            ingest: args.ingest_url.clone().unwrap_or_else(|| api.clone()),
            nats: nats.clone(),
            platform_token: token.clone(),
        }),
        _ => None,
    };
    let effort = if args.quick { Effort::QUICK } else { Effort::FULL };
    Ok(Rig { http: http.map_err(anyhow::Error::from)?, effort, given })
}

fn findings(rows: &[Row], check: bool) -> Vec<String> {
    let lost = rows.iter().filter(|row| !row.counts());
    let lost = lost.map(|row| format!("{}: the ledger does not balance", row.name));
    let slow = rows.iter().filter(|_| check).filter_map(|row| {
        let (_, floor) = FLOORS.iter().find(|(name, _)| row.name.starts_with(name))?;
        let ratio = row.ratio().filter(|ratio| ratio < floor)?;
        Some(format!("{}: the ratio {ratio:.2} is below {floor}", row.name))
    });
    lost.chain(slow).collect()
}

#[cfg(test)]
mod tests;
