//! A real nats-server, or a cluster of them, on stores of its own, which go when the test goes.

mod certificates;
mod deployed;

use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use auditrelay_broker::{Binary, Broker, BrokerOptions, find_or_provide};
use auditrelay_streams::Tls;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use self::certificates::Certificates;
use self::deployed::Servers;
use crate::wait;

/// How many servers every test's broker is to have, where somebody wants more than one.
const CLUSTER: &str = "AUDITRELAY_TEST_CLUSTER";

/// A running broker, or one that was killed and can come back.
pub struct Nats {
    running: Running,
    /// Of a server that is open to everybody.
    url: String,
    // Removed after the servers that use it: fields are dropped in this order.
    store: TempDir,
}

enum Running {
    No(BrokerOptions),
    /// Open to everybody.
    Alone(Broker),
    /// As it is deployed, with a user for each service.
    Deployed(Servers),
}

impl Nats {
    /// Starts a server that syncs every write, on a free port; as many as it says when
    /// `AUDITRELAY_TEST_CLUSTER` is set.
    pub async fn start() -> Self {
        Self::start_open(servers_wanted()).await
    }

    /// Starts one that is open to everybody, or several as they are deployed.
    pub(crate) async fn start_open(servers: usize) -> Self {
        if servers > 1 {
            return Self::start_as_deployed(servers, false).await;
        }
        let store = tempfile::tempdir().expect("a temporary directory");
        let broker = run(BrokerOptions::new(store.path())).await;
        Self { url: broker.url(), running: Running::Alone(broker), store }
    }

    /// Starts servers with what is in `deploy/nats`, but for their addresses and their stores;
    /// with TLS on every connection, if that is wanted.
    pub async fn start_as_deployed(servers: usize, with_tls: bool) -> Self {
        let store = tempfile::tempdir().expect("a temporary directory");
        let certificates = with_tls.then(|| Certificates::make(store.path()));
        let servers = Servers::start(store.path(), servers, certificates).await;
        Self { running: Running::Deployed(servers), url: String::new(), store }
    }

    /// Where it listens, for this user; the same after a restart.
    pub fn url(&self, user: &str) -> String {
        match &self.running {
            Running::Deployed(servers) => servers.url(user),
            Running::Alone(_) | Running::No(_) => self.url.clone(),
        }
    }

    /// What a service that connects must show and trust.
    pub fn tls(&self) -> Tls {
        match &self.running {
            Running::Deployed(servers) => servers.tls(),
            Running::Alone(_) | Running::No(_) => Tls::default(),
        }
    }

    /// Where it keeps what is stored.
    pub fn store(&self) -> &Path {
        self.store.path()
    }

    /// What a deployed broker refused to let its users do.
    pub fn refusals(&self) -> Vec<String> {
        match &self.running {
            Running::Deployed(servers) => servers.refusals(),
            Running::Alone(_) | Running::No(_) => Vec::new(),
        }
    }

    /// Kills it, as a crash would.
    pub async fn kill(&mut self) {
        if let Running::Deployed(servers) = &mut self.running {
            servers.kill_all().await;
        } else if let Some(broker) = self.take() {
            broker.kill().await;
        }
    }

    /// Kills one server of a deployed cluster; the others go on.
    pub async fn kill_one(&mut self, server: usize) {
        let Running::Deployed(servers) = &mut self.running else { return };
        servers.kill(server).await;
    }

    /// Lets it end in order. Only of a server that is open to everybody.
    pub async fn stop(&mut self) {
        if let Some(broker) = self.take() {
            broker.stop().await;
        }
    }

    /// Starts what does not run again, on the same stores and the same ports.
    pub async fn restart(&mut self) {
        if let Running::Deployed(servers) = &mut self.running {
            return servers.restart().await;
        }
        self.stop().await;
        if let Running::No(again) = &self.running {
            self.running = Running::Alone(run(again.clone()).await);
        }
    }

    /// Ends it in order and goes on with a copy of its store, as after a restore. Only of a server
    /// that is open to everybody.
    pub async fn restore_from_copy(&mut self) {
        let Some(broker) = self.take() else { return };
        broker.stop().await;
        let copy = tempfile::tempdir().expect("a temporary directory");
        copy_all(self.store.path(), copy.path()).expect("a store that can be copied");
        if let Running::No(again) = &mut self.running {
            again.store = copy.path().to_path_buf();
            self.running = Running::Alone(run(again.clone()).await);
        }
        self.store = copy;
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

fn copy_all(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let (entry, to) = (entry?, to.to_path_buf());
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            std::fs::create_dir_all(&target)?;
            copy_all(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

/// How many servers a broker has unless its test says so.
pub(crate) fn servers_wanted() -> usize {
    std::env::var(CLUSTER).ok().and_then(|count| count.parse().ok()).unwrap_or(1)
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

/// A port below those that the system gives to whoever asks for any: nobody takes it before its
/// process is there, or while that is away.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let turn = std::process::id().wrapping_mul(61) + NEXT.fetch_add(1, Ordering::SeqCst);
        let port = u16::try_from(12_000 + turn % 20_000).expect("it is below 32,000");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
