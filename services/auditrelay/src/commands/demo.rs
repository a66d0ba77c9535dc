//! `demo`: a misconfigured webhook, its repair and a replay, for real and explained as it goes.
//!
//! Cast: the [`System`] is the all-in-one on a store that is thrown away; the `stage` shows every
//! call to its public API; the `producer` sends events all the while; two receivers are the SIEMs;
//! the `story` is what happens, and the `account` at its end goes through every accepted event by
//! id. Nothing is pretended: what was not seen is said to be unseen.

mod account;
mod producer;
mod stage;
mod story;
mod watch;

use std::process::ExitCode;
use std::time::Duration;

use auditrelay_runtime::lifecycle::Stopped;
use auditrelay_runtime::telemetry::{LogFilter, LogFormat};
use serde_json::json;
use tokio::time::Instant;

use self::account::Account;
use self::stage::Stage;
use super::Interrupts;
use crate::cli::Global;
use crate::failure::Failure;
use crate::output::{self, Output, Paint};
use crate::span;
use crate::system::{Plan, System, SystemOptions};

const EXAMPLES: &str = "\
Examples:
  auditrelay demo
  auditrelay demo --output json      only the account, for programs
  auditrelay demo --log info         with the services' own log on stderr

It takes under a minute, uses ports and a folder of its own, and leaves nothing behind. The exit
code is 0 only when every event is accounted for.";

/// The whole demo takes no longer.
const DEADLINE: Duration = Duration::from_secs(58);

/// How to show it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DemoArgs {}

/// Runs the demo on a system of its own and tells how it went.
pub(crate) async fn run(_args: DemoArgs, global: &Global) -> Result<ExitCode, Failure> {
    let began = Instant::now();
    let mut interrupts = Interrupts::listen()?;
    let folder = tempfile::Builder::new()
        .prefix("auditrelay-demo-")
        .tempdir()
        .map_err(Failure::io("temporary folder"))?;
    let options = SystemOptions {
        data: folder.path().to_owned(),
        listen: ([127, 0, 0, 1], 0).into(),
        nats_url: None,
        settings: own_settings(),
    };
    let plan = Plan::new(options, &quiet(global))?;
    let guard = plan.process.telemetry("all")?;
    let stage = Stage::new(global.output);
    stage.title("A missed audit log, and how it comes back");
    stage.say("Starting every service in this process, with a broker of their own …");
    let system = plan.start().await?;
    stage.say(&format!("Ready after {} ms on {}", began.elapsed().as_millis(), system.url));
    let told = tell(&system, stage, began, &mut interrupts).await;
    let stopped = system.stop().await;
    guard.shutdown().await;
    drop(folder);
    Ok(conclude(&told?, stopped, global.output, began.elapsed()))
}

/// Beside the ports, small batches: a replay of so few events would be over in one request; and
/// nothing in the logs but what the demo sends, because it counts.
fn own_settings() -> Vec<(String, String)> {
    let pairs = [
        ("AUDITRELAY_ADMIN_LISTEN", "127.0.0.1:0"),
        ("AUDITRELAY_SENDER_BATCH_EVENTS", "200"),
        ("AUDITRELAY_INGEST_TRAIL", "false"),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// The story, unless time is over or somebody ends it.
async fn tell(
    system: &System,
    stage: Stage,
    began: Instant,
    interrupts: &mut Interrupts,
) -> Result<Account, Failure> {
    tokio::select! {
        account = story::play(system, stage) => account,
        () = tokio::time::sleep_until(began + DEADLINE) => Err(Failure::Other(anyhow::anyhow!(
            "the demo did not come to its end within {}", span::show(DEADLINE)
        ))),
        () = system.failed() => Err(Failure::Other(anyhow::anyhow!("a service has failed"))),
        () = interrupts.next() => Err(Failure::Other(anyhow::anyhow!("interrupted"))),
    }
}

fn conclude(account: &Account, stopped: Stopped, output: Output, took: Duration) -> ExitCode {
    let good = account.is_good() && stopped == Stopped::Clean;
    match output {
        Output::Json => {
            let mut document = account.to_json();
            if let Some(members) = document.as_object_mut() {
                members.insert("ok".to_owned(), json!(good));
                members.insert("took_ms".to_owned(), json!(took.as_millis()));
            }
            output::json(&document);
        }
        Output::Text => {
            let paint = Paint::for_stdout();
            output::line(&format!("\n{}\n", account.table(paint)));
            let verdict = if good {
                paint.green("Every event is accounted for.")
            } else {
                paint.red(&account.complaint(stopped))
            };
            output::line(&format!("{verdict} It took {}.", span::show(took)));
        }
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The story is told on stdout; the services' own log would only be in its way.
fn quiet(global: &Global) -> Global {
    let off = || "off".parse::<LogFilter>().ok();
    Global {
        log_format: global.log_format.or(Some(LogFormat::Pretty)),
        log: global.log.clone().or_else(off),
        ..global.clone()
    }
}
