//! `token`: tokens of an organization.

use std::process::ExitCode;
use std::time::Duration;

use auditrelay_model::Clock;
use auditrelay_model::id::{OrgId, TokenId};
use auditrelay_model::token::Role;
use auditrelay_runtime::clock::SystemClock;
use clap::Subcommand;
use comfy_table::{Table, presets};
use http::Method;
use serde_json::{Value, json};

use super::org::{PLATFORM_TOKEN, items, text};
use crate::client::{Client, ServerArgs};
use crate::failure::Failure;
use crate::output::{self, Output};
use crate::span;

const EXAMPLES: &str = "\
Examples:
  auditrelay token create --org 998db3e4-… --name exporter --role producer
  auditrelay token create --org 998db3e4-… --name ci --role viewer --expires-in 90d
  auditrelay token list --org 998db3e4-…
  auditrelay token revoke --org 998db3e4-… 7c1d1f0e-…

A token is shown once, when it is made. The platform token is read from
$AUDITRELAY_PLATFORM_TOKEN, or from --token-file.";

/// What to do with tokens.
#[derive(Debug, clap::Args)]
// Also behind the action: `org list --url …`.
#[command(
    after_help = EXAMPLES,
    mut_arg("url", |arg| arg.global(true)),
    mut_arg("token_file", |arg| arg.global(true))
)]
pub(crate) struct TokenArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[command(subcommand)]
    action: TokenAction,
}

#[derive(Debug, Subcommand)]
enum TokenAction {
    /// Make a token and print it
    Create {
        /// The organization it belongs to
        #[arg(long, value_name = "ID")]
        org: OrgId,
        /// What people call it
        #[arg(long)]
        name: String,
        /// What it may do: admin, viewer or producer
        #[arg(long, value_parser = role)]
        role: Role,
        /// When it ends, counted from now; without it when it is revoked
        #[arg(long, value_name = "TIME", value_parser = span::parse)]
        expires_in: Option<Duration>,
    },
    /// List the tokens of an organization
    List {
        /// The organization
        #[arg(long, value_name = "ID")]
        org: OrgId,
    },
    /// End a token at once
    Revoke {
        /// The organization
        #[arg(long, value_name = "ID")]
        org: OrgId,
        /// The token's id
        id: TokenId,
    },
}

fn role(text: &str) -> Result<Role, String> {
    Role::from_name(text).ok_or_else(|| "expected admin, viewer or producer".to_owned())
}

/// Does it.
pub(crate) async fn run(args: TokenArgs, output: Output) -> Result<ExitCode, Failure> {
    let client = Client::from_env(&args.server, PLATFORM_TOKEN)?;
    match args.action {
        TokenAction::Create { org, name, role, expires_in } => {
            let mut body = json!({ "name": name, "role": role.name() });
            if let (Some(span), Some(members)) = (expires_in, body.as_object_mut()) {
                let ends = SystemClock.now() + span;
                members.insert("expires_at".to_owned(), json!(ends.to_string()));
            }
            let made = client.expect(Method::POST, &path(org), Some(&body)).await?;
            match output {
                Output::Json => output::json(&made),
                // The token alone, for $(…).
                Output::Text => output::line(text(&made, "token")),
            }
        }
        TokenAction::List { org } => {
            let listed = client.get(&path(org)).await?;
            match output {
                Output::Json => output::json(&listed),
                Output::Text => output::line(&table(&listed)),
            }
        }
        TokenAction::Revoke { org, id } => {
            client.expect(Method::DELETE, &format!("{}/{id}", path(org)), None).await?;
            match output {
                Output::Json => output::json(&json!({ "revoked": id.to_string() })),
                Output::Text => output::line(&format!("revoked {id}")),
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn path(org: OrgId) -> String {
    format!("/v1/organizations/{org}/tokens")
}

fn table(listed: &Value) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["ID", "NAME", "ROLE", "PREFIX", "ENDS"]);
    for token in items(listed) {
        let columns = ["id", "name", "role", "prefix", "expires_at"];
        table.add_row(columns.map(|column| text(token, column)));
    }
    table.to_string()
}
