//! Threads on which letters are written: those of live delivery, and those of replays, which take
//! what live delivery leaves of the processors.
//!
//! Each is as many as there are slots. Slots are given in the order in which they are asked for,
//! and a lane asks for a batch or two at a time: no lane waits for more than one round of the
//! others.

use std::sync::Arc;

use anyhow::Context as _;
use auditrelay_model::delivery::Lane;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Semaphore;

/// Both kinds of threads.
pub(crate) struct WritingPool {
    live: Threads,
    replays: Threads,
    _background: Background,
}

impl WritingPool {
    /// So many threads of each kind; inside a runtime.
    pub(crate) fn new(slots: usize) -> anyhow::Result<Self> {
        let background = Background::new(slots)?;
        let live = Threads::new(Handle::current(), slots);
        let replays = Threads::new(background.handle(), slots);
        Ok(Self { live, replays, _background: background })
    }

    /// The threads that write for a lane.
    pub(crate) const fn of(&self, lane: Lane) -> &Threads {
        match lane {
            Lane::Live => &self.live,
            Lane::Replay(_) => &self.replays,
        }
    }
}

/// Threads of one kind.
pub(crate) struct Threads {
    slots: Arc<Semaphore>,
    handle: Handle,
}

impl Threads {
    fn new(handle: Handle, slots: usize) -> Self {
        Self { slots: Arc::new(Semaphore::new(slots)), handle }
    }

    /// How many of them have nothing to do.
    pub(crate) fn idle(&self) -> usize {
        self.slots.available_permits()
    }

    /// Waits for a slot and works on one of the threads.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> anyhow::Result<T> {
        let slot = Arc::clone(&self.slots).acquire_owned().await?;
        let done = self.handle.spawn_blocking(move || {
            let _slot = slot;
            work()
        });
        done.await.context("a writing thread ended")
    }
}

/// The runtime that owns the threads of replays.
struct Background(Option<Runtime>);

impl Background {
    fn new(threads: usize) -> anyhow::Result<Self> {
        let runtime = Builder::new_current_thread()
            .thread_name("replay-writing")
            .max_blocking_threads(threads)
            .on_thread_start(give_way)
            .build()
            .context("the threads of replays cannot be made")?;
        Ok(Self(Some(runtime)))
    }

    fn handle(&self) -> Handle {
        self.0.as_ref().map_or_else(Handle::current, |runtime| runtime.handle().clone())
    }
}

impl Drop for Background {
    /// Without waiting: this may happen on a thread that must not.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Lowers this thread's priority: whoever else has something to do comes first. Only Linux knows
/// priorities of single threads (sched(7)); elsewhere it would slow the whole process.
fn give_way() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICE) {
        tracing::debug!(%error, "replays are written at the usual priority");
    }
}

/// A tenth of what a thread of the usual priority gets where both want the processor.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    /// The seventeenth field behind the name (proc(5)).
    #[cfg(target_os = "linux")]
    fn niceness() -> i32 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let behind_name = stat.rsplit_once(") ").unwrap().1;
        behind_name.split(' ').nth(16).unwrap().parse().unwrap()
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn replays_are_written_when_nobody_else_wants_the_processor() {
        let pool = WritingPool::new(2).unwrap();
        let job = auditrelay_model::id::JobId::from_uuid(auditrelay_runtime::ids::uuid_v7());
        let here = niceness();
        assert_eq!(pool.of(Lane::Live).run(niceness).await.unwrap(), here);
        assert_eq!(pool.of(Lane::Replay(job)).run(niceness).await.unwrap(), (here + NICE).min(19));
    }

    #[tokio::test]
    async fn as_many_write_at_once_as_there_are_slots() {
        let pool = WritingPool::new(1).unwrap();
        let threads = pool.of(Lane::Live);
        let (go, wait) = std::sync::mpsc::sync_channel::<()>(0);
        let first = threads.run(move || wait.recv().unwrap());
        tokio::pin!(first);
        assert!(futures::poll!(&mut first).is_pending());
        assert_eq!(threads.idle(), 0);
        let second = threads.run(|| ());
        tokio::pin!(second);
        assert!(futures::poll!(&mut second).is_pending());
        go.send(()).unwrap();
        first.await.unwrap();
        second.await.unwrap();
        assert_eq!(threads.idle(), 1);
    }
}
