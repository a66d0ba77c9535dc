//! Runs the broker, and runs it again on the same port should it end by itself.

use std::path::PathBuf;
use std::time::Duration;

use auditrelay_broker::{Binary, Broker, BrokerOptions, find_or_provide};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long to wait before a broker that has ended is started again.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Watches over the broker until it is told to stop.
#[derive(Debug)]
pub(super) struct Guardian {
    url: String,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Guardian {
    /// Finds a nats-server and starts it on `store`.
    pub(super) async fn start(store: PathBuf) -> anyhow::Result<Self> {
        let binary = find_or_provide().await?;
        let broker = Broker::start(&binary, BrokerOptions::new(store)).await?;
        let url = broker.url();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(watch(binary, broker, stopped));
        Ok(Self { url, stop, task })
    }

    /// Where the broker listens.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Ends the broker.
    pub(super) async fn stop(self) {
        // A guardian that has ended has no broker left to stop.
        let _ended = self.stop.send(());
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the broker's guardian failed");
        }
    }
}

async fn watch(binary: Binary, mut broker: Broker, mut stopped: oneshot::Receiver<()>) {
    loop {
        tokio::select! {
            // An error means that whoever would stop it is gone: the same as being told.
            _ = &mut stopped => {
                broker.stop().await;
                return;
            }
            () = broker.ended() => tracing::error!("nats-server has ended: starting it again"),
        }
        let options = broker.same_again();
        // Frees the store for the next one.
        broker.kill().await;
        broker = loop {
            tokio::select! {
                _ = &mut stopped => return,
                () = tokio::time::sleep(AGAIN_AFTER) => {}
            }
            match Broker::start(&binary, options.clone()).await {
                Ok(again) => break again,
                Err(error) => tracing::error!(%error, "nats-server does not start"),
            }
        };
    }
}
