//! Runs the real binary and reads what it said.
#![expect(clippy::unwrap_used, reason = "a step of a test that cannot be taken fails it")]

use std::net::SocketAddr;
use std::process::{Command, Output};

/// What the commands show a server; it must never come out again.
pub(crate) const TOKEN: &str = "art_never-to-be-seen";

/// The binary with its arguments and an environment of its own.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_auditrelay"));
    command
        .args(args)
        .env_remove("AUDITRELAY_URL")
        .env("AUDITRELAY_TOKEN", TOKEN)
        .env("AUDITRELAY_PLATFORM_TOKEN", TOKEN)
        .env_remove("NO_COLOR")
        .stdin(std::process::Stdio::null());
    command
}

/// Runs it to its end.
pub(crate) fn auditrelay(args: &[&str]) -> Output {
    command(args).output().unwrap()
}

/// Its exit code.
pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// What it answered.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What it said beside that.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Its answer as a document.
pub(crate) fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

/// An address of this machine where nobody listens.
pub(crate) fn closed_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
