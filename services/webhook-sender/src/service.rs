//! Wiring.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use auditrelay_model::quarantine::QuarantineCommand;
use auditrelay_model::test_delivery::TestDelivery;
use auditrelay_runtime::context::Context;
use auditrelay_streams::{ConfigFold, Projection, ReplayFold, StreamName, Streams};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::destinations::Destinations;
use crate::memory::Memory;
use crate::sender::Sender;
use crate::shards::HeldShards;
use crate::telemetry::Telemetry;
use crate::transport::Transport;
use crate::writing_pool::WritingPool;
use crate::{commands, farewell, replay, shards};

const PART: &str = "sender";
const STREAMS: [StreamName; 5] = [
    StreamName::Events,
    StreamName::Config,
    StreamName::Replay,
    StreamName::Delivery,
    StreamName::Leases,
];
const CATCH_UP: Duration = Duration::from_secs(30);

/// Starts to deliver, in the background, as soon as the streams exist.
pub async fn start(config: Config, streams: Streams, context: Context) -> anyhow::Result<()> {
    let keys = config.keys.clone().context("keys are missing")?;
    let transport = Transport::new(config.transport.clone())?;
    let writing = WritingPool::new(config.cpu_slots.get())?;
    let telemetry = Telemetry::new(&context.metrics);
    context.readiness.set(PART, Err("waiting for the streams".to_owned()));
    let drain = context.drain.clone();
    drain.spawn("webhook-sender", async move {
        if !streams.wait_for(&STREAMS, &context.drain.soft).await {
            return;
        }
        // Until everything here has ended: lanes that drain still look at them.
        let following = CancellationToken::new();
        let _stop = following.clone().drop_guard();
        let configured =
            Projection::<ConfigFold>::start(&streams, &following, &context.drain.tasks);
        let jobs = Projection::<ReplayFold>::start(&streams, &following, &context.drain.tasks);
        let sender = Arc::new(Sender {
            memory: Arc::new(Memory::new(config.memory_bytes, telemetry.memory())),
            writing,
            requests: Semaphore::new(config.requests_max),
            destinations: Destinations::new(config.destination_requests),
            shards: HeldShards::default(),
            config,
            keys,
            streams,
            configured,
            transport,
            telemetry,
            context,
        });
        if catch_up(&sender, &jobs).await {
            sender.context.readiness.set(PART, Ok(()));
            tokio::join!(
                shards::run(Arc::clone(&sender)),
                replay::run(Arc::clone(&sender), jobs),
                farewell::run(Arc::clone(&sender)),
                commands::serve::<TestDelivery>(Arc::clone(&sender)),
                commands::serve::<QuarantineCommand>(sender),
            );
        }
    });
    Ok(())
}

/// False when the process stops first.
async fn catch_up(sender: &Sender, jobs: &Projection<ReplayFold>) -> bool {
    loop {
        let caught_up = async {
            sender.configured.caught_up(CATCH_UP).await?;
            jobs.caught_up(CATCH_UP).await
        };
        tokio::select! {
            () = sender.context.drain.soft.cancelled() => return false,
            result = caught_up => match result {
                Ok(()) => return true,
                Err(error) => tracing::warn!(%error, "still reading the configuration"),
            },
        }
    }
}
