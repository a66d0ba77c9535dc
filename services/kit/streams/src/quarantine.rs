//! Parked events and their releases.

use auditrelay_model::Scope;
use auditrelay_model::quarantine::{Parked, Released};

use crate::append::Outgoing;
use crate::codec::quarantine as codec;
use crate::connect::Streams;
use crate::error::{AppendError, ReadError};
use crate::pages::{Backwards, readable, sequence};
use crate::patience::patiently;
use crate::subject;
use crate::topology::StreamName;

/// Releases that one message of the broker's answer holds, at most.
const TOGETHER: usize = 500;

impl Streams {
    /// Stores a parked event, once however often a lane repeats it within minutes.
    pub async fn append_parked(&self, parked: &Parked) -> Result<u64, AppendError> {
        self.append(Outgoing {
            subject: subject::parked(parked.scope),
            payload: codec::encode_parked(parked).into(),
            message_id: Some(parked_id(parked)),
            ..Outgoing::default()
        })
        .await
    }

    /// Stores a release behind the scope's last one, whose sequence must be `expect_last` (0 for
    /// none).
    pub async fn append_released(
        &self,
        released: &Released,
        expect_last: u64,
    ) -> Result<u64, AppendError> {
        self.append(Outgoing {
            subject: subject::released(released.scope),
            payload: codec::encode_released(released).into(),
            expect_last: Some(expect_last),
            ..Outgoing::default()
        })
        .await
    }

    /// The parked event with this sequence, from the leader.
    pub async fn parked(&self, scope: Scope, sequence: u64) -> Result<Option<Parked>, ReadError> {
        let subject = subject::parked(scope);
        let found = self.next(StreamName::Delivery, &subject, sequence).await?;
        found
            .filter(|stored| stored.sequence == sequence)
            .map(|stored| codec::decode_parked(&stored.payload).map_err(corrupt))
            .transpose()
    }

    /// Sequence of the scope's last parked event, from the leader; 0 for none.
    pub async fn last_parked(&self, scope: Scope) -> Result<u64, ReadError> {
        let last = self.last(StreamName::Delivery, &subject::parked(scope)).await?;
        Ok(last.map_or(0, |stored| stored.sequence))
    }

    /// The next of a scope's parked events on the way back, in the order they were stored, each
    /// with its sequence; a part of the way may have none. What cannot be read is reported and left
    /// out.
    pub async fn parked_back(
        &self,
        scope: Scope,
        way: &mut Backwards,
    ) -> Result<Vec<(u64, Parked)>, ReadError> {
        let found = self.back(StreamName::Delivery, &subject::parked(scope), way).await?;
        let decoded = found.iter().map(|message| {
            let parked = codec::decode_parked(&message.payload).map_err(corrupt)?;
            Ok((sequence(message)?, parked))
        });
        readable(decoded, |error| tracing::error!(%scope, error, "a parked event is skipped"))
    }

    /// All releases of a scope, in the order they were stored, with the last one's sequence (0 for
    /// none): every one that was stored before the call.
    pub async fn releases(&self, scope: Scope) -> Result<(Vec<Released>, u64), ReadError> {
        patiently(|| self.releases_of_a_replica(scope), ReadError::passes).await
    }

    async fn releases_of_a_replica(&self, scope: Scope) -> Result<(Vec<Released>, u64), ReadError> {
        let subject = subject::released(scope);
        let last = self.last(StreamName::Delivery, &subject).await?;
        let last = last.map_or(0, |stored| stored.sequence);
        let (mut releases, mut from) = (Vec::new(), 1);
        while from <= last {
            let stretch = self.stretch(StreamName::Delivery, &subject, from, TOGETHER).await?;
            let decoded = stretch.messages.iter();
            let decoded =
                decoded.map(|message| codec::decode_released(&message.payload).map_err(corrupt));
            releases.extend(readable(decoded, |error| {
                tracing::error!(%scope, error, "a release is skipped");
            })?);
            if let Some(message) = stretch.messages.last() {
                from = sequence(message)? + 1;
            }
            if stretch.messages.is_empty() || (!stretch.more && from <= last) {
                let reason = "a replica does not hold the newest release yet".to_owned();
                return Err(ReadError::Unavailable(reason));
            }
        }
        Ok((releases, last))
    }
}

/// By its place, for the events of a record that cannot be read have no ids.
fn parked_id(parked: &Parked) -> String {
    let Parked { scope, lane, position, .. } = parked;
    let (org, log, lane) = (scope.org(), scope.token(), lane.token());
    format!("parked-{org}-{log}-{lane}-{}.{}", position.epoch, position.number)
}

fn corrupt(error: impl std::fmt::Display) -> ReadError {
    ReadError::Corrupt(error.to_string())
}
