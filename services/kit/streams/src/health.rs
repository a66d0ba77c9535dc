//! How the connection does: how long the broker takes, what it holds, what it refuses, and how far
//! the followers of streams have come.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use auditrelay_model::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::connect::Streams;
use crate::error::ReadError;
use crate::topology::StreamName;

/// A refusal is told for this long: who is refused tries again, and is refused again.
const REFUSAL_LASTS: Duration = Duration::from_secs(30);

/// What is known beside the streams themselves; shared by the clones of a connection.
#[derive(Debug, Default)]
pub(crate) struct Health {
    followed: Mutex<Vec<(StreamName, watch::Receiver<u64>)>>,
    refused: Mutex<Option<(Instant, String)>>,
}

/// One look at the broker.
#[derive(Debug, Clone)]
pub struct Look {
    /// From a question to its answer.
    pub round_trip: Duration,
    /// What time it was there; none when it does not say.
    pub time: Option<Timestamp>,
    /// Bytes on disk of all streams that the account has.
    pub stored_bytes: u64,
    /// Bytes that the account may store; none when nobody has set a limit.
    pub stored_bytes_max: Option<u64>,
    /// The streams that are followed here.
    pub followed: Vec<Followed>,
}

/// How far a follower is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Followed {
    /// Which stream.
    pub stream: StreamName,
    /// Messages that it has not applied yet.
    pub lag: u64,
}

impl Health {
    pub(crate) fn follows(&self, stream: StreamName, applied: watch::Receiver<u64>) {
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        // The sending half goes with the projection.
        followed.retain(|(_, applied)| applied.has_changed().is_ok());
        followed.push((stream, applied));
    }

    pub(crate) fn is_refused(&self, what: &str) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        *refused = Some((Instant::now(), what.to_owned()));
    }
}

impl Streams {
    /// Asks the broker how it does.
    pub async fn look(&self) -> Result<Look, ReadError> {
        let asked = Instant::now();
        let account = self.context.query_account().await.map_err(ReadError::unavailable)?;
        let round_trip = asked.elapsed();
        let time = self.time().await?;
        let known = {
            let followed = self.health.followed.lock().unwrap_or_else(PoisonError::into_inner);
            followed
                .iter()
                .map(|(stream, applied)| (*stream, *applied.borrow()))
                .collect::<Vec<_>>()
        };
        let mut followed = Vec::with_capacity(known.len());
        for (stream, applied) in known {
            let Some(seen) = self.observe(stream).await? else { continue };
            let held = seen.state.messages > 0;
            let lag = if held { seen.state.last_sequence.saturating_sub(applied) } else { 0 };
            followed.push(Followed { stream, lag });
        }
        Ok(Look {
            round_trip,
            time,
            stored_bytes: account.storage,
            stored_bytes_max: account
                .limits
                .max_storage
                .and_then(|max| u64::try_from(max).ok())
                .filter(|max| *max > 0),
            followed,
        })
    }

    /// What time it is at the broker, which says so beside what it says of a stream.
    async fn time(&self) -> Result<Option<Timestamp>, ReadError> {
        let asked = format!("STREAM.INFO.{}", StreamName::Events);
        let said: serde_json::Value =
            self.context.request(asked, &()).await.map_err(ReadError::unavailable)?;
        let time = said.get("ts").and_then(serde_json::Value::as_str);
        Ok(time.and_then(|time| Timestamp::parse_rfc3339(time).ok()))
    }

    /// What the broker refused this user a moment ago. Nothing that waits for the answer hears of
    /// it: a refused request is not answered.
    pub fn refused(&self) -> Option<String> {
        let refused = self.health.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, what) = refused.as_ref()?;
        (at.elapsed() < REFUSAL_LASTS).then(|| what.clone())
    }
}
