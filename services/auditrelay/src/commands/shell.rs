//! `completions` and `version`.

use clap::CommandFactory;

use crate::cli::Cli;
use crate::output::{self, Output};

/// Prints the script that completes our commands in a shell.
pub(super) fn completions(shell: clap_complete::Shell) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "auditrelay", &mut script);
    output::line(String::from_utf8_lossy(&script).trim_end());
}

/// Prints the version.
pub(super) fn version(output: Output) {
    let version = env!("CARGO_PKG_VERSION");
    match output {
        Output::Text => output::line(&format!("auditrelay {version}")),
        Output::Json => output::json(&serde_json::json!({ "version": version })),
    }
}
