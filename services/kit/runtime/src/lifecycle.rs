//! Stopping in phases: leaving (no longer ready, so that clients go elsewhere), soft (finish what
//! you hold, take nothing new), then hard (now).
//!
//! Cast: [`Drain`] is what tasks listen to and are counted by; [`signals`] turns the operator's
//! signals into the phases. A task that panics makes the whole process drain and end as a failure:
//! a service that has lost a part silently is worse than one that restarts.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::FutureExt;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

/// How long tasks may take to end once they are told to end now.
const HARD_STOP: Duration = Duration::from_secs(2);

/// The two stop signals and the count of running tasks; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Drain {
    /// No longer ready; everything is served as before.
    pub leaving: CancellationToken,
    /// Finish what is at hand and take nothing new.
    pub soft: CancellationToken,
    /// End now; tasks that do not are dropped where they wait.
    pub hard: CancellationToken,
    /// Counts the running tasks.
    pub tasks: TaskTracker,
    /// The trackers and the soft token of the drains above this one.
    above: Vec<(CancellationToken, TaskTracker)>,
    failed: Arc<AtomicBool>,
}

/// How the stop went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "the exit code depends on it"]
pub enum Stopped {
    /// Every task finished by itself.
    Clean,
    /// Some task was cut off, or had panicked.
    Forced,
}

impl Drain {
    /// A drain that nobody has told to stop.
    pub fn new() -> Self {
        Self::default()
    }

    /// A drain that stops with this one and can be stopped alone; this one waits for its tasks.
    #[must_use]
    pub fn child(&self) -> Self {
        let mut above = self.above.clone();
        above.push((self.soft.clone(), self.tasks.clone()));
        Self {
            leaving: self.leaving.clone(),
            soft: self.soft.child_token(),
            hard: self.hard.child_token(),
            tasks: TaskTracker::new(),
            above,
            failed: Arc::clone(&self.failed),
        }
    }

    /// Runs `future` until it ends or the hard stop; `name` is on its log lines.
    pub fn spawn(&self, name: &'static str, future: impl Future<Output = ()> + Send + 'static) {
        let counted: Vec<_> = self.above.iter().map(|(_, tasks)| tasks.token()).collect();
        let drain = self.clone();
        let task = async move {
            let _counted = counted;
            tokio::select! {
                // A task that ends at the hard stop has ended by itself.
                biased;
                ended = AssertUnwindSafe(future).catch_unwind() => {
                    if let Err(panic) = ended {
                        drain.fail(name, panic.as_ref());
                    }
                }
                () = drain.hard.cancelled() => {
                    drain.failed.store(true, Ordering::SeqCst);
                    tracing::warn!("task was cut off");
                }
            }
        };
        // Of a target that is not traced: what runs for ever must not be everyone's parent.
        let span = tracing::error_span!(target: "task", "task", task = name);
        self.tasks.spawn(task.instrument(span));
    }

    /// Soft stop, then after `grace` hard stop; returns when the tasks have ended.
    pub async fn stop(&self, grace: Duration) -> Stopped {
        self.soft.cancel();
        self.finish(tokio::time::sleep(grace)).await
    }

    /// Waits for the tasks until `patience` ends, then cuts off what is left.
    async fn finish(&self, patience: impl Future<Output = ()>) -> Stopped {
        self.tasks.close();
        tokio::select! {
            biased;
            () = self.tasks.wait() => {}
            () = patience => {
                self.failed.store(true, Ordering::SeqCst);
                tracing::warn!(tasks = self.tasks.len(), "stopping hard");
            }
        }
        // Also after a clean end: what is not counted (admin) lives until here.
        self.hard.cancel();
        // A task that blocks its thread cannot be dropped; the process ends without it.
        let _ = tokio::time::timeout(HARD_STOP, self.tasks.wait()).await;
        if self.failed.load(Ordering::SeqCst) { Stopped::Forced } else { Stopped::Clean }
    }

    fn fail(&self, name: &'static str, panic: &(dyn Any + Send)) {
        tracing::error!(task = name, panic = panic_text(panic), "task panicked: stopping");
        self.failed.store(true, Ordering::SeqCst);
        self.above.first().map_or(&self.soft, |(soft, _)| soft).cancel();
    }
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no text")
}

/// Waits for SIGTERM or SIGINT (or a soft stop from inside), then stops: after `delay`, in which
/// clients see that it is no longer ready, softly; a second signal or the end of `grace` makes it
/// hard.
pub async fn signals(drain: Drain, delay: Duration, grace: Duration) -> Stopped {
    let mut signals = Signals::listen();
    let mut is_enough = false;
    tokio::select! {
        name = signals.next() => {
            tracing::info!(signal = name, "leaving");
            drain.leaving.cancel();
            tokio::select! {
                _ = signals.next() => is_enough = true,
                () = drain.soft.cancelled() => {}
                () = tokio::time::sleep(delay) => {}
            }
        }
        () = drain.soft.cancelled() => {}
    }
    tracing::info!("draining");
    drain.soft.cancel();
    let impatience = async {
        tokio::select! {
            () = std::future::ready(()), if is_enough => tracing::warn!("second signal"),
            name = signals.next() => tracing::warn!(signal = name, "second signal"),
            () = tokio::time::sleep(grace) => tracing::warn!("grace is over"),
        }
    };
    drain.finish(impatience).await
}

struct Signals {
    terminate: Option<Signal>,
    interrupt: Option<Signal>,
}

impl Signals {
    fn listen() -> Self {
        Self {
            terminate: signal(SignalKind::terminate()).ok(),
            interrupt: signal(SignalKind::interrupt()).ok(),
        }
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            () = received(self.terminate.as_mut()) => "SIGTERM",
            () = received(self.interrupt.as_mut()) => "SIGINT",
        }
    }
}

/// Never, where the signal cannot be listened to.
async fn received(signal: Option<&mut Signal>) {
    let heard = match signal {
        Some(signal) => signal.recv().await,
        None => None,
    };
    if heard.is_none() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests;
