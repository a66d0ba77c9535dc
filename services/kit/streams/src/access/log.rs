//! Says what was noticed about callers, without holding up anybody who calls.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use auditrelay_model::Clock;
use auditrelay_model::access::{AccessEvent, Principal, Reason, Tally};
use auditrelay_model::id::{OrgId, TokenId};
use auditrelay_model::origin::Origin;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connect::Streams;

/// What waits to be said; while the broker is away the rest is counted as lost.
const QUEUE: usize = 4_096;
/// How often it is looked which minutes are over.
const LOOK: Duration = Duration::from_secs(5);
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// At the end the broker has this long.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Takes notice of callers; cheap to clone.
#[derive(Clone)]
pub struct AccessLog(Arc<Inner>);

struct Inner {
    clock: Arc<dyn Clock>,
    tally: Mutex<Tally>,
    queue: mpsc::Sender<AccessEvent>,
}

struct Writer {
    streams: Streams,
    service: &'static str,
    log: AccessLog,
    queue: mpsc::Receiver<AccessEvent>,
}

impl AccessLog {
    /// Begins to write below a service's name, until it is told to stop.
    pub fn start(
        streams: &Streams,
        service: &'static str,
        clock: Arc<dyn Clock>,
        (stop, tasks): (&CancellationToken, &TaskTracker),
    ) -> Self {
        let (sender, queue) = mpsc::channel(QUEUE);
        let log = Self(Arc::new(Inner { clock, tally: Mutex::default(), queue: sender }));
        let writer = Writer { streams: streams.clone(), service, log: log.clone(), queue };
        tasks.spawn(writer.run(stop.clone()));
        log
    }

    /// A token was used.
    pub fn used(&self, org: OrgId, token: TokenId) {
        let now = self.0.clock.now();
        let said = self.tally(|tally| tally.used(org, token, now));
        self.say(said);
    }

    /// A call was denied because of who asked.
    pub fn denied(&self, org: OrgId, principal: Principal, reason: Reason, origin: &Origin) {
        let now = self.0.clock.now();
        let who = (org, principal, reason);
        let said = self.tally(|tally| tally.denied(who, origin.clone(), now));
        self.say(said);
    }

    fn due(&self, is_end: bool) {
        let now = self.0.clock.now();
        let said = self.tally(|tally| tally.due(now, is_end));
        self.say(said);
    }

    fn tally<T>(&self, change: impl FnOnce(&mut Tally) -> T) -> T {
        change(&mut self.0.tally.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn say(&self, said: impl IntoIterator<Item = AccessEvent>) {
        for event in said {
            if self.0.queue.try_send(event).is_err() {
                tracing::error!("what was noticed about a caller is lost: too much waits");
            }
        }
    }
}

impl Writer {
    async fn run(mut self, stop: CancellationToken) {
        loop {
            let event = tokio::select! {
                () = stop.cancelled() => break,
                event = self.queue.recv() => event,
                () = tokio::time::sleep(LOOK) => {
                    self.log.due(false);
                    continue;
                }
            };
            let Some(event) = event else { return };
            self.write(&event, &stop).await;
        }
        self.log.due(true);
        let rest = async {
            while let Ok(event) = self.queue.try_recv() {
                if self.streams.append_access(self.service, &event).await.is_err() {
                    return;
                }
            }
        };
        if tokio::time::timeout(LAST_WORDS, rest).await.is_err() {
            tracing::warn!("what was noticed about callers at the end is lost");
        }
    }

    /// Tries until the broker has it. To say something twice is better than not at all.
    async fn write(&self, event: &AccessEvent, stop: &CancellationToken) {
        while let Err(error) = self.streams.append_access(self.service, event).await {
            tracing::debug!(%error, "what was noticed about a caller is not stored yet");
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(AGAIN_AFTER) => {}
            }
        }
    }
}
