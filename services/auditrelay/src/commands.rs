//! One file for each thing that can be asked for.

pub(crate) mod bench;
pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod dev;
pub(crate) mod health;
pub(crate) mod keys;
pub(crate) mod listen;
pub(crate) mod org;
pub(crate) mod privacy;
pub(crate) mod replay;
pub(crate) mod send;
pub(crate) mod service;
mod shell;
pub(crate) mod token;
pub(crate) mod verify;
pub(crate) mod webhook;

use std::future::Future;
use std::process::ExitCode;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::{Cli, Command};
use crate::failure::Failure;

/// Does what was asked.
pub(crate) fn run(cli: Cli) -> Result<ExitCode, Failure> {
    use service::Role;

    let Cli { global, command } = cli;
    let output = global.output;
    match command {
        Command::Demo(args) => block_on(demo::run(args, &global)),
        Command::Dev(args) => block_on(dev::run(args, &global)),
        Command::Send(args) => block_on(send::run(args, output)),
        Command::Replay(args) => block_on(replay::run(args, output)),
        Command::Listen(args) => block_on(listen::run(args, output)),
        Command::Verify(args) => block_on(verify::run(args, output)),
        Command::Webhook(args) => block_on(webhook::run(args, output)),
        Command::Privacy(args) => block_on(privacy::run(args, output)),
        Command::Org(args) => block_on(org::run(args, output)),
        Command::Token(args) => block_on(token::run(args, output)),
        Command::Keys(args) => keys::run(args, output),
        Command::Bench(args) => block_on(bench::run(args, output)),
        Command::Ingest(args) => block_on(service::run(Role::Ingest, args, &global)),
        Command::Retention(args) => block_on(service::run(Role::Retention, args, &global)),
        Command::ReplayScheduler(args) => {
            block_on(service::run(Role::ReplayScheduler, args, &global))
        }
        Command::WebhookSender(args) => block_on(service::run(Role::WebhookSender, args, &global)),
        Command::Api(args) => block_on(service::run(Role::Api, args, &global)),
        Command::Health(args) => block_on(health::run(args, &global)),
        Command::Config(args) => config::run(&args, &global),
        Command::Completions { shell } => {
            shell::completions(shell);
            Ok(ExitCode::SUCCESS)
        }
        Command::Version => {
            shell::version(output);
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn block_on(command: impl Future<Output = Result<ExitCode, Failure>>) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::io("cannot start"))?;
    let result = runtime.block_on(command);
    // Blocking work that hangs (a disk, a terminal) must not keep a command from ending.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    result
}

/// Ctrl-C and SIGTERM, noticed from the moment this is made: whoever reads that a command is ready
/// may end it at once.
struct Interrupts {
    terminate: Signal,
    interrupt: Signal,
}

impl Interrupts {
    fn listen() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(Failure::io("signals"));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    /// Resolves at the next of them.
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
