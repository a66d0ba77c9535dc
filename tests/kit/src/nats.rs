//! A real nats-server on a store of its own, which goes when the test goes.

use auditrelay_broker::{Binary, Broker, BrokerOptions, find_or_provide};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::wait;

/// A running server, or one that was killed and can come back.
pub struct Nats {
    running: Option<Broker>,
    again: BrokerOptions,
    url: String,
    // Removed after the server that uses it: fields are dropped in this order.
    _store: TempDir,
}

impl Nats {
    /// Starts a server that syncs every write, on a free port.
    pub async fn start() -> Self {
        let store = tempfile::tempdir().expect("a temporary directory");
        let broker = run(BrokerOptions::new(store.path())).await;
        let (url, again) = (broker.url(), broker.same_again());
        Self { running: Some(broker), again, url, _store: store }
    }

    /// Where it listens; the same after a restart.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Kills it, as a crash would.
    pub async fn kill(&mut self) {
        if let Some(broker) = self.running.take() {
            broker.kill().await;
        }
    }

    /// Lets it end in order.
    pub async fn stop(&mut self) {
        if let Some(broker) = self.running.take() {
            broker.stop().await;
        }
    }

    /// Starts it again on the same store and the same port.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.running = Some(run(self.again.clone()).await);
    }
}

async fn run(options: BrokerOptions) -> Broker {
    static BINARY: OnceCell<Binary> = OnceCell::const_new();
    let find = async || find_or_provide().await.expect("a nats-server that is new enough");
    let binary = BINARY.get_or_init(find).await;
    let broker = wait::soon("the start of nats-server", Broker::start(binary, options)).await;
    broker.expect("nats-server starts")
}
