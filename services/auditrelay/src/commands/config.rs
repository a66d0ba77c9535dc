//! `config`: are the settings in order, and which settings are there.

mod reference;

use std::collections::BTreeSet;
use std::process::ExitCode;

use auditrelay_runtime::settings::{Mistakes, Settings};
use serde_json::json;

use super::service::{Configured, Role, role};
use crate::cli::Global;
use crate::failure::Failure;
use crate::output::{self, Output};
use crate::process::{self, Process};

const EXAMPLES: &str = "\
Examples:
  auditrelay config check                          the settings of every service
  auditrelay config check --service ingest --config auditrelay.toml
  auditrelay config reference                      every setting there is, as Markdown

Wrong settings: a line each on stderr, all of them at once, exit code 78.";

/// What to do with settings.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ConfigCommand {
    /// Say whether the settings in the environment and the file are in order
    Check {
        /// Only of this service; may be given several times
        #[arg(long = "service", value_name = "SERVICE", value_parser = role)]
        services: Vec<Role>,
    },
    /// Print every setting with its variable, kind, default and bounds
    Reference,
}

pub(crate) fn run(args: &ConfigArgs, global: &Global) -> Result<ExitCode, Failure> {
    match &args.command {
        ConfigCommand::Check { services } => check(services, global),
        ConfigCommand::Reference => {
            output::line(reference::reference()?.trim_end());
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn check(services: &[Role], global: &Global) -> Result<ExitCode, Failure> {
    let services = if services.is_empty() { &Role::ALL } else { services };
    let mut settings = process::load(global.config.as_deref(), &[])?;
    let own: Vec<_> = services.iter().flat_map(|role| role.sections().iter().copied()).collect();
    process::allow_other_services(&mut settings, &own);
    parse(&mut settings, services, global);
    let doubts = settings.doubts();
    settings.finish().map_err(each_once)?;
    process::mention(&doubts);
    let names: Vec<_> = services.iter().map(|role| role.name()).collect();
    match global.output {
        Output::Text => output::line(&format!("{}: the settings are in order", names.join(", "))),
        Output::Json => output::json(&json!({ "services": names, "status": "ok" })),
    }
    Ok(ExitCode::SUCCESS)
}

fn parse(settings: &mut Settings, services: &[Role], global: &Global) {
    let first = services.first().map_or("ingest", |role| role.name());
    Process::parse(settings, first, global);
    for role in services {
        Configured::parse(*role, settings);
    }
}

/// What several services read is wrong for each of them, in words of its own.
fn each_once(Mistakes(mistakes): Mistakes) -> Mistakes {
    let mut known = BTreeSet::new();
    Mistakes(mistakes.into_iter().filter(|mistake| known.insert(mistake.key.clone())).collect())
}
