//! Asking again: in a cluster a replica may answer that does not have yet what is stored, and a
//! moment later it has.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::error::ReadError;

/// For how long; then there is more wrong than a replica that lags.
const PATIENCE: Duration = Duration::from_secs(3);
const STEP: Duration = Duration::from_millis(50);

/// Asks until there is an answer, or an error that does not pass, or it has taken too long.
pub async fn patiently<T, E, F>(mut ask: impl FnMut() -> F, passes: fn(&E) -> bool) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
{
    let begun = Instant::now();
    loop {
        match ask().await {
            Err(error) if passes(&error) && begun.elapsed() < PATIENCE => sleep(STEP).await,
            answered => return answered,
        }
    }
}

impl ReadError {
    /// Whether the same question may be answered a moment later.
    pub const fn passes(&self) -> bool {
        match self {
            Self::Unavailable(_) => true,
            Self::Corrupt(_) | Self::Newer(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_passes_is_asked_again_for_a_while_and_nothing_else_is() {
        let lags = || Err::<(), _>(ReadError::Unavailable("not yet".to_owned()));
        let mut asked = 0;
        let third = |asked: &mut i32| {
            *asked += 1;
            if *asked == 3 { Ok(()) } else { lags() }
        };
        let answer = patiently(|| std::future::ready(third(&mut asked)), ReadError::passes);
        assert_eq!(answer.await, Ok(()));
        let begun = Instant::now();
        assert_eq!(patiently(|| std::future::ready(lags()), ReadError::passes).await, lags());
        assert!(begun.elapsed() >= PATIENCE);
        let broken = || std::future::ready(Err::<(), _>(ReadError::Corrupt("x".to_owned())));
        let begun = Instant::now();
        assert!(patiently(broken, ReadError::passes).await.is_err());
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}
