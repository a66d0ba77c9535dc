//! What the lanes of one destination share: how many requests may be out, how many events a
//! second may go, and how late live delivery is.
//!
//! A cap on events a second holds over all senders: each takes the part of it that its webhooks
//! are of all webhooks of that destination. A webhook is delivered by one sender, and its replay
//! jobs by the same, so the parts add up to the cap.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use auditrelay_model::delivery::Lane;
use auditrelay_model::id::DestinationId;
use auditrelay_model::{Scope, Timestamp};
use auditrelay_webhook_sender_core::bucket::Bucket;
use auditrelay_webhook_sender_core::outcome::Outcome;
use auditrelay_webhook_sender_core::pace::Pace;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Every destination that a lane of this sender works for.
#[derive(Debug)]
pub(crate) struct Destinations {
    known: Mutex<HashMap<DestinationId, Arc<Site>>>,
    requests_max: usize,
    began: Instant,
}

/// One destination.
#[derive(Debug)]
pub(crate) struct Site {
    destination: DestinationId,
    state: Mutex<State>,
    live: Notify,
    replay: Notify,
    began: Instant,
}

#[derive(Debug)]
struct State {
    pace: Pace,
    bucket: Bucket,
    out: usize,
    /// Of replay lanes.
    replays_out: usize,
    live_waiting: usize,
    /// When the oldest event that live delivery has not brought was accepted.
    oldest: HashMap<Scope, Timestamp>,
}

/// Permission for one request, until it is dropped.
#[derive(Debug)]
pub(crate) struct Pass {
    site: Arc<Site>,
    is_replay: bool,
}

impl Destinations {
    /// At most so many requests are out to one destination.
    pub(crate) fn new(requests_max: usize) -> Self {
        Self { known: Mutex::default(), requests_max, began: Instant::now() }
    }

    /// How long this sender runs: unlike the time, it never jumps.
    pub(crate) fn running(&self) -> Duration {
        self.began.elapsed()
    }

    pub(crate) fn site(&self, destination: DestinationId) -> Arc<Site> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(destination).or_insert_with(|| {
            let state = State {
                pace: Pace::new(self.requests_max),
                bucket: Bucket::new(self.running()),
                out: 0,
                replays_out: 0,
                live_waiting: 0,
                oldest: HashMap::new(),
            };
            let (live, replay) = (Notify::new(), Notify::new());
            Arc::new(Site {
                destination,
                state: Mutex::new(state),
                live,
                replay,
                began: self.began,
            })
        }))
    }

    /// Forgets destinations that no lane works for; says how late live delivery is at its worst.
    pub(crate) fn look(&self, now: Timestamp) -> Duration {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, site| Arc::strong_count(site) > 1);
        known.values().map(|site| site.live_lag(now)).max().unwrap_or_default()
    }
}

impl Site {
    pub(crate) const fn destination(&self) -> DestinationId {
        self.destination
    }

    /// Waits until a request with so many events may go; `rate` is a cap on events a second.
    pub(crate) async fn admit(
        self: &Arc<Self>,
        lane: Lane,
        events: usize,
        rate: Option<u64>,
    ) -> Pass {
        let is_replay = matches!(lane, Lane::Replay(_));
        let pass = self.enter(is_replay).await;
        while let Some(rate) = rate {
            let taken = self.lock().bucket.take(events, rate, self.began.elapsed());
            match taken {
                Ok(()) => break,
                Err(wait) => tokio::time::sleep(wait).await,
            }
        }
        pass
    }

    async fn enter(self: &Arc<Self>, is_replay: bool) -> Pass {
        let mut waiting = None;
        loop {
            {
                let mut state = self.lock();
                if state.has_room(is_replay) {
                    state.out += 1;
                    state.replays_out += usize::from(is_replay);
                    let more_fit = state.out < state.pace.window();
                    drop(state);
                    if more_fit {
                        self.wake();
                    }
                    return Pass { site: Arc::clone(self), is_replay };
                }
            }
            if is_replay {
                self.replay.notified().await;
            } else {
                waiting.get_or_insert_with(|| Waiting::new(self));
                self.live.notified().await;
            }
        }
    }

    /// A request to it ended; the next goes when its pass is dropped.
    pub(crate) fn ended(&self, outcome: &Outcome, round_trip: Duration) {
        self.lock().pace.ended(outcome, round_trip, self.began.elapsed());
    }

    /// A live lane has not delivered an event that was accepted then; none when it has all.
    pub(crate) fn note_oldest(&self, scope: Scope, accepted_at: Option<Timestamp>) {
        let mut state = self.lock();
        match accepted_at {
            Some(at) => state.oldest.insert(scope, at),
            None => state.oldest.remove(&scope),
        };
    }

    /// How late live delivery is.
    pub(crate) fn live_lag(&self, now: Timestamp) -> Duration {
        let oldest = self.lock().oldest.values().min().copied();
        oldest.map_or(Duration::ZERO, |oldest| now.since(oldest))
    }

    fn wake(&self) {
        self.live.notify_one();
        self.replay.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Replays take at most half of what there is, and nothing that live delivery waits for.
    fn has_room(&self, is_replay: bool) -> bool {
        let window = self.pace.window();
        let of_replays = self.replays_out < (window / 2).max(1) && self.live_waiting == 0;
        self.out < window && (!is_replay || of_replays)
    }
}

/// A live lane that waits, until this is dropped.
struct Waiting<'a>(&'a Site);

impl<'a> Waiting<'a> {
    fn new(site: &'a Site) -> Self {
        site.lock().live_waiting += 1;
        Self(site)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.lock().live_waiting -= 1;
        self.0.wake();
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut state = self.site.lock();
        state.out -= 1;
        state.replays_out -= usize::from(self.is_replay);
        drop(state);
        self.site.wake();
    }
}
