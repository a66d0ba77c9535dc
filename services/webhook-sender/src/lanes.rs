//! Opening live lanes.

use std::sync::Arc;

use auditrelay_model::Scope;
use auditrelay_model::delivery::Lane;
use auditrelay_model::replay::Target;
use auditrelay_streams::ReadError;
use auditrelay_webhook_sender_core::gate::Gate;
use auditrelay_webhook_sender_core::lane::Course;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::door::{Count, Door, ROOM};
use crate::driver::{Driver, Ended, Leash, Start, Supply};
use crate::sender::Sender;
use crate::source::Source;
use crate::standing::Standing;

/// A live lane as its shard sees it.
#[derive(Debug)]
pub(crate) struct LiveLane {
    pub(crate) door: Arc<Door>,
    ended: CancellationToken,
}

impl LiveLane {
    /// Whether nobody takes records at its door any more.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.is_cancelled()
    }
}

/// What the lanes of a shard have in common.
pub(crate) struct Holding {
    pub(crate) leash: Leash,
    pub(crate) running: TaskTracker,
    /// Records that are not acknowledged.
    pub(crate) open: Count,
}

/// Starts a scope's live lane.
pub(crate) async fn open(
    sender: &Arc<Sender>,
    scope: Scope,
    standing: Standing,
    shard: &Holding,
) -> Result<LiveLane, ReadError> {
    let Standing { receiver, state, last_fact, .. } = standing;
    let gate = if state.behind.is_some() {
        // Who held the lane before may have skipped everything that is stored by now.
        Gate::left(ROOM, sender.streams.last_place(scope).await?)
    } else {
        Gate::open(ROOM)
    };
    let door = Arc::new(Door::new(gate, Arc::clone(&sender.memory), Arc::clone(&shard.open)));
    let source = Source::of_scope(sender, scope);
    let supply = Supply::Live { door: Arc::clone(&door), source };
    let (name, course, target) = (Lane::Live, Course::Live, Target::default());
    let start = Start { scope, name, course, state, last_fact, target, receiver, supply };
    let driver = Driver::new(Arc::clone(sender), start);
    let ended = CancellationToken::new();
    let (guard, leash, counted) =
        (ended.clone().drop_guard(), shard.leash.clone(), shard.running.token());
    sender.context.drain.spawn("lane", async move {
        let (_guard, _counted) = (guard, counted);
        let hard = leash.hard.clone();
        if Box::pin(driver.run(leash)).await == Ended::Dispossessed {
            // The whole shard has another holder.
            hard.cancel();
        }
    });
    Ok(LiveLane { door, ended })
}
