//! So many organizations store a little at the same time that their records travel to the broker
//! together; meanwhile whoever carries them is killed, put to sleep, and loses its power.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::fleet::Fleet;
use crate::history::History;
use crate::run::Incident;
use crate::scene::{Side, served};
use crate::stories::note;

const ASLEEP: Duration = Duration::from_secs(2);

pub(crate) async fn story(
    fleet: &mut Fleet,
    history: &History,
    sides: &[Side],
    rounds: usize,
) -> Vec<Incident> {
    let ingest = fleet.all("ingest")[0];
    let (admin, mut incidents) = (fleet.services[ingest].admin(), Vec::new());
    let mut note = |name: &str| incidents.push(note(history, name));
    for round in 0..rounds {
        served(sides).await;
        note("ingest is killed");
        fleet.services[ingest].end(Signal::SIGKILL).await;
        fleet.services[ingest].revive();
        served(sides).await;
        let carrier = fleet.brokers.leader().await;
        note("the broker is killed");
        fleet.brokers.all[carrier].end(Signal::SIGKILL).await;
        fleet.brokers.all[carrier].revive();
        served(sides).await;
        note("the broker sleeps");
        let carrier = fleet.brokers.leader().await;
        fleet.brokers.all[carrier].signal(Signal::SIGSTOP);
        tokio::time::sleep(ASLEEP).await;
        fleet.brokers.all[carrier].signal(Signal::SIGCONT);
        served(sides).await;
        note("the power of the brokers is cut");
        fleet.brokers.cut_all_power().await;
        served(sides).await;
        let stored = convoys(&admin).await;
        history.say(&format!("{stored} convoys since ingest was started in round {round}"));
        assert!(stored > 0, "nothing travelled together");
    }
    incidents
}

/// How many convoys were stored.
async fn convoys(admin: &str) -> u64 {
    let metrics = reqwest::get(format!("http://{admin}/metrics")).await.expect("an answer");
    let metrics = metrics.text().await.expect("a text");
    let name = r#"auditrelay_ingest_convoy_records_count{outcome="stored"} "#;
    let count = metrics.lines().find_map(|line| line.strip_prefix(name));
    count.map_or(0, |count| count.parse().expect("a number"))
}
