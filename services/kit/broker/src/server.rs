//! A running server.
//!
//! Life: the supervisor starts the server and tells its process id → the server writes its ports
//! file → [`Broker`]. End: [`Broker::stop`] asks the server itself; whatever else happens to this
//! process or the [`Broker`], the supervisor's pipe ends and the supervisor ends the server. Both
//! are in a process group of their own, so that Ctrl-C reaches this process first and the services
//! can drain while the broker still serves.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::error::BrokerError;
use crate::find::Binary;
use crate::options::BrokerOptions;
use crate::store::Store;

/// Streams are read back before the server listens.
const START: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(10);
/// A server that does not end by itself within this time is killed.
const STOP: Duration = Duration::from_secs(10);
/// How long a killed process may take to be gone.
const REAP: Duration = Duration::from_secs(5);

/// A nats-server child; it ends with this value, and with this process.
#[derive(Debug)]
pub struct Broker {
    address: String,
    monitor: Option<String>,
    pid: Pid,
    /// The supervisor waits for its end.
    leash: ChildStdin,
    gone: watch::Receiver<bool>,
    watcher: JoinHandle<()>,
    options: BrokerOptions,
    /// Dropped last: the store is locked until the server is gone.
    _store: Store,
}

/// How the server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By itself, asked or not.
    Clean,
    /// It had to be killed.
    Killed,
}

impl Broker {
    /// Runs `binary` and returns once it accepts connections.
    pub async fn start(binary: &Binary, options: BrokerOptions) -> Result<Self, BrokerError> {
        let (store, options) = open(options).await?;
        let log_start = store.log_len();
        let (supervisor, leash, stdout, pid) = launch(binary, &store).await?;
        let (gone_sender, mut gone) = watch::channel(false);
        let watcher = tokio::spawn(watch_over(supervisor, stdout, pid, gone_sender));
        let ports_file = store.ports_file(&binary.path, raw(pid));
        let ready = tokio::select! {
            ready = timeout(START, ready(&ports_file)) => ready.map_err(|_| {
                BrokerError::TooSlow { within: START, log: store.log_tail(log_start) }
            }),
            _ = gone.wait_for(|gone| *gone) => {
                Err(BrokerError::Ended { log: store.log_tail(log_start) })
            }
        };
        // On an error the leash is dropped here, and with it the server.
        let Ports { address, monitor } = ready?;
        tracing::info!(broker.pid = raw(pid), broker.address = address, "nats-server started");
        Ok(Self { address, monitor, pid, leash, gone, watcher, options, _store: store })
    }

    /// Where clients connect: `nats://127.0.0.1:4222`.
    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// The port of [`Self::url`].
    pub fn port(&self) -> u16 {
        self.address.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or(0)
    }

    /// Where the monitoring endpoints are, if they were asked for.
    pub fn monitor_url(&self) -> Option<String> {
        self.monitor.as_ref().map(|address| format!("http://{address}"))
    }

    /// The server's own process id.
    pub fn pid(&self) -> u32 {
        raw(self.pid)
    }

    /// Options that start a server again on the same store and the same port.
    pub fn same_again(&self) -> BrokerOptions {
        BrokerOptions { port: Some(self.port()), ..self.options.clone() }
    }

    /// Waits until the server has ended, for whatever reason.
    pub async fn ended(&self) {
        let mut gone = self.gone.clone();
        // An error means that the watcher is gone, which it is only after the server.
        let _ = gone.wait_for(|gone| *gone).await;
    }

    /// Asks the server to end and waits for it; kills it after ten seconds.
    pub async fn stop(self) -> Ended {
        // SIGTERM stops at once (0.03 s); the lame duck mode of SIGUSR2 would take ten seconds.
        self.signal(Signal::SIGTERM);
        let ended = if timeout(STOP, self.ended()).await.is_ok() {
            Ended::Clean
        } else {
            tracing::warn!("nats-server does not end: killing it");
            self.signal(Signal::SIGKILL);
            Ended::Killed
        };
        self.reap().await;
        ended
    }

    /// Kills the server at once, as a crash would.
    pub async fn kill(self) {
        self.signal(Signal::SIGKILL);
        self.reap().await;
    }

    fn signal(&self, signal: Signal) {
        if !*self.gone.borrow() {
            // Its supervisor has not waited for it yet, so the id is still its own.
            let _ = kill(self.pid, signal);
        }
    }

    /// Waits until server and supervisor are gone, and with them the lock on the store.
    async fn reap(mut self) {
        let _ = timeout(REAP, self.ended()).await;
        let said = self.leash.write_all(b"ended\n").await;
        if let Err(error) = said {
            tracing::debug!(%error, "the supervisor ended first");
        }
        drop(self.leash);
        let _ = timeout(REAP, self.watcher).await;
    }
}

async fn open(options: BrokerOptions) -> Result<(Store, BrokerOptions), BrokerError> {
    let opened = tokio::task::spawn_blocking(move || Ok((Store::open(&options)?, options))).await;
    opened.unwrap_or_else(|error| Err(BrokerError::Run(std::io::Error::other(error))))
}

async fn launch(
    binary: &Binary,
    store: &Store,
) -> Result<(Child, ChildStdin, ChildStdout, Pid), BrokerError> {
    let mut supervisor = Command::new("/bin/sh")
        .arg("-c")
        .arg(include_str!("supervisor.sh"))
        .arg("auditrelay-supervisor")
        .arg(&binary.path)
        .arg("-c")
        .arg(store.config_file())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(store.log_handle().map_err(BrokerError::Run)?)
        .process_group(0)
        .spawn()
        .map_err(BrokerError::Run)?;
    let missing = || BrokerError::Run(std::io::Error::other("the supervisor has no pipes"));
    let leash = supervisor.stdin.take().ok_or_else(missing)?;
    let mut stdout = BufReader::with_capacity(64, supervisor.stdout.take().ok_or_else(missing)?);
    let mut line = String::new();
    let told = timeout(REAP, stdout.read_line(&mut line)).await;
    let pid = line.trim().parse().ok().filter(|pid| *pid > 1);
    match (told, pid) {
        (Ok(Ok(_)), Some(pid)) => Ok((supervisor, leash, stdout.into_inner(), Pid::from_raw(pid))),
        _ => Err(BrokerError::Run(std::io::Error::other("the supervisor does not answer"))),
    }
}

/// Tells when the server is gone, and ends it should the supervisor be gone first.
async fn watch_over(
    mut supervisor: Child,
    mut stdout: ChildStdout,
    pid: Pid,
    gone: watch::Sender<bool>,
) {
    let mut nothing = [0; 64];
    let mut supervised = true;
    loop {
        tokio::select! {
            read = stdout.read(&mut nothing) => match read {
                Ok(0) | Err(_) => break,
                // The server does not write there; if one ever does, it must not block.
                Ok(_) => {}
            },
            _ = supervisor.wait(), if supervised => {
                supervised = false;
                tracing::error!("the supervisor of nats-server has ended: ending nats-server");
                let _ = kill(pid, Signal::SIGKILL);
            }
        }
    }
    gone.send_replace(true);
    if supervised {
        let _ = supervisor.wait().await;
    }
}

struct Ports {
    address: String,
    monitor: Option<String>,
}

/// Waits for the ports file, then for a connection.
async fn ready(ports_file: &Path) -> Ports {
    loop {
        if let Ok(text) = tokio::fs::read_to_string(ports_file).await
            && let Some(ports) = parse_ports(&text)
            && TcpStream::connect(&ports.address).await.is_ok()
        {
            return ports;
        }
        sleep(POLL).await;
    }
}

fn parse_ports(text: &str) -> Option<Ports> {
    let ports: Value = serde_json::from_str(text).ok()?;
    let first = |kind: &str| {
        let url = ports.get(kind)?.get(0)?.as_str()?;
        Some(url.split_once("://").map_or(url, |(_, address)| address).to_owned())
    };
    Some(Ports { address: first("nats")?, monitor: first("monitoring") })
}

fn raw(pid: Pid) -> u32 {
    pid.as_raw().unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ports_file_is_read_whole_or_not_at_all() {
        let ports = parse_ports(
            r#"{"nats":["nats://127.0.0.1:4222"],"monitoring":["http://127.0.0.1:8222"]}"#,
        );
        let ports = ports.unwrap();
        assert_eq!(ports.address, "127.0.0.1:4222");
        assert_eq!(ports.monitor.as_deref(), Some("127.0.0.1:8222"));
        for text in ["", "{", "{}", r#"{"nats":[]}"#] {
            assert!(parse_ports(text).is_none(), "{text}");
        }
    }
}
