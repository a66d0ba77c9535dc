//! Waiting: until something is so, or until a deadline that tells what was seen last.
//!
//! The deadline is generous on purpose: it only ever ends a test that has failed anyway.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long anything may take before a test has failed.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// How often a condition is looked at.
const STEP: Duration = Duration::from_millis(20);

/// Looks again and again until `look` succeeds; after [`PATIENCE`] panics with what it saw last.
pub async fn until<T>(what: &str, look: impl AsyncFnMut() -> Result<T, String>) -> T {
    within(PATIENCE, what, look).await
}

async fn within<T>(
    patience: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    let deadline = Instant::now() + patience;
    loop {
        let seen = match look().await {
            Ok(found) => return found,
            Err(seen) => seen,
        };
        assert!(Instant::now() < deadline, "waited {patience:?} for {what}; last seen: {seen}");
        sleep(STEP).await;
    }
}

/// Like [`until`], for conditions that need no broker and no network to look at.
pub async fn until_so<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    until(what, async || look()).await
}

/// The answer of something that must not take for ever.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let answer = tokio::time::timeout(PATIENCE, future).await;
    answer.unwrap_or_else(|_| panic!("{what} took longer than {PATIENCE:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_seen_last_is_told() {
        let look = async || Err::<(), _>("an empty sky".to_owned());
        let failed = tokio::spawn(within(STEP * 2, "a miracle", look));
        let panic = failed.await.unwrap_err().into_panic();
        let text = panic.downcast_ref::<String>().unwrap();
        assert!(text.contains("a miracle") && text.contains("an empty sky"), "{text}");
    }

    #[tokio::test]
    async fn looking_ends_with_the_first_success() {
        let mut looks = 0;
        let found = until_so("three looks", || {
            looks += 1;
            if looks == 3 { Ok(looks) } else { Err(looks.to_string()) }
        });
        assert_eq!(found.await, 3);
    }
}
