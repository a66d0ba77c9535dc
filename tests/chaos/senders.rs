//! Three senders divide the work, and one after the other is killed, or two of them sleep through
//! their leases and wake up late: nothing is lost, a crash repeats at most a batch of each lane, and
//! no event overtakes another.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use auditrelay_testkit::siem::Answer;
use nix::sys::signal::Signal;
use tokio::time::Instant;

use crate::brokers::Ground;
use crate::check;
use crate::fleet::{BATCH, Env, Fleet, SENDERS};
use crate::people::Caller;
use crate::scene::{self, Side, Writers};

const WRITERS: usize = 2;
const SECOND: Duration = Duration::from_secs(1);
/// Leases last for ten seconds.
const SLEEP: Duration = Duration::from_secs(12);

/// One of them is killed every second.
pub(crate) async fn killed_in_turn(length: Duration) {
    let mut scene = Scene::begin().await;
    let (begun, mut kills) = (Instant::now(), 0);
    while begun.elapsed() < length {
        let turn = kills % 3;
        let mut senders = scene.fleet.senders();
        senders[turn].end(Signal::SIGKILL).await;
        senders[turn].revive();
        kills += 1;
        tokio::time::sleep(SECOND).await;
    }
    scene.end(kills).await;
}

/// Two of them sleep while the third takes everything over.
pub(crate) async fn asleep() {
    let mut scene = Scene::begin().await;
    for sleeper in scene.fleet.senders().into_iter().take(2) {
        sleeper.signal(Signal::SIGSTOP);
    }
    tokio::time::sleep(SLEEP).await;
    scene.everybody_is_served().await;
    for sleeper in scene.fleet.senders().into_iter().take(2) {
        sleeper.signal(Signal::SIGCONT);
    }
    scene.everybody_is_served().await;
    scene.end(2).await;
}

struct Scene {
    fleet: Fleet,
    sides: Vec<Side>,
    writers: Writers,
}

impl Scene {
    /// Everybody sends; one receiver is slow, one fails now and then.
    async fn begin() -> Self {
        let fleet = Fleet::start(&Ground::firm(1), SENDERS, Env::new()).await;
        let api = Caller::new(vec![fleet.api], Duration::from_secs(10));
        let sides = scene::sides(&api, 3, WRITERS).await;
        sides[1].siem.answer_always(Answer::Slow(Duration::from_millis(60), 200));
        let turn = AtomicUsize::new(0);
        sides[2].siem.answer_by(move |_| match turn.fetch_add(1, Ordering::SeqCst) % 23 {
            2 => Answer::Status(503),
            4 => Answer::Disconnect,
            _ => Answer::Slow(Duration::from_millis(20), 200),
        });
        let writers = Writers::begin(&fleet, &sides);
        let scene = Self { fleet, sides, writers };
        scene.everybody_is_served().await;
        scene
    }

    /// Waits until every receiver has got more than it has.
    async fn everybody_is_served(&self) {
        for side in &self.sides {
            let known = side.siem.taken().len();
            side.siem.wait_for_taken(known + 2).await;
        }
    }

    async fn end(self, crashes: usize) {
        self.writers.stop().await;
        let took = scene::drained(&self.sides).await;
        let keys = self.fleet.keys.verifier();
        for side in &self.sides {
            let verdict = side.with_ledgers(|ledgers| check::live(&side.siem, ledgers, &keys));
            eprintln!("{crashes} crashes, {:.1} s later: {verdict:?}", took.as_secs_f64());
            assert!(verdict.wrong.is_empty(), "{verdict:?}");
            assert!(verdict.repeated <= crashes * BATCH, "{verdict:?}");
        }
    }
}
