//! A lane's facts: stored one after the other by compare-and-set, so that two senders that both
//! believe to hold a lane never both go on.

use std::mem::discriminant;
use std::time::Duration;

use auditrelay_model::Scope;
use auditrelay_model::delivery::{DeliveryEvent, Lane};
use auditrelay_model::quarantine::Parked;
use auditrelay_streams::{AppendError, ReadError, Streams};

/// How soon a fact is tried again while the broker does not answer.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Another sender owns the lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("another sender owns the lane")]
pub(crate) struct Dispossessed;

/// Where a lane's next fact goes.
#[derive(Debug)]
pub(crate) struct Journal {
    streams: Streams,
    scope: Scope,
    lane: Lane,
    /// Sequence of the lane's last fact; 0 for none.
    last: u64,
}

impl Journal {
    pub(crate) fn new(streams: Streams, scope: Scope, lane: Lane, last: u64) -> Self {
        Self { streams, scope, lane, last }
    }

    /// Returns when the fact is stored, however long the broker is away.
    pub(crate) async fn store(&mut self, event: &DeliveryEvent) -> Result<(), Dispossessed> {
        let mut unanswered = false;
        loop {
            match self.streams.append_delivery(event, self.last).await {
                Ok(sequence) => {
                    self.last = sequence;
                    return Ok(());
                }
                Err(AppendError::Conflict) => match self.find(event, unanswered).await {
                    Found::Ours(sequence) => {
                        self.last = sequence;
                        return Ok(());
                    }
                    Found::Nothing => {
                        self.last = 0;
                        continue;
                    }
                    Found::Another => return Err(Dispossessed),
                    Found::Unknown => {}
                },
                Err(error) => {
                    unanswered = true;
                    tracing::warn!(%error, scope = %self.scope, "a fact waits to be stored");
                }
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }

    /// Returns when the event is parked, however long the broker is away.
    pub(crate) async fn park(&self, parked: &Parked) {
        while let Err(error) = self.streams.append_parked(parked).await {
            tracing::warn!(%error, scope = %self.scope, "an event waits to be parked");
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }

    /// After a conflict: a fact whose answer was lost is the last one on the lane.
    async fn find(&self, event: &DeliveryEvent, unanswered: bool) -> Found {
        match self.streams.last_delivery(self.scope, self.lane).await {
            Ok(Some((last, sequence))) if unanswered && is_same(&last, event) => {
                Found::Ours(sequence)
            }
            // Nothing after what we know: an append of somebody else was in flight and failed.
            Ok(last) if last.as_ref().map_or(0, |(_, sequence)| *sequence) == self.last => {
                Found::Unknown
            }
            Ok(None) => Found::Nothing,
            // What cannot be read is none of ours: the lane begins anew, and says what is lost.
            Ok(Some(_)) | Err(ReadError::Corrupt(_) | ReadError::Newer(_)) => Found::Another,
            Err(ReadError::Unavailable(_)) => Found::Unknown,
        }
    }
}

/// Whether what was stored is what we sent; stored durations are rounded.
fn is_same(stored: &DeliveryEvent, sent: &DeliveryEvent) -> bool {
    stored.sender == sent.sender
        && stored.at == sent.at
        && stored.state.cursor == sent.state.cursor
        && discriminant(&stored.fact) == discriminant(&sent.fact)
}

enum Found {
    Ours(u64),
    /// Every fact has expired, and nobody has stored one since.
    Nothing,
    Another,
    Unknown,
}
