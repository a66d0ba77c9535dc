//! `health`: is a service on this machine ready; what a container's health check asks.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;

use super::service::{Role, role};
use crate::cli::Global;
use crate::failure::Failure;
use crate::output::{self, Output};
use crate::process::{self, Process};

const EXAMPLES: &str = "\
Examples:
  auditrelay health api                  exit code 0 when it is ready, 1 when it is not
  auditrelay health --live ingest        only whether it answers at all

It asks the admin port that the service's own settings name, on this machine.";

/// Longer than any answer takes of a process that does well.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whose health.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct HealthArgs {
    /// The service: ingest, retention, replay-scheduler, webhook-sender or api
    #[arg(value_parser = role)]
    service: Role,

    /// Only whether it answers, also while it waits for the broker
    #[arg(long)]
    live: bool,
}

pub(crate) async fn run(args: HealthArgs, global: &Global) -> Result<ExitCode, Failure> {
    // Only its own part is read; what is wrong elsewhere is the service's to say.
    let mut settings = process::load(global.config.as_deref(), &[])?;
    let process = Process::parse(&mut settings, args.service.name(), global);
    let path = if args.live { "live" } else { "ready" };
    let url = format!("http://{}/{path}", on_this_machine(process.admin));
    let asked = async {
        let answer = reqwest::get(&url).await?;
        let healthy = answer.status().is_success();
        Ok::<_, reqwest::Error>((healthy, answer.json::<Value>().await?))
    };
    let unreachable = |why: String| Failure::Unreachable(format!("{url}: {why}"));
    let (healthy, body) = tokio::time::timeout(PATIENCE, asked)
        .await
        .map_err(|_| unreachable("no answer in time".to_owned()))?
        .map_err(|error| unreachable(error.to_string()))?;
    match global.output {
        Output::Json => output::json(&body),
        Output::Text => output::line(&in_words(&body)),
    }
    Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What listens on every address is asked through loopback.
fn on_this_machine(admin: SocketAddr) -> SocketAddr {
    match admin {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => {
            SocketAddr::from(([127, 0, 0, 1], admin.port()))
        }
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => {
            SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, admin.port()))
        }
        SocketAddr::V4(_) | SocketAddr::V6(_) => admin,
    }
}

/// The status, and what is missing.
fn in_words(body: &Value) -> String {
    let text = |value: &Value, name: &str| {
        value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let missing = body.get("missing").and_then(Value::as_array);
    let parts = missing
        .into_iter()
        .flatten()
        .map(|part| format!("\n  {}: {}", text(part, "part"), text(part, "reason")));
    text(body, "status") + &parts.collect::<String>()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_missing_is_said() {
        let body = json!({"status": "not ready", "missing": [{"part": "nats", "reason": "away"}]});
        assert_eq!(in_words(&body), "not ready\n  nats: away");
    }

    #[test]
    fn a_wildcard_is_asked_through_loopback() {
        assert_eq!(on_this_machine("0.0.0.0:9464".parse().unwrap()).to_string(), "127.0.0.1:9464");
        assert_eq!(on_this_machine("[::]:1".parse().unwrap()).to_string(), "[::1]:1");
    }
}
