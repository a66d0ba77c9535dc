//! Whether storing works, as the last attempts say.
//!
//! Who cannot store is not ready, so that balancers send requests elsewhere. Nobody tells when the
//! store has room again; so a failure counts for a while only, and the next requests try.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::appender::Failure;

/// How long a failure counts.
const MEMORY: Duration = Duration::from_secs(5);

/// What became of the last append; clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Health(Arc<Mutex<Option<(Failure, Instant)>>>);

impl Health {
    /// The broker stored something.
    pub(crate) fn worked(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Something could not be stored.
    pub(crate) fn failed(&self, failure: Failure) {
        let failed = Some((failure, Instant::now()));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = failed;
    }

    /// Why storing does not work.
    pub(crate) fn trouble(&self) -> Option<&'static str> {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (failure, _) = last.filter(|(_, at)| at.elapsed() < MEMORY)?;
        match failure {
            Failure::Unavailable => Some("the event store does not answer"),
            Failure::Full => Some("the event store is full"),
            Failure::Busy | Failure::KeyTaken => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_failure_counts_until_something_is_stored_or_for_a_while() {
        let health = Health::default();
        assert_eq!(health.trouble(), None);
        health.failed(Failure::Full);
        assert_eq!(health.clone().trouble(), Some("the event store is full"));
        health.worked();
        assert_eq!(health.trouble(), None);
        health.failed(Failure::Unavailable);
        tokio::time::advance(MEMORY).await;
        assert_eq!(health.trouble(), None);
    }
}
