//! Runs the real binary and reads what it said.

use std::io::Read;
use std::net::SocketAddr;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use auditrelay_testkit::nats::free_port;

/// What the commands show a server; it must never come out again.
pub(crate) const TOKEN: &str = "art_never-to-be-seen";

/// The binary with its arguments and an environment of its own.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_auditrelay"));
    command
        .args(args)
        .env_remove("AUDITRELAY_URL")
        // These tests count events: what happens to the organization itself is told elsewhere.
        .env("AUDITRELAY_INGEST_TRAIL", "false")
        .env("AUDITRELAY_TOKEN", TOKEN)
        .env("AUDITRELAY_PLATFORM_TOKEN", TOKEN)
        .env_remove("NO_COLOR")
        .stdin(Stdio::null());
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
    ([127, 0, 0, 1], free_port()).into()
}

/// A process that is killed when a test ends, however it ends.
pub(crate) struct Running(Child);

impl Running {
    /// Starts it with its output thrown away.
    pub(crate) fn start(mut command: Command) -> Self {
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// Starts it with the streams that it was given.
    pub(crate) fn as_it_is(mut command: Command) -> Self {
        Self(command.spawn().unwrap())
    }

    /// Starts it with its stdout to be read.
    pub(crate) fn piped(mut command: Command) -> Self {
        Self(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// Starts it with its stdout to be read, and its stderr where it was sent.
    pub(crate) fn answering(mut command: Command) -> Self {
        Self(command.stdout(Stdio::piped()).spawn().unwrap())
    }

    /// Starts it with both of its streams to be read.
    pub(crate) fn heard(mut command: Command) -> Self {
        Self(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Nobody will ever read its streams.
    pub(crate) fn close(&mut self) {
        drop((self.0.stdout.take(), self.0.stderr.take()));
    }

    /// The next line of its stdout.
    pub(crate) fn line(&mut self) -> String {
        next_line(self.0.stdout.as_mut().unwrap())
    }

    /// The next line of its stderr.
    pub(crate) fn error_line(&mut self) -> String {
        next_line(self.0.stderr.as_mut().unwrap())
    }

    /// Whether it has not ended.
    pub(crate) fn is_running(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    /// Ends it without asking.
    pub(crate) fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Its exit code, once it has ended; none when it does not within the time.
    pub(crate) fn wait(&mut self, within: Duration) -> Option<i32> {
        let deadline = Instant::now() + within;
        while Instant::now() < deadline {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }
}

/// Waits for the first thing that a process says beside its answer.
pub(crate) fn first_line(child: &mut Child) -> String {
    next_line(child.stderr.as_mut().unwrap())
}

/// Byte by byte: what follows belongs to the next reader.
fn next_line(stream: &mut impl Read) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while stream.read(&mut byte).unwrap() == 1 && byte != *b"\n" {
        line.extend_from_slice(&byte);
    }
    String::from_utf8(line).unwrap()
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail when it has ended, which is what is wanted.
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}
