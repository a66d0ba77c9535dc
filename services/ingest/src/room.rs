//! Room: how much of all requests together is held in memory.

use std::sync::Arc;
use std::time::Duration;

use auditrelay_runtime::problem::Problem;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a request waits for room: long enough for a burst to pass.
const PATIENCE: Duration = Duration::from_secs(2);
/// A body is held as it came, as events, and as part of a record.
const COPIES: usize = 3;
/// Bodies that are unpacked at once.
const UNPACKING: usize = 4;

/// Bounds the bytes that all requests hold together.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    bytes: Arc<Semaphore>,
    unpacking: Arc<Semaphore>,
    inflight: Gauge,
}

/// A request's share; given back when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    permits: Vec<OwnedSemaphorePermit>,
    inflight: Gauge,
}

impl Room {
    /// Room for `bytes`.
    pub(crate) fn new(bytes: usize, inflight: Gauge) -> Self {
        let bytes = bytes.min(u32::MAX as usize);
        let (bytes, unpacking) = (Semaphore::new(bytes), Semaphore::new(UNPACKING));
        Self { bytes: Arc::new(bytes), unpacking: Arc::new(unpacking), inflight }
    }

    /// Leave to unpack one body: only afterwards is it known how large it is.
    pub(crate) async fn unpacking(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let permit = Arc::clone(&self.unpacking).acquire_owned();
        match tokio::time::timeout(PATIENCE, permit).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(no_room()),
        }
    }

    /// A share for a body of so many bytes.
    pub(crate) async fn share(&self, body: usize) -> Result<Share, Problem> {
        let mut share = Share { permits: Vec::new(), inflight: self.inflight.clone() };
        self.add(&mut share, body).await?;
        Ok(share)
    }

    /// Adds to a share: the body turned out to be larger.
    pub(crate) async fn add(&self, share: &mut Share, body: usize) -> Result<(), Problem> {
        let wanted = u32::try_from(body.saturating_mul(COPIES)).unwrap_or(u32::MAX);
        let permits = Arc::clone(&self.bytes).acquire_many_owned(wanted);
        match tokio::time::timeout(PATIENCE, permits).await {
            Ok(Ok(permit)) => {
                self.inflight.inc_by(i64::from(wanted));
                share.permits.push(permit);
                Ok(())
            }
            Ok(Err(_)) | Err(_) => Err(no_room()),
        }
    }
}

fn no_room() -> Problem {
    Problem::unavailable("Too many requests are held at once", Duration::from_secs(1))
}

impl Drop for Share {
    fn drop(&mut self) {
        let held: usize = self.permits.iter().map(OwnedSemaphorePermit::num_permits).sum();
        self.inflight.dec_by(i64::try_from(held).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_finds_no_room_is_told_to_come_back() {
        let inflight = Gauge::default();
        let room = Room::new(30, inflight.clone());
        let mut first = room.share(5).await.unwrap();
        room.add(&mut first, 5).await.unwrap();
        assert_eq!(inflight.get(), 30);
        let refused = room.share(1).await.unwrap_err();
        assert_eq!(refused.status, http::StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(refused.headers["retry-after"], "1");
        drop(first);
        assert_eq!(inflight.get(), 0);
        assert!(room.share(10).await.is_ok());
    }
}
