//! Organizations with their producers and receivers, and the wait until all is delivered.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use auditrelay_testkit::siem::Siem;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::check;
use crate::fleet::Fleet;
use crate::people::{Caller, Ledger, Org, produce};

/// How long everything may take to arrive once nothing is wrong any more.
pub(crate) const DRAIN: Duration = Duration::from_mins(2);
const LOOK: Duration = Duration::from_millis(200);

/// What one organization sends, and who receives it.
pub(crate) struct Side {
    pub(crate) org: Org,
    pub(crate) siem: Siem,
    ledgers: Vec<Arc<Mutex<Ledger>>>,
}

impl Side {
    pub(crate) fn with_ledgers<T>(&self, look: impl FnOnce(&[&Ledger]) -> T) -> T {
        let locks: Vec<_> = self
            .ledgers
            .iter()
            .map(|ledger| ledger.lock().unwrap_or_else(PoisonError::into_inner))
            .collect();
        look(&locks.iter().map(|lock| &**lock).collect::<Vec<_>>())
    }

    /// How many events of its were accepted.
    pub(crate) fn accepted(&self) -> usize {
        self.with_ledgers(|ledgers| check::accepted(ledgers).count())
    }

    /// How often it was refused with these words, or with any.
    pub(crate) fn refused(&self, words: &str) -> usize {
        let of = |ledger: &&Ledger| -> usize {
            let said = ledger.refused.iter().filter(|(said, _)| said.starts_with(words));
            said.map(|(_, times)| times).sum()
        };
        self.with_ledgers(|ledgers| ledgers.iter().map(of).sum())
    }

    /// How many of those have not arrived.
    pub(crate) fn missing(&self) -> usize {
        self.with_ledgers(|ledgers| check::missing(ledgers, &self.siem.live_ids()))
    }
}

/// Organizations of every format in turn, with so many writers each.
pub(crate) async fn sides(api: &Caller, organizations: usize, writers: usize) -> Vec<Side> {
    let mut sides = Vec::new();
    for format in ["json", "cef", "cps"].into_iter().cycle().take(organizations) {
        let siem = Siem::start().await;
        let org = Org::new(api, &siem.url(), format).await;
        let ledgers = (0..writers).map(|_| Arc::default()).collect();
        sides.push(Side { org, siem, ledgers });
    }
    sides
}

/// Waits until everything that was accepted has arrived; says how long that took.
pub(crate) async fn drained(sides: &[Side]) -> Duration {
    let begun = Instant::now();
    while begun.elapsed() < DRAIN && sides.iter().any(|side| side.missing() > 0) {
        tokio::time::sleep(LOOK).await;
    }
    begun.elapsed()
}

/// Waits until everybody has been accepted something more.
pub(crate) async fn served(sides: &[Side]) {
    let before: Vec<usize> = sides.iter().map(Side::accepted).collect();
    until("everybody to be accepted something", || {
        sides.iter().zip(&before).all(|(side, before)| side.accepted() > *before)
    })
    .await;
}

/// Waits until everybody has been refused once more with these words.
pub(crate) async fn refused(sides: &[Side], words: &str) {
    let before: Vec<usize> = sides.iter().map(|side| side.refused(words)).collect();
    until("everybody to be refused something", || {
        sides.iter().zip(&before).all(|(side, before)| side.refused(words) > *before)
    })
    .await;
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < DRAIN, "waited in vain for {what}");
        tokio::time::sleep(LOOK).await;
    }
}

/// Producers at work.
pub(crate) struct Writers {
    enough: Arc<AtomicBool>,
    running: JoinSet<()>,
}

impl Writers {
    pub(crate) fn begin(fleet: &Fleet, sides: &[Side]) -> Self {
        let (enough, mut running) = (Arc::<AtomicBool>::default(), JoinSet::new());
        for side in sides {
            for ledger in &side.ledgers {
                let ingest = Caller::new(fleet.ingest.clone(), Duration::from_secs(15));
                let (token, ledger) = (side.org.producer.clone(), Arc::clone(ledger));
                running.spawn(produce(ingest, token, Arc::clone(&enough), ledger));
            }
        }
        Self { enough, running }
    }

    pub(crate) async fn stop(mut self) {
        self.enough.store(true, Ordering::SeqCst);
        while let Some(writer) = self.running.join_next().await {
            writer.expect("a producer does not fail");
        }
    }
}
