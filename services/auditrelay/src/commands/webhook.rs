//! `webhook`: does it work, and what has it done?

mod attempts;
mod quarantine;
mod test;

use std::process::ExitCode;

use auditrelay_model::id::PortalId;
use clap::Subcommand;

use crate::client::ServerArgs;
use crate::failure::Failure;
use crate::output::Output;

const EXAMPLES: &str = "\
Examples:
  auditrelay webhook test
  auditrelay webhook test --portal 3e551b39-…
  auditrelay webhook test --destination 7c1d1f0e-… --output json
  auditrelay webhook test --endpoint https://siem.example.com/in --authorization-file token.txt
  auditrelay webhook attempts --outcome failed
  auditrelay webhook quarantine list --state parked
  auditrelay webhook quarantine resend 1042

A test sends one made-up event and says how far it came; the exit code is 0 when it was taken.";

/// What to ask of a webhook.
#[derive(Debug, clap::Args)]
// Also behind the action: `webhook test --url …`.
#[command(
    after_help = EXAMPLES,
    mut_arg("url", |arg| arg.global(true)),
    mut_arg("token_file", |arg| arg.global(true))
)]
pub(crate) struct WebhookArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[command(subcommand)]
    action: WebhookAction,
}

#[derive(Debug, Subcommand)]
enum WebhookAction {
    /// Send a test event and show every step of it
    Test(test::TestArgs),
    /// Show the requests of the last seven days, the newest first
    Attempts(attempts::AttemptsArgs),
    /// Show, send again or discard events that the receiver refused one by one
    Quarantine(quarantine::QuarantineArgs),
}

/// Whose webhook.
#[derive(Debug, clap::Args)]
struct ScopeArgs {
    /// The portal whose log is meant; without it the organization's own
    #[arg(long, value_name = "ID")]
    portal: Option<PortalId>,
}

impl ScopeArgs {
    /// The scope's name in paths.
    fn name(&self) -> String {
        self.portal.map_or_else(|| "org".to_owned(), |portal| portal.to_string())
    }
}

/// Does it.
pub(crate) async fn run(args: WebhookArgs, output: Output) -> Result<ExitCode, Failure> {
    let client = crate::client::Client::from_args(&args.server)?;
    match args.action {
        WebhookAction::Test(args) => test::run(&client, args, output).await,
        WebhookAction::Attempts(args) => attempts::run(&client, args, output).await,
        WebhookAction::Quarantine(args) => quarantine::run(&client, args, output).await,
    }
}
