//! What can be asked for on the command line.

use std::path::PathBuf;

use auditrelay_runtime::telemetry::{LogFilter, LogFormat};
use clap::builder::styling::{AnsiColor, Styles};
use clap::{Parser, Subcommand};

use crate::commands;
use crate::output::Output;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const EXAMPLES: &str = "\
Examples:
  auditrelay demo                       see the whole story in under a minute
  auditrelay dev                        every service on this machine
  auditrelay send --count 100           some events that look real
  auditrelay replay --last 6h --wait    send the last six hours again
  auditrelay webhook test               does the receiver take an event?
  auditrelay listen                     a SIEM on this machine
  auditrelay verify events.log          is what the SIEM stored complete and genuine?

Environment:
  AUDITRELAY_URL         where the client commands find the server
  AUDITRELAY_INGEST_URL  where `send` finds ingest, when it is elsewhere
  AUDITRELAY_TOKEN       what they show it
  NO_COLOR               plain text on terminals too

Exit codes:
  0 done   1 refused or failed   64 wrong usage   69 unreachable   74 I/O   78 wrong settings";

/// Keeps audit logs and delivers them to SIEM webhooks; what was missed is sent again.
#[derive(Debug, Parser)]
#[command(name = "auditrelay", version, styles = STYLES, after_help = EXAMPLES)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// How answers are written
    #[arg(long, global = true, value_enum, default_value = "text", value_name = "FORMAT")]
    pub(crate) output: Output,

    /// Settings file (TOML); environment variables win over it
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// How services write their log: json or pretty
    #[arg(long, global = true, value_name = "FORMAT", value_parser = log_format)]
    pub(crate) log_format: Option<LogFormat>,

    /// What services log: error, warn, info, debug, trace, or a filter such as `info,hyper=debug`
    #[arg(long, global = true, value_name = "FILTER", value_parser = log_filter)]
    pub(crate) log: Option<LogFilter>,
}

fn log_format(text: &str) -> Result<LogFormat, String> {
    text.parse().map_err(|()| "expected json or pretty".to_owned())
}

fn log_filter(text: &str) -> Result<LogFilter, String> {
    text.parse()
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show a misconfigured webhook, its repair and a replay, for real
    Demo(commands::demo::DemoArgs),
    /// Run every service on this machine, with a broker of their own
    Dev(commands::dev::DevArgs),

    /// Send audit events: samples, or your own
    Send(commands::send::SendArgs),
    /// Send a stretch of the past again to the webhook that is configured now
    Replay(commands::replay::ReplayArgs),
    /// Receive deliveries as a SIEM would
    Listen(commands::listen::ListenArgs),
    /// Test a webhook, show its requests, look after refused events
    Webhook(commands::webhook::WebhookArgs),
    /// Show or change which fields of events are masked or hashed before they are stored
    Privacy(commands::privacy::PrivacyArgs),

    /// Check what a SIEM has stored: signatures, and that nothing is missing
    Verify(commands::verify::VerifyArgs),

    /// Make and list organizations (platform token)
    Org(commands::org::OrgArgs),
    /// Make, list and revoke tokens of an organization (platform token)
    Token(commands::token::TokenArgs),
    /// Make and rotate key files
    Keys(commands::keys::KeysArgs),

    /// Measure how fast it is here, and what the machine allows
    Bench(commands::bench::BenchArgs),

    /// Service: take audit events in
    Ingest(commands::service::ServiceArgs),
    /// Service: keep the streams true, seven days long
    Retention(commands::service::ServiceArgs),
    /// Service: decide, plan and watch replay jobs
    ReplayScheduler(commands::service::ServiceArgs),
    /// Service: deliver to webhooks
    WebhookSender(commands::service::ServiceArgs),
    /// Service: the HTTP API and the console
    Api(commands::service::ServiceArgs),

    /// Ask a service on this machine whether it is ready
    Health(commands::health::HealthArgs),
    /// Check settings, or print every setting there is
    Config(commands::config::ConfigArgs),
    /// Print a completion script for a shell
    #[command(
        after_help = "Example:\n  auditrelay completions bash > /etc/bash_completion.d/auditrelay"
    )]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the version
    Version,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_and_argument_explains_itself() {
        fn explained(command: &clap::Command) {
            let name = command.get_name();
            assert!(command.get_about().is_some(), "{name} has no description");
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{name}: {} has no help", argument.get_id());
            }
            command.get_subcommands().for_each(explained);
        }
        explained(&Cli::command());
    }
}
