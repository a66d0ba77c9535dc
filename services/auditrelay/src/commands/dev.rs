//! `dev`: every service on this machine.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use auditrelay_runtime::lifecycle::Stopped;
use auditrelay_runtime::telemetry::{LogFilter, LogFormat};
use serde_json::json;

use crate::cli::Global;
use crate::failure::Failure;
use crate::output::{self, Output, Paint};
use crate::system::{Plan, System, SystemOptions, default_data};

const EXAMPLES: &str = "\
Examples:
  auditrelay dev
  auditrelay dev --data /var/tmp/auditrelay --listen 0.0.0.0:8080
  auditrelay dev --nats-url nats://127.0.0.1:4222     with a broker that runs already

Keys, tokens and events stay in the data folder between runs. Destinations may be plain http and
on this machine. Ctrl-C drains in order: http, sender, scheduler, broker.";

/// How to run everything.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DevArgs {
    /// Where everything is kept
    #[arg(
        long,
        value_name = "DIR",
        help = "Where everything is kept [default: $XDG_DATA_HOME/auditrelay, or ./.auditrelay]"
    )]
    data: Option<PathBuf>,

    /// Where the API and ingest listen
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    listen: SocketAddr,

    /// Use this broker instead of running one
    #[arg(long, value_name = "URL")]
    nats_url: Option<String>,
}

/// Runs everything until it is told to stop.
pub(crate) async fn run(args: DevArgs, global: &Global) -> Result<ExitCode, Failure> {
    let data = args.data.unwrap_or_else(default_data);
    let options = SystemOptions {
        data: data.clone(),
        listen: args.listen,
        nats_url: args.nats_url,
        settings: Vec::new(),
    };
    let plan = Plan::new(options, &for_people(global))?;
    let guard = plan.process.telemetry("all")?;
    let mut interrupts = super::Interrupts::listen()?;
    let system = plan.start().await?;
    tell(&system, &data, global.output);
    tokio::select! {
        () = interrupts.next() => {}
        () = system.failed() => output::note("a part has failed: stopping"),
    }
    output::note("stopping: http, sender, scheduler, broker (Ctrl-C again ends at once)");
    let stopped = tokio::select! {
        stopped = system.stop() => stopped,
        () = interrupts.next() => Stopped::Forced,
    };
    guard.shutdown().await;
    Ok(if stopped == Stopped::Clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A terminal is no log collector, and here only trouble is news.
fn for_people(global: &Global) -> Global {
    let quiet = || "warn".parse::<LogFilter>().ok();
    Global {
        log_format: global.log_format.or(Some(LogFormat::Pretty)),
        log: global.log.clone().or_else(quiet),
        ..global.clone()
    }
}

fn tell(system: &System, data: &Path, output: Output) {
    let System { url, admin, tokens, .. } = system;
    let url = url.as_str().trim_end_matches('/');
    if output == Output::Json {
        output::json(&json!({
            "url": url,
            "admin_url": admin.map(|address| format!("http://{address}")),
            "data": data.display().to_string(),
            "organization": tokens.organization,
            "admin_token": tokens.admin,
            "producer_token": tokens.producer,
            "jwks": format!("{url}/v2/audit-log-webhook/jwks.json"),
        }));
        return;
    }
    let paint = Paint::for_stdout();
    output::line(&format!(
        "{} is ready on {}\n\n  \
         console         {url}/console  (sign in with the admin token)\n  \
         organization    {}\n  admin token     {}\n  producer token  {}\n  data            {}\n",
        paint.bold("auditrelay"),
        paint.bold(url),
        tokens.organization,
        tokens.admin,
        tokens.producer,
        data.display(),
    ));
    if let Some(admin) = admin {
        output::line(&format!("  operators       http://{admin}/ready and /metrics\n"));
    }
    output::line(&format!(
        "Try, in another terminal:\n\n  \
         export AUDITRELAY_URL={url} AUDITRELAY_TOKEN={}\n  \
         auditrelay listen --connect\n  \
         auditrelay send --count 100\n\n{}\n",
        tokens.admin,
        with_curl(url),
    ));
}

/// The same without our own commands.
fn with_curl(url: &str) -> String {
    CURL.replace("URL", url)
}

const CURL: &str = r#"or with curl:

  alias ask='curl -sS -H "Authorization: Bearer $AUDITRELAY_TOKEN" -H "Content-Type: application/json"'
  ask URL/v3/audit-log-destinations -d '{"name": "siem", "log_format": "json",
    "endpoint": "http://127.0.0.1:19090/audit-logs", "authorization": "Bearer siem"}'
  ask URL/v3/audit-log-webhook -X PATCH -d '{"enabled": true, "audit_log_destination_id": "<id>"}'
  ask URL/v1/audit-events -d '{"type": "authentication", "authentication_type": "basic",
    "outcome": "success", "ts": "'$(date -u +%FT%TZ)'"}'"#;
