//! `org`: organizations of the platform.

use std::process::ExitCode;

use clap::Subcommand;
use http::Method;
use serde_json::{Value, json};

use crate::client::{Client, ServerArgs};
use crate::failure::Failure;
use crate::output::{self, Output};

/// Holds the platform's token, so that `AUDITRELAY_TOKEN` can stay an organization's.
pub(crate) const PLATFORM_TOKEN: &str = "AUDITRELAY_PLATFORM_TOKEN";

const EXAMPLES: &str = "\
Examples:
  auditrelay org create Acme
  auditrelay org list --output json

The platform token is read from $AUDITRELAY_PLATFORM_TOKEN, or from --token-file.";

/// What to do with organizations.
#[derive(Debug, clap::Args)]
// Also behind the action: `org list --url …`.
#[command(
    after_help = EXAMPLES,
    mut_arg("url", |arg| arg.global(true)),
    mut_arg("token_file", |arg| arg.global(true))
)]
pub(crate) struct OrgArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[command(subcommand)]
    action: OrgAction,
}

#[derive(Debug, Subcommand)]
enum OrgAction {
    /// Make an organization
    Create {
        /// Its name
        name: String,
    },
    /// List all organizations
    List,
}

/// Does it.
pub(crate) async fn run(args: OrgArgs, output: Output) -> Result<ExitCode, Failure> {
    let client = Client::from_env(&args.server, PLATFORM_TOKEN)?;
    let path = "/v1/organizations";
    match args.action {
        OrgAction::Create { name } => {
            let made = client.expect(Method::POST, path, Some(&json!({ "name": name }))).await?;
            match output {
                Output::Json => output::json(&made),
                Output::Text => output::line(text(&made, "id")),
            }
        }
        OrgAction::List => {
            let listed = client.get(path).await?;
            match output {
                Output::Json => output::json(&listed),
                Output::Text => {
                    for org in items(&listed) {
                        output::line(&format!("{}  {}", text(org, "id"), text(org, "name")));
                    }
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The list itself, or what a page of it holds.
pub(super) fn items(document: &Value) -> impl Iterator<Item = &Value> {
    let list = document.as_array().or_else(|| document.get("data").and_then(Value::as_array));
    list.into_iter().flatten()
}

/// A text member; a dash when there is none.
pub(super) fn text<'a>(document: &'a Value, name: &str) -> &'a str {
    document.get(name).and_then(Value::as_str).unwrap_or("-")
}
