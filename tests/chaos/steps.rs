//! A process ends at each step of an event's way: what it had begun is done by others, or again.

use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::Instant;

use crate::fleet::Fleet;
use crate::history::History;
use crate::people::Caller;
use crate::run::{Incident, ask};
use crate::scene::Side;

/// Whose step it is, and at which time it is the last.
const STEPS: [(&str, &str); 11] = [
    ("ingest", "parsed:5"),
    ("ingest", "published:5"),
    ("ingest", "acknowledged:5"),
    ("ingest", "answering:5"),
    ("webhook-sender", "pulled:5"),
    ("webhook-sender", "sending:5"),
    ("webhook-sender", "sent:5"),
    ("webhook-sender", "acknowledged:5"),
    ("webhook-sender", "done:5"),
    ("replay-scheduler", "published:2"),
    ("replay-scheduler", "acknowledged:2"),
];
const PATIENCE: Duration = Duration::from_mins(1);

/// One step after the other; everybody else goes on.
pub(crate) async fn every_step(
    fleet: &mut Fleet,
    history: &History,
    sides: &[Side],
    api: &Caller,
) -> Vec<Incident> {
    let mut faults = Vec::new();
    for (service, step) in STEPS {
        let all = fleet.all(service);
        start_again(fleet, &all, step).await;
        if service == "replay-scheduler" {
            ask(api, &sides[0]).await;
        }
        let at = until_one_ends(fleet, &all, step).await;
        let name = format!("{service} ends at {step}");
        history.say(&name);
        start_again(fleet, &all, "").await;
        faults.push((name, at));
    }
    faults
}

async fn start_again(fleet: &mut Fleet, all: &[usize], failpoint: &str) {
    for index in all {
        let process = &mut fleet.services[*index];
        process.end(Signal::SIGKILL).await;
        process.more.insert("FAILPOINT", failpoint.to_owned());
        process.revive();
    }
}

async fn until_one_ends(fleet: &mut Fleet, all: &[usize], step: &str) -> Instant {
    let begun = Instant::now();
    loop {
        for index in all {
            if fleet.services[*index].ended().is_some() {
                return Instant::now();
            }
        }
        assert!(begun.elapsed() < PATIENCE, "nobody got to {step}: built with failpoints?");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
