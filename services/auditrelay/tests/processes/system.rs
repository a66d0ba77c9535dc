//! The all-in-one, started for a test.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::process::{self, Running};

const END: Duration = Duration::from_secs(30);

/// A running system and what it said about itself.
pub(crate) struct Dev {
    pub(crate) process: Running,
    said: Value,
}

impl Dev {
    /// Starts it on a data folder and waits until it is ready.
    pub(crate) fn start(data: &Path) -> Self {
        Self::start_at("127.0.0.1:0", data)
    }

    /// The same on an address of its own, so that clients find it again.
    pub(crate) fn start_at(listen: &str, data: &Path) -> Self {
        Self::start_with(listen, data, &[])
    }

    /// The same with further variables.
    pub(crate) fn start_with(listen: &str, data: &Path, variables: &[(&str, &str)]) -> Self {
        Self::answering(listen, data, |command| {
            command.envs(variables.iter().copied()).stderr(Stdio::null());
        })
    }

    /// The same with other arguments and streams.
    pub(crate) fn answering(listen: &str, data: &Path, more: impl FnOnce(&mut Command)) -> Self {
        let data = data.to_str().unwrap();
        let args = ["dev", "--output", "json", "--listen", listen, "--data", data];
        let mut command = process::command(&args);
        command.env("AUDITRELAY_ADMIN_LISTEN", "127.0.0.1:0");
        more(&mut command);
        let mut process = Running::answering(command);
        let said = serde_json::from_str(&process.line()).unwrap();
        Self { process, said }
    }

    /// What it said under a name.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.said[name].as_str().unwrap()
    }

    /// Runs a client command to its end.
    pub(crate) fn client(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// A client command that knows where the system is.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = process::command(args);
        command.env("AUDITRELAY_URL", self.text("url"));
        command.env("AUDITRELAY_TOKEN", self.text("admin_token"));
        command
    }

    /// Ends it and everything it started.
    pub(crate) fn stop(mut self) {
        self.process.terminate();
        assert_eq!(self.process.wait(END), Some(0));
    }
}
