//! What brokers lose with their power that sync now and then, as they do unless they are told to
//! sync every write: the reason for telling them.

use std::time::Duration;

use auditrelay_testkit::siem::Answer;
use tokio::time::Instant;

use crate::brokers::Ground;
use crate::disks::{Disk, run};
use crate::fleet::{DOUBLE, Env, Fleet};
use crate::history::History;
use crate::people::Caller;
use crate::scene::{self, Side, Writers, served};

/// What their makers chose.
const NOW_AND_THEN: &str = "2m";
const QUIET: Duration = Duration::from_secs(5);

/// The power goes while nobody receives; says how many events were accepted and are gone.
pub(crate) async fn power(brokers: usize) -> Option<usize> {
    let history = History::new(&format!("unsynced-{brokers}"));
    let ground = Ground { disk: Disk::Image, sync: NOW_AND_THEN, ..Ground::firm(brokers) };
    if !ground.can_be_had().await {
        history.say("not played: this machine lacks the rights");
        return None;
    }
    let mut fleet = Fleet::start(&ground, DOUBLE, Env::new()).await;
    let api = Caller::new(vec![fleet.api], Duration::from_secs(10));
    let sides = scene::sides(&api, 3, 2).await;
    // That they exist is on disk.
    run("sync", &[]).await;
    answer(&sides, 503);
    let writers = Writers::begin(&fleet, &sides);
    served(&sides).await;
    tokio::time::sleep(QUIET).await;
    history.say("the power of the brokers is cut");
    fleet.brokers.cut_all_power().await;
    served(&sides).await;
    writers.stop().await;
    answer(&sides, 200);
    let lost = once_quiet(&sides).await;
    let accepted: usize = sides.iter().map(Side::accepted).sum();
    history.say(&format!("{accepted} accepted, {lost} lost"));
    Some(lost)
}

fn answer(sides: &[Side], status: u16) {
    for side in sides {
        side.siem.answer_always(Answer::Status(status));
    }
}

/// How many are missing once nothing arrives any more.
async fn once_quiet(sides: &[Side]) -> usize {
    let mut seen = (usize::MAX, Instant::now());
    loop {
        let missing = sides.iter().map(Side::missing).sum();
        if missing != seen.0 {
            seen = (missing, Instant::now());
        }
        if seen.1.elapsed() > QUIET {
            return missing;
        }
        tokio::time::sleep(QUIET / 10).await;
    }
}
