//! `webhook quarantine`: events that the receiver refused one by one.

use std::process::ExitCode;

use clap::Subcommand;
use comfy_table::{Table, presets};
use http::Method;
use serde_json::{Value, json};

use super::ScopeArgs;
use crate::client::Client;
use crate::commands::org::{items, text};
use crate::failure::Failure;
use crate::output::{self, Output};

/// What to do with events in quarantine.
#[derive(Debug, clap::Args)]
// Also behind the action: `quarantine list --portal …`.
#[command(mut_arg("portal", |arg| arg.global(true)))]
pub(super) struct QuarantineArgs {
    #[command(flatten)]
    scope: ScopeArgs,
    #[command(subcommand)]
    action: QuarantineAction,
}

#[derive(Debug, Subcommand)]
enum QuarantineAction {
    /// List them, the newest first
    List {
        /// Only those that are parked, delivered or discarded
        #[arg(long, value_name = "STATE", value_parser = ["parked", "delivered", "discarded"])]
        state: Option<String>,
        /// How many: 1 to 100
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=100))]
        size: u64,
        /// Only those older than this one
        #[arg(long, value_name = "ID")]
        after: Option<u64>,
    },
    /// Show one with the event itself, as a JSON document
    Show {
        /// Its id in the list
        id: u64,
    },
    /// Send one again, to the destination that the webhook has now
    Resend {
        /// Its id in the list
        id: u64,
    },
    /// Never send one
    Discard {
        /// Its id in the list
        id: u64,
        /// Why, for those who read it later
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}

/// Does it.
pub(super) async fn run(
    client: &Client,
    args: QuarantineArgs,
    output: Output,
) -> Result<ExitCode, Failure> {
    let path = format!("/v1/webhooks/{}/quarantine", args.scope.name());
    match args.action {
        QuarantineAction::List { state, size, after } => {
            let after = after.map(|id| format!("&page[after]={id}")).unwrap_or_default();
            let state = state.map(|state| format!("&filter[state]={state}")).unwrap_or_default();
            let listed = client.get(&format!("{path}?page[size]={size}{after}{state}")).await?;
            match output {
                Output::Json => output::json(&listed),
                Output::Text => output::line(&table(&listed)),
            }
        }
        QuarantineAction::Show { id } => {
            output::json(&client.get(&format!("{path}/{id}")).await?);
        }
        QuarantineAction::Resend { id } => {
            let path = format!("{path}/{id}/resend");
            let shown = client.expect(Method::POST, &path, None).await?;
            let delivered = text(&shown, "state") == "delivered";
            match output {
                Output::Json => output::json(&shown),
                Output::Text => output::line(&last(&shown, delivered)),
            }
            return Ok(if delivered { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        QuarantineAction::Discard { id, reason } => {
            let body = json!({ "reason": reason.unwrap_or_default() });
            let path = format!("{path}/{id}/discard");
            let shown = client.expect(Method::POST, &path, Some(&body)).await?;
            match output {
                Output::Json => output::json(&shown),
                Output::Text => output::line(&format!("discarded {id}")),
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn table(listed: &Value) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["ID", "STATE", "SINCE", "EVENT", "STATUS", "ANSWER"]);
    for parked in items(listed) {
        let [id, state, at, event, message] =
            ["id", "state", "at", "event_id", "message"].map(|name| text(parked, name));
        table.add_row([id, state, at, event, &status(parked), message]);
    }
    table.to_string()
}

/// What came of the last release.
fn last(shown: &Value, delivered: bool) -> String {
    let releases = shown.get("releases").and_then(Value::as_array);
    let last = releases.and_then(|releases| releases.last()).unwrap_or(&Value::Null);
    let word = if delivered { "delivered" } else { "refused again" };
    format!("{word}: {} {}", status(last), text(last, "message"))
}

fn status(of: &Value) -> String {
    let status = of.get("status").and_then(Value::as_u64);
    status.map_or_else(|| "-".to_owned(), |status| status.to_string())
}
