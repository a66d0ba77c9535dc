//! Wiring: waits for the streams, then answers commands and looks after jobs.

use std::time::Duration;

use auditrelay_runtime::context::Context;
use auditrelay_streams::{StreamName, Streams};

use crate::config::Config;
use crate::scheduler::Scheduler;

/// The name under which this service says whether it is ready.
const PART: &str = "replay-scheduler";

/// How soon to try again to catch up.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Starts the replay-scheduler in the background: it waits for its streams by itself.
pub async fn start(config: Config, streams: Streams, context: Context) -> anyhow::Result<()> {
    context.readiness.set(PART, Err("waiting for its streams".to_owned()));
    let drain = context.drain.clone();
    drain.spawn(PART, run(config, streams, context));
    Ok(())
}

async fn run(config: Config, streams: Streams, context: Context) {
    let stop = context.drain.soft.clone();
    let needed = [StreamName::Events, StreamName::Config, StreamName::Replay, StreamName::Delivery];
    if !streams.wait_for(&needed, &stop).await {
        return;
    }
    let scheduler = Scheduler::new(config, streams, &context);
    while let Err(error) = scheduler.caught_up().await {
        context.readiness.set(PART, Err(error.to_string()));
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(AGAIN_AFTER) => {}
        }
    }
    context.drain.spawn("replay commands", scheduler.clone().serve(context.drain.clone()));
    context.readiness.set(PART, Ok(()));
    scheduler.run(stop).await;
}
