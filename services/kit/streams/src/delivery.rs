//! Facts of lanes.

use std::time::Duration;

use auditrelay_model::delivery::{DeliveryEvent, Lane, LaneState};
use auditrelay_model::record::{Place, Position};
use auditrelay_model::{Scope, Timestamp};

use crate::append::Outgoing;
use crate::codec;
use crate::connect::Streams;
use crate::error::{AppendError, ReadError};
use crate::pages::Backwards;
use crate::reader::Undecodable;
use crate::subject;
use crate::topology::StreamName;

/// How long somebody who can do without waits for an answer.
const GLANCE: Duration = Duration::from_secs(1);

/// The end of a lane's facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneEnd {
    /// When the last fact was stored, and the lane after it, of whatever kind it is; an error where
    /// it cannot be read.
    pub state: Result<(Timestamp, LaneState), Undecodable>,
    /// Its sequence: what is appended next is expected behind it.
    pub sequence: u64,
}

impl Streams {
    /// Stores a fact behind the lane's last one, whose sequence must be `expect_last` (0 for
    /// none). A conflict means that another sender owns the lane now.
    pub async fn append_delivery(
        &self,
        event: &DeliveryEvent,
        expect_last: u64,
    ) -> Result<u64, AppendError> {
        self.append(Outgoing {
            subject: subject::delivery(event.scope, event.lane),
            payload: codec::delivery::encode(event).into(),
            expect_last: Some(expect_last),
            ..Outgoing::default()
        })
        .await
    }

    /// The lane's last fact, with the lane's state and its sequence, from the leader.
    pub async fn last_delivery(
        &self,
        scope: Scope,
        lane: Lane,
    ) -> Result<Option<(DeliveryEvent, u64)>, ReadError> {
        let stored = self.last(StreamName::Delivery, &subject::delivery(scope, lane)).await?;
        stored
            .map(|stored| match codec::delivery::decode(&stored.payload) {
                Ok(event) => Ok((event, stored.sequence)),
                Err(error) => Err(ReadError::Corrupt(error.to_string())),
            })
            .transpose()
    }

    /// The last event of a scope that a receiver is known to have got from its live lane, if that
    /// can be told within a moment.
    pub async fn delivered(&self, scope: Scope) -> Option<Place> {
        let asking = tokio::time::timeout(GLANCE, self.last_delivery(scope, Lane::Live));
        let (event, _) = asking.await.ok()?.ok()??;
        event.state.cursor.map(|Position { epoch, number, .. }| Place { epoch, number })
    }

    /// The lane's newest fact that can be read, with its sequence; what cannot is passed over.
    pub async fn newest_delivery(
        &self,
        scope: Scope,
        lane: Lane,
    ) -> Result<Option<(u64, DeliveryEvent)>, ReadError> {
        match self.last_delivery(scope, lane).await {
            Err(ReadError::Corrupt(_)) => {}
            read => return Ok(read?.map(|(event, sequence)| (sequence, event))),
        }
        let end = self.lane_end(scope, lane).await?;
        let mut way = Backwards::new(1, end.map_or(0, |end| end.sequence.saturating_sub(1)));
        while !way.is_done() {
            let found = self.delivery_back(scope, lane, &mut way).await?;
            if let Some(newest) = found.into_iter().next_back() {
                return Ok(Some(newest));
            }
        }
        Ok(None)
    }

    /// The end of the lane's facts, readable or not, from the leader.
    pub async fn lane_end(&self, scope: Scope, lane: Lane) -> Result<Option<LaneEnd>, ReadError> {
        let stored = self.last(StreamName::Delivery, &subject::delivery(scope, lane)).await?;
        Ok(stored.map(|stored| LaneEnd {
            state: codec::delivery::decode_state(&stored.payload, (scope, lane))
                .map_err(|error| Undecodable(error.to_string())),
            sequence: stored.sequence,
        }))
    }
}
