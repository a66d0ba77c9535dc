//! A real nats-server on a store of its own, which goes when the test goes.

use std::path::Path;
use std::process::Stdio;

use auditrelay_broker::{Binary, Broker, BrokerOptions, find_or_provide};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;

use crate::wait;

/// The password of every user of a deployed server.
const PASSWORD: &str = "kit";

/// Where a deployed server writes its log, in its store.
const LOG: &str = "nats.log";

/// A running server, or one that was killed and can come back.
pub struct Nats {
    running: Running,
    port: u16,
    // Removed after the server that uses it: fields are dropped in this order.
    store: TempDir,
}

enum Running {
    No(BrokerOptions),
    /// Open to everybody.
    Alone(Broker),
    /// As it is deployed, with a user for each service; ends when it is dropped.
    Deployed(#[expect(dead_code, reason = "held for its drop")] Child),
}

impl Nats {
    /// Starts a server that syncs every write, on a free port.
    pub async fn start() -> Self {
        let store = tempfile::tempdir().expect("a temporary directory");
        let broker = run(BrokerOptions::new(store.path())).await;
        let port = broker.port();
        Self { running: Running::Alone(broker), port, store }
    }

    /// Starts a server with `deploy/nats/nats.conf`, but for its addresses and its store.
    pub async fn start_as_deployed() -> Self {
        let store = tempfile::tempdir().expect("a temporary directory");
        let port = free_port().await;
        let config = store.path().join("nats.conf");
        std::fs::write(&config, deployed(store.path(), port)).expect("a writable directory");
        let mut command = Command::new(&binary().await.path);
        command.arg("--config").arg(&config).env("NATS_SERVER_NAME", "kit");
        for user in ["INGEST", "RETENTION", "SCHEDULER", "SENDER", "API"] {
            command.env(format!("NATS_{user}_PASSWORD"), PASSWORD);
        }
        command.arg("--log").arg(store.path().join(LOG));
        let command = command.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let child = command.spawn().expect("nats-server starts");
        wait::until("nats-server to listen", async || {
            let reached = TcpStream::connect(("127.0.0.1", port)).await;
            reached.map(drop).map_err(|why| why.to_string())
        })
        .await;
        Self { running: Running::Deployed(child), port, store }
    }

    /// Where it listens, for this user; the same after a restart.
    pub fn url(&self, user: &str) -> String {
        let user = match self.running {
            Running::Deployed(_) => format!("{user}:{PASSWORD}@"),
            Running::Alone(_) | Running::No(_) => String::new(),
        };
        format!("nats://{user}127.0.0.1:{}", self.port)
    }

    /// Where it keeps what is stored.
    pub fn store(&self) -> &Path {
        self.store.path()
    }

    /// What a deployed server refused to let its users do.
    pub fn refusals(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.store.path().join(LOG)).unwrap_or_default();
        log.lines().filter(|line| line.contains("Violation")).map(str::to_owned).collect()
    }

    /// Kills it, as a crash would.
    pub async fn kill(&mut self) {
        if let Some(broker) = self.take() {
            broker.kill().await;
        }
    }

    /// Lets it end in order.
    pub async fn stop(&mut self) {
        if let Some(broker) = self.take() {
            broker.stop().await;
        }
    }

    /// Starts it again on the same store and the same port.
    pub async fn restart(&mut self) {
        self.stop().await;
        if let Running::No(again) = &self.running {
            self.running = Running::Alone(run(again.clone()).await);
        }
    }

    fn take(&mut self) -> Option<Broker> {
        let Running::Alone(broker) = &self.running else { return None };
        let again = Running::No(broker.same_again());
        match std::mem::replace(&mut self.running, again) {
            Running::Alone(broker) => Some(broker),
            Running::No(_) | Running::Deployed(_) => None,
        }
    }
}

async fn binary() -> &'static Binary {
    static BINARY: OnceCell<Binary> = OnceCell::const_new();
    let find = async || find_or_provide().await.expect("a nats-server that is new enough");
    BINARY.get_or_init(find).await
}

async fn run(options: BrokerOptions) -> Broker {
    let start = Broker::start(binary().await, options);
    wait::soon("the start of nats-server", start).await.expect("nats-server starts")
}

async fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}

/// The configuration that is shipped, for this machine.
fn deployed(store: &Path, port: u16) -> String {
    let shipped = include_str!("../../../deploy/nats/nats.conf");
    let changes = [
        ("listen: 0.0.0.0:4222", format!("listen: 127.0.0.1:{port}")),
        ("http: 0.0.0.0:8222", String::new()),
        ("store_dir: /data", format!("store_dir: \"{}/data\"", store.display())),
    ];
    changes.into_iter().fold(shipped.to_owned(), |text, (shipped, ours)| {
        assert!(text.contains(shipped), "nats.conf does not say {shipped:?}");
        text.replace(shipped, &ours)
    })
}
