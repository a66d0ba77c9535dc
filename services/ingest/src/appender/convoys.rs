//! The way of records to the broker: alone while few are on it, in convoys where many scopes want
//! to store a little.
//!
//! A dispatcher gives turns. What it cannot place any more, because it stops or the broker refused
//! a convoy, goes alone: alone an append gets an answer of its own.

use std::sync::Arc;
use std::time::Duration;

use auditrelay_ingest_core::convoy::{ALONE_MAX, RECORD_BYTES_MAX, Waiting};
use auditrelay_runtime::lifecycle::Drain;
use auditrelay_streams::{AppendError, Appended, Bundled, EncodedRecord, Link, Streams};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::telemetry::Telemetry;

/// Records that wait to be seen by the dispatcher; more wait where they are.
const ARRIVALS: usize = 256;

/// The way to the broker.
pub(super) struct Convoys {
    streams: Streams,
    alone: Arc<Semaphore>,
    arrivals: mpsc::Sender<Traveller>,
}

/// A record that waits for its turn.
struct Traveller {
    record: EncodedRecord,
    expect_last: u64,
    reply: oneshot::Sender<Turn>,
}

/// What becomes of who waited.
enum Turn {
    /// It goes alone; holding a place where one was free.
    Alone(EncodedRecord, Option<OwnedSemaphorePermit>),
    /// It travelled in a convoy of so many.
    Arrived(Result<u64, AppendError>, usize),
    /// So it did, but the broker refused them all; who was to blame shows when they go alone.
    Refused,
}

impl Convoys {
    pub(super) fn new(streams: Streams, drain: &Drain, telemetry: Telemetry) -> Self {
        let alone = Arc::new(Semaphore::new(ALONE_MAX));
        let (arrivals, inbox) = mpsc::channel(ARRIVALS);
        let dispatcher = Dispatcher {
            streams: streams.clone(),
            telemetry,
            alone: Arc::clone(&alone),
            began: Instant::now(),
            waiting: Waiting::default(),
            convoys: JoinSet::new(),
        };
        drain.spawn("ingest convoys", dispatcher.run(inbox, drain.soft.clone()));
        Self { streams, alone, arrivals }
    }

    /// Appends a record whose events have so many bytes, as [`Streams::append_encoded`] does.
    pub(super) async fn append(
        &self,
        record: impl Fn() -> EncodedRecord,
        bytes: usize,
        expect_last: u64,
    ) -> Result<Appended, AppendError> {
        let encoded = record();
        if bytes > RECORD_BYTES_MAX {
            return self.streams.append_encoded(encoded, expect_last).await;
        }
        if let Ok(_place) = self.alone.try_acquire() {
            return self.streams.append_encoded(encoded, expect_last).await;
        }
        let digest = encoded.digest();
        let (reply, turn) = oneshot::channel();
        let traveller = Traveller { record: encoded, expect_last, reply };
        let turn = match self.arrivals.send(traveller).await {
            Ok(()) => turn.await.unwrap_or(Turn::Refused),
            // The dispatcher has stopped.
            Err(mpsc::error::SendError(back)) => Turn::Alone(back.record, None),
        };
        match turn {
            Turn::Alone(encoded, _place) => self.streams.append_encoded(encoded, expect_last).await,
            Turn::Arrived(stored, records) => {
                Telemetry::in_company(records);
                stored.map(|sequence| Appended { sequence, digest })
            }
            Turn::Refused => self.streams.append_encoded(record(), expect_last).await,
        }
    }
}

/// Gives turns.
struct Dispatcher {
    streams: Streams,
    telemetry: Telemetry,
    alone: Arc<Semaphore>,
    /// Times count from here.
    began: Instant,
    waiting: Waiting<Traveller>,
    /// The one on its way, if any; what comes back is whether the broker refused it.
    convoys: JoinSet<bool>,
}

impl Dispatcher {
    async fn run(mut self, mut arrivals: mpsc::Receiver<Traveller>, soft: CancellationToken) {
        loop {
            let someone = !self.waiting.is_empty();
            let may_leave = self.convoys.is_empty();
            tokio::select! {
                biased;
                Some(refused) = self.convoys.join_next() => {
                    self.waiting.returned(self.began.elapsed(), refused.unwrap_or(true));
                }
                place = Arc::clone(&self.alone).acquire_owned(), if someone => {
                    self.next_alone(place.ok());
                }
                () = at(self.began, self.waiting.overdue_at()), if someone => self.next_alone(None),
                () = at(self.began, self.waiting.leaves_at()), if may_leave => self.depart(),
                arrived = arrivals.recv() => match arrived {
                    Some(traveller) => self.waiting.push(self.began.elapsed(), traveller),
                    None => break,
                },
                () = soft.cancelled(), if !someone && may_leave => break,
            }
        }
        arrivals.close();
        while let Ok(Traveller { record, reply, .. }) = arrivals.try_recv() {
            // Whoever is gone waits for nothing.
            let _ = reply.send(Turn::Alone(record, None));
        }
    }

    fn next_alone(&mut self, place: Option<OwnedSemaphorePermit>) {
        if let Some(Traveller { record, reply, .. }) = self.waiting.pop() {
            // Whoever is gone waits for nothing.
            let _ = reply.send(Turn::Alone(record, place));
        }
    }

    fn depart(&mut self) {
        let travellers = self.waiting.convoy();
        let (streams, telemetry) = (self.streams.clone(), self.telemetry.clone());
        self.convoys.spawn(async move { travel(&streams, &telemetry, travellers).await });
    }
}

async fn at(began: Instant, time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep_until(began + time).await,
        None => std::future::pending().await,
    }
}

/// Stores the records of a convoy; true when the broker refused it.
async fn travel(streams: &Streams, telemetry: &Telemetry, travellers: Vec<Traveller>) -> bool {
    let (mut links, mut replies) = (Vec::new(), Vec::new());
    for Traveller { record, expect_last, reply } in travellers {
        links.push(Link { record, expect_last: Some(expect_last) });
        replies.push(reply);
    }
    let records = links.len();
    let together = match streams.append_bundle(links).await {
        Ok(Bundled::From(first)) => Some(Ok(first)),
        Err(error @ AppendError::Unavailable(_)) => Some(Err(error)),
        Ok(Bundled::Before)
        | Err(AppendError::Conflict | AppendError::Full | AppendError::TooLarge) => None,
    };
    telemetry.travelled(records, together.as_ref().map(Result::is_ok));
    for (place, reply) in (0..).zip(replies) {
        let turn = match &together {
            Some(Ok(first)) => Turn::Arrived(Ok(first + place), records),
            Some(Err(error)) => Turn::Arrived(Err(error.clone()), records),
            None => Turn::Refused,
        };
        // Whoever is gone waits for nothing.
        let _ = reply.send(turn);
    }
    together.is_none()
}
