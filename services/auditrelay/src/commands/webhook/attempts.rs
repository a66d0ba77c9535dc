//! `webhook attempts`: the requests of the last seven days.

use std::process::ExitCode;

use comfy_table::{Table, presets};
use serde_json::Value;

use super::ScopeArgs;
use crate::client::Client;
use crate::commands::org::{items, text};
use crate::failure::Failure;
use crate::output::{self, Output};

/// Which requests.
#[derive(Debug, clap::Args)]
pub(super) struct AttemptsArgs {
    #[command(flatten)]
    scope: ScopeArgs,
    /// Only those that were delivered, or that failed
    #[arg(long, value_name = "OUTCOME", value_parser = ["delivered", "failed"])]
    outcome: Option<String>,
    /// The lane of this replay job instead of the live one
    #[arg(long, value_name = "ID")]
    job: Option<auditrelay_model::id::JobId>,
    /// How many: 1 to 100
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=100))]
    size: u64,
    /// Only those older than this one
    #[arg(long, value_name = "ID")]
    after: Option<u64>,
}

/// Does it.
pub(super) async fn run(
    client: &Client,
    args: AttemptsArgs,
    output: Output,
) -> Result<ExitCode, Failure> {
    let mut path = format!("/v1/webhooks/{}/attempts?page[size]={}", args.scope.name(), args.size);
    let wishes = [
        ("filter[outcome]", args.outcome),
        ("filter[lane]", args.job.map(|job| job.to_string())),
        ("page[after]", args.after.map(|id| id.to_string())),
    ];
    for (name, value) in wishes {
        if let Some(value) = value {
            path.extend(["&", name, "=", &value]);
        }
    }
    let listed = client.get(&path).await?;
    match output {
        Output::Json => output::json(&listed),
        Output::Text => output::line(&table(&listed)),
    }
    Ok(ExitCode::SUCCESS)
}

fn table(listed: &Value) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["ID", "AT", "TOOK", "EVENTS", "TRY", "STATUS", "ANSWER"]);
    for attempt in items(listed) {
        let number = |name: &str| {
            let number = attempt.get(name).and_then(Value::as_u64);
            number.map_or_else(|| "-".to_owned(), |number| number.to_string())
        };
        let took = format!("{} ms", number("duration_ms"));
        table.add_row([
            text(attempt, "id"),
            text(attempt, "at"),
            &took,
            &number("events"),
            &number("attempt"),
            &number("status"),
            text(attempt, "message"),
        ]);
    }
    table.to_string()
}
