//! How a lane stood when its last fact was stored.
//!
//! A last fact that cannot be read stops nobody but its own lane, and that one not for long: it is
//! named and counted, and the lane goes on from the newest fact that can be read, behind what it
//! told. What was delivered since is delivered again.

use auditrelay_model::delivery::{Behind, Lane, LaneState};
use auditrelay_model::replay::Target;
use auditrelay_model::{Scope, Timestamp};
use auditrelay_streams::{Backwards, ReadError};
use auditrelay_webhook_sender_core::lane::before;
use auditrelay_webhook_sender_core::route;

use crate::sender::{Receiver, Sender};

/// What the facts of a lane say.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// The newest readable fact's time, and the lane after it.
    pub(crate) last: Option<(Timestamp, LaneState)>,
    /// Sequence of the last fact, readable or not; 0 for none.
    pub(crate) last_fact: u64,
    /// Facts behind the newest readable one are lost.
    pub(crate) torn: bool,
}

/// Reads what the facts of a lane say.
pub(crate) async fn told(sender: &Sender, scope: Scope, lane: Lane) -> Result<Told, ReadError> {
    let Some(end) = sender.streams.lane_end(scope, lane).await? else { return Ok(Told::default()) };
    let last_fact = end.sequence;
    let error = match end.state {
        Ok(last) => return Ok(Told { last: Some(last), last_fact, torn: false }),
        Err(error) => error,
    };
    sender.telemetry.unreadable(scope, lane, last_fact, &error);
    let mut way = Backwards::new(1, last_fact - 1);
    while !way.is_done() {
        let found = sender.streams.delivery_back(scope, lane, &mut way).await?;
        if let Some((_, event)) = found.into_iter().next_back() {
            return Ok(Told { last: Some((event.at, event.state)), last_fact, torn: true });
        }
    }
    Ok(Told { last: None, last_fact, torn: true })
}

/// How a scope's live lane stood when its last fact was stored.
pub(crate) struct Standing {
    pub(crate) receiver: Receiver,
    pub(crate) state: LaneState,
    pub(crate) last_fact: u64,
    /// There are records and no fact says what became of them.
    untold: bool,
}

impl Standing {
    /// A lane that no fact tells of may have been skipped by the shard, and its facts have expired
    /// since: it reads on its own what there is.
    pub(crate) fn of_found(mut self, now: Timestamp) -> Self {
        if self.untold && self.state.behind.is_none() {
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
    let told = told(sender, scope, Lane::Live).await?;
    let mut untold = told.torn;
    let mut state = route::inherited(told.last, since);
    if state.cursor.is_none() {
        // Known before the first record comes, so that one that comes late is not taken for a
        // repeat.
        let from = since - route::CLOCK_MARGIN;
        let first = match sender.streams.first_record_at(scope, from).await {
            Ok(first) => first,
            Err(ReadError::Corrupt(error)) => {
                tracing::error!(%scope, error, "the first record of a lane cannot be read");
                None
            }
            Err(error) => return Err(error),
        };
        state.cursor = first.map(|head| before(head.epoch, head.first_number, head.sequence));
        untold = state.cursor.is_some();
    }
    Ok(Some(Standing { receiver, state, last_fact: told.last_fact, untold }))
}
