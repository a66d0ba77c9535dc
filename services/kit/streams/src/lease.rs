//! Leases: who works on a shard or a job.
//!
//! A lease is a message with a time to live, written by compare-and-set. It keeps two senders from
//! doing the same work; it is an optimisation and never a promise: what is promised is kept by the
//! compare-and-set on each lane's facts.

use std::time::Duration;

use futures::StreamExt;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::append::Outgoing;
use crate::connect::Streams;
use crate::error::{AppendError, ReadError};
use crate::subject;
use crate::topology::StreamName;

/// How long a lease outlives its last renewal.
pub const LEASE_TTL: Duration = Duration::from_secs(10);
/// The broker's shortest time to live.
const RELEASED_TTL: Duration = Duration::from_secs(1);
const RENEW_EVERY: Duration = Duration::from_secs(3);
/// We stop before the broker lets anybody else in.
const GIVE_UP_AFTER: Duration = Duration::from_secs(8);

/// A lease that is held; renewed in the background until it is dropped or lost.
#[derive(Debug)]
pub struct Lease {
    streams: Streams,
    subject: String,
    holder: String,
    lost: CancellationToken,
    released: CancellationToken,
    renewing: Option<tokio::task::JoinHandle<u64>>,
}

impl Streams {
    /// Takes a lease if nobody holds it.
    pub async fn try_lease(&self, name: &str, holder: &str) -> Result<Option<Lease>, ReadError> {
        let subject = subject::lease(name);
        let expect = match self.last(StreamName::Leases, &subject).await? {
            // A released lease is an empty message.
            Some(stored) if !stored.payload.is_empty() => return Ok(None),
            Some(stored) => stored.sequence,
            None => 0,
        };
        let taken = Instant::now();
        match self.write_lease(&subject, holder, expect).await {
            Ok(sequence) => Ok(Some(self.hold(subject, holder, sequence, taken))),
            Err(AppendError::Conflict) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// How many leases are held whose names begin with `prefix`.
    pub async fn count_leases(&self, prefix: &str) -> Result<usize, ReadError> {
        let stream = self.handle(StreamName::Leases).await?;
        let mut held = stream
            .info_builder()
            .subjects(StreamName::Leases.subjects())
            .fetch()
            .await
            .map_err(ReadError::unavailable)?;
        let prefix = subject::lease(prefix);
        let mut count = 0;
        while let Some(subject) = held.next().await {
            let (subject, _) = subject.map_err(ReadError::unavailable)?;
            count += usize::from(subject.starts_with(&prefix));
        }
        Ok(count)
    }

    async fn write_lease(
        &self,
        subject: &str,
        holder: &str,
        expect: u64,
    ) -> Result<u64, AppendError> {
        // An empty holder is a release, which need not stay.
        let ttl = if holder.is_empty() { RELEASED_TTL } else { LEASE_TTL };
        self.append(Outgoing {
            subject: subject.to_owned(),
            payload: holder.to_owned().into(),
            expect_last: Some(expect),
            ttl: Some(ttl),
            ..Outgoing::default()
        })
        .await
    }

    fn hold(&self, subject: String, holder: &str, sequence: u64, taken: Instant) -> Lease {
        let (lost, released) = (CancellationToken::new(), CancellationToken::new());
        let renewing = Renewal {
            streams: self.clone(),
            subject: subject.clone(),
            holder: holder.to_owned(),
            sequence,
            renewed: taken,
        };
        let renewing = tokio::spawn(renewing.run(lost.clone(), released.clone()));
        Lease {
            streams: self.clone(),
            subject,
            holder: holder.to_owned(),
            lost,
            released,
            renewing: Some(renewing),
        }
    }
}

impl Lease {
    /// Cancelled when the lease is not ours any more.
    pub fn lost(&self) -> CancellationToken {
        self.lost.clone()
    }

    /// Lets others have it at once.
    pub async fn release(mut self) {
        self.released.cancel();
        let Some(renewing) = self.renewing.take() else { return };
        let Ok(sequence) = renewing.await else { return };
        if self.lost.is_cancelled() {
            return;
        }
        if let Err(error) = self.streams.write_lease(&self.subject, "", sequence).await {
            tracing::debug!(%error, holder = self.holder, "lease runs out by itself");
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.released.cancel();
    }
}

struct Renewal {
    streams: Streams,
    subject: String,
    holder: String,
    sequence: u64,
    renewed: Instant,
}

impl Renewal {
    /// Renews until released or lost; returns the sequence of the last renewal.
    async fn run(mut self, lost: CancellationToken, released: CancellationToken) -> u64 {
        loop {
            tokio::select! {
                () = released.cancelled() => return self.sequence,
                () = tokio::time::sleep(RENEW_EVERY) => {}
            }
            let began = Instant::now();
            let written =
                self.streams.write_lease(&self.subject, &self.holder, self.sequence).await;
            match written {
                Ok(sequence) => (self.sequence, self.renewed) = (sequence, began),
                Err(AppendError::Conflict) if !self.is_still_ours().await => {
                    lost.cancel();
                    return self.sequence;
                }
                Err(error) => tracing::debug!(%error, lease = self.subject, "not renewed"),
            }
            if self.renewed.elapsed() > GIVE_UP_AFTER {
                lost.cancel();
                return self.sequence;
            }
        }
    }

    /// A renewal whose answer was lost shows as a conflict with ourselves.
    async fn is_still_ours(&mut self) -> bool {
        match self.streams.last(StreamName::Leases, &self.subject).await {
            Ok(Some(stored)) if stored.payload == self.holder.as_bytes() => {
                self.sequence = stored.sequence;
                true
            }
            Ok(_) => false,
            // Not known: the clock decides.
            Err(_) => true,
        }
    }
}
