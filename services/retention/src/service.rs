//! Wiring: the loop around the passes.

use std::time::Duration;

use auditrelay_runtime::context::Context;
use auditrelay_streams::Streams;

use crate::config::Config;
use crate::keeper::Keeper;

/// The name under which this service says whether it is ready.
const PART: &str = "retention";

/// How soon to look again while streams may be missing: everybody waits for them.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Starts retention in the background. The first pass is tried here once, so that the streams are
/// usually there when this returns.
pub async fn start(config: Config, streams: Streams, context: Context) -> anyhow::Result<()> {
    let mut keeper = Keeper::new(config, streams, &context);
    let kept = look(&mut keeper, &context).await;
    let drain = context.drain.clone();
    drain.spawn(PART, run(keeper, kept, context));
    Ok(())
}

async fn run(mut keeper: Keeper, mut kept: bool, context: Context) {
    let interval = keeper.config.interval;
    let mut again_after = AGAIN_AFTER;
    loop {
        let wait = if kept { interval } else { interval.min(again_after) };
        tokio::select! {
            () = context.drain.soft.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
        kept = look(&mut keeper, &context).await;
        // A broker that goes on refusing is not asked, and not complained about, every second.
        again_after = if kept { AGAIN_AFTER } else { again_after.saturating_mul(2).min(interval) };
    }
}

/// A stop does not wait for a broker that does not answer; what was begun is found by the next pass.
async fn look(keeper: &mut Keeper, context: &Context) -> bool {
    let passed = tokio::select! {
        passed = keeper.pass() => passed,
        () = context.drain.soft.cancelled() => return false,
    };
    match passed {
        Ok(_) => {
            context.readiness.set(PART, Ok(()));
            true
        }
        Err(error) => {
            tracing::warn!(%error, "streams could not be looked after: trying again");
            context.readiness.set(PART, Err(error.to_string()));
            false
        }
    }
}
