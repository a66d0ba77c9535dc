//! Opening live lanes.

use std::sync::Arc;

use auditrelay_model::delivery::{Behind, Lane, LaneState};
use auditrelay_model::record::Position;
use auditrelay_model::replay::Target;
use auditrelay_model::{Scope, Timestamp};
use auditrelay_streams::{ReadError, StoredRecord};
use auditrelay_webhook_sender_core::gate::Gate;
use auditrelay_webhook_sender_core::lane::{Course, before};
use auditrelay_webhook_sender_core::route;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::door::{Count, Door, ROOM};
use crate::driver::{Driver, Ended, Leash, Start, Supply};
use crate::sender::{Receiver, Sender};
use crate::source::Source;

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

/// How a scope's live lane stood when its last fact was stored.
pub(crate) struct Standing {
    receiver: Receiver,
    pub(crate) state: LaneState,
    last_fact: u64,
    /// There are records and no fact says what became of them.
    untold: bool,
}

impl Standing {
    /// A lane that no fact tells of may have been skipped by the shard, and its facts have expired
    /// since: it reads on its own what there is.
    pub(crate) fn of_found(mut self, now: Timestamp) -> Self {
        if self.untold {
            let reason = "no fact says what was delivered".to_owned();
            self.state.behind = Some(Behind { since: now, reason });
        }
        self
    }
}

/// Reads how a scope's live lane stands; none where the scope has no webhook.
pub(crate) async fn standing(sender: &Sender, scope: Scope) -> Result<Option<Standing>, ReadError> {
    let receiver = sender.receiver(scope, Target::default());
    let Some(since) = receiver.since else { return Ok(None) };
    let last = sender.streams.last_delivery(scope, Lane::Live).await?;
    let last_fact = last.as_ref().map_or(0, |(_, sequence)| *sequence);
    let mut state = route::inherited(last.map(|(event, _)| (event.at, event.state)), since);
    let mut untold = false;
    if state.cursor.is_none() {
        // Known before the first record comes, so that one that comes late is not taken for a
        // repeat.
        let first = sender.streams.first_record_at(scope, since - route::CLOCK_MARGIN).await?;
        state.cursor = first.map(|head| before(head.epoch, head.first_number, head.sequence));
        untold = state.cursor.is_some();
    }
    Ok(Some(Standing { receiver, state, last_fact, untold }))
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
    let Standing { receiver, state, last_fact, untold: _ } = standing;
    let gate = if state.behind.is_some() {
        // Who held the lane before may have skipped everything that is stored by now.
        let last = sender.streams.last_record(scope).await?;
        Gate::left(ROOM, last.as_ref().map(position))
    } else {
        Gate::open(ROOM)
    };
    let door = Arc::new(Door::new(gate, Arc::clone(&sender.memory), Arc::clone(&shard.open)));
    let source = Source::of_scope(sender.streams.clone(), scope);
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
        if driver.run(leash).await == Ended::Dispossessed {
            // The whole shard has another holder.
            hard.cancel();
        }
    });
    Ok(LiveLane { door, ended })
}

fn position(stored: &StoredRecord) -> Position {
    let record = &stored.record;
    Position { epoch: record.epoch, number: record.last_number(), sequence: stored.sequence }
}
