//! A broker that says nothing: of several, another one is asked.
//!
//! A broker that is cut off from the others, or sleeps, keeps its connections for as long as it
//! answers pings, or until enough of them are missing. Nothing can be stored through it meanwhile.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::connect::Streams;
use crate::error::AppendError;

/// How long nothing may be answered before another broker is asked: as long as most elections take.
const PATIENCE: Duration = Duration::from_secs(4);

/// Since when every question to a leader was left unanswered.
#[derive(Debug, Clone)]
pub(crate) struct Silence {
    since: Arc<Mutex<Option<Instant>>>,
    has_choice: bool,
}

impl Silence {
    /// Knows whether there are several brokers.
    pub(crate) fn new(has_choice: bool) -> Self {
        Self { since: Arc::default(), has_choice }
    }

    /// Notes what came of a try. Whether the broker has been silent for too long, which is said
    /// once; then it begins anew.
    fn note(&self, answered: bool, now: Instant) -> bool {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        let began = *since.get_or_insert(now);
        let is_too_long = !answered && now - began >= PATIENCE;
        if answered || is_too_long {
            *since = None;
        }
        is_too_long
    }
}

impl Streams {
    /// Goes to another broker when this one has stored nothing for too long, if there is another.
    pub(crate) async fn heed<T>(&self, stored: Result<T, AppendError>) -> Result<T, AppendError> {
        self.heard(!matches!(stored, Err(AppendError::Unavailable(_)))).await;
        stored
    }

    /// The same after any question to the leader of EVENTS.
    pub(crate) async fn heard(&self, answered: bool) {
        if self.silence.note(answered, Instant::now()) && self.silence.has_choice {
            tracing::warn!("the broker does not answer; another one is asked");
            if let Err(error) = self.context.client().force_reconnect().await {
                tracing::warn!(%error, "no other broker can be asked");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_silence_that_lasts_counts() {
        let (silence, begun) = (Silence::new(true), Instant::now());
        let at = |seconds| begun + Duration::from_secs(seconds);
        assert!(!silence.note(false, at(0)) && !silence.note(false, at(3)));
        assert!(!silence.note(true, at(3)), "it was heard");
        assert!(!silence.note(false, at(60)), "nothing was asked in between");
        assert!(silence.note(false, at(65)));
        assert!(!silence.note(false, at(66)), "once is enough");
        assert!(silence.note(false, at(70)));
    }
}
