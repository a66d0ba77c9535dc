//! The command line of auditrelay, and every service in one process.
//!
//! [`cli`] says what can be asked for; each file under [`commands`] answers one question. Client
//! commands speak to a running system through [`client`], as any HTTP client would; [`receiver`]
//! plays the SIEM, [`sample`] the producer; [`archive`] checks what a SIEM has stored. The services themselves live in their own crates:
//! [`commands::service`] runs one of them, [`commands::dev`] all of them.
//!
//! Exit codes: 0 done, 1 refused or failed, 64 wrong usage, 69 unreachable, 74 cannot listen or
//! write, 78 wrong settings.

mod archive;
mod broker;
mod cli;
mod client;
mod commands;
mod failure;
mod files;
mod machine;
mod output;
mod process;
mod receiver;
mod retry;
mod sample;
mod span;
mod system;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    machine::keep_to_itself();
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let output = cli.global.output;
    match commands::run(cli) {
        Ok(code) => code,
        Err(failure) => {
            failure.print(output);
            ExitCode::from(failure.code())
        }
    }
}

/// Help and version are answers; everything else that clap refuses is wrong usage.
fn usage(error: &clap::Error) -> ExitCode {
    // Nobody is left to tell when the terminal is gone.
    let _gone = error.print();
    if error.use_stderr() { ExitCode::from(failure::USAGE) } else { ExitCode::SUCCESS }
}
