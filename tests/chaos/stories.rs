//! One thing goes wrong, thoroughly, while everybody sends: the power, the disk, the store's limit,
//! the brokers' leader, their majority, their version.

use std::time::Duration;

use auditrelay_broker::find_or_provide;
use nix::sys::signal::Signal;
use tokio::time::Instant;

use crate::brokers::SERVER;
use crate::disks::Mount;
use crate::faults::{Fault, What, Whom};
use crate::fleet::Fleet;
use crate::history::History;
use crate::link::Wire;
use crate::random::Random;
use crate::run::Incident;
use crate::scene::{Side, refused, served};

/// Bytes of events that a store takes which is soon full.
pub(crate) const LITTLE: &str = "400kB";
const MORE: &str = "1GB";
/// The setting of that.
pub(crate) const LIMIT: &str = "AUDITRELAY_RETENTION_EVENTS_MAX_BYTES";
/// Longer than the brokers wait for a sign of their leader.
pub(crate) const LONG: Duration = Duration::from_secs(10);
/// Shorter than that.
const SHORT: Duration = Duration::from_secs(2);

pub(crate) fn note(history: &History, name: &str) -> Incident {
    history.say(name);
    (name.to_owned(), Instant::now())
}

/// The power of all brokers goes so many times, at times that the seed says.
pub(crate) async fn power(
    fleet: &mut Fleet,
    history: &History,
    sides: &[Side],
    (seed, cuts): (u64, usize),
) -> Vec<Incident> {
    let (mut random, mut incidents, mut lost) = (Random::new(seed), Vec::new(), 0);
    let (shortest, longest) = (Duration::from_millis(300), Duration::from_secs(3));
    for _ in 0..cuts {
        served(sides).await;
        tokio::time::sleep(random.between(shortest, longest)).await;
        incidents.push(note(history, "the power of the brokers is cut"));
        lost += usize::from(fleet.brokers.cut_all_power().await);
    }
    served(sides).await;
    history.say(&format!("{lost} of {cuts} cuts took what was not synced"));
    assert!(lost * 2 >= cuts, "no power was cut");
    incidents
}

/// The brokers' disk takes nothing any more; with room again they want to be started anew.
pub(crate) async fn disk(fleet: &mut Fleet, history: &History, sides: &[Side]) -> Vec<Incident> {
    served(sides).await;
    let full = note(history, "the disk is full");
    fleet.brokers.mounts.iter().for_each(Mount::fill);
    refused(sides, "").await;
    fleet.brokers.mounts.iter().for_each(Mount::make_room);
    let room = note(history, "there is room again");
    for broker in &mut fleet.brokers.all {
        broker.end(Signal::SIGTERM).await;
        broker.revive();
    }
    served(sides).await;
    vec![full, room]
}

/// The stream of events holds all that it may, until it may hold more.
pub(crate) async fn limit(fleet: &mut Fleet, history: &History, sides: &[Side]) -> Vec<Incident> {
    refused(sides, "The event store is full").await;
    let room = note(history, "the limit of the store is raised");
    for index in fleet.all("retention") {
        let retention = &mut fleet.services[index];
        retention.more.insert(LIMIT, MORE.to_owned());
        retention.end(Signal::SIGTERM).await;
        retention.revive();
    }
    served(sides).await;
    vec![room]
}

/// Whoever leads the stream of events is killed, ended, put to sleep, cut off from the others: one
/// after the other, each when the one before has caught up.
pub(crate) async fn leader(fleet: &mut Fleet, history: &History, sides: &[Side]) -> Vec<Incident> {
    let mut incidents = Vec::new();
    for what in [What::Kill, What::Terminate, What::Pause, What::Wire(Wire::Silent)] {
        served(sides).await;
        let leader = fleet.brokers.leader().await;
        let fault = Fault { whom: Whom::Broker(leader), what };
        incidents.push(note(history, &format!("the leader: {what:?}")));
        fault.happen(fleet).await;
        tokio::time::sleep(LONG).await;
        // The others have found another.
        served(sides).await;
        fault.mend(fleet);
    }
    served(sides).await;
    incidents
}

/// Two of three brokers are gone: nothing is accepted until one of them is back.
pub(crate) async fn majority(
    fleet: &mut Fleet,
    history: &History,
    sides: &[Side],
) -> Vec<Incident> {
    served(sides).await;
    let leader = fleet.brokers.leader().await;
    let gone = [leader, (leader + 1) % 3];
    let lost = note(history, "two of three brokers are killed");
    for index in gone {
        fleet.brokers.all[index].end(Signal::SIGKILL).await;
    }
    // What was on its way is answered by then.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before: usize = sides.iter().map(Side::accepted).sum();
    refused(sides, "").await;
    let after: usize = sides.iter().map(Side::accepted).sum();
    assert_eq!(after, before, "something was accepted without a majority");
    fleet.brokers.all[gone[0]].revive();
    let back = note(history, "one of them is back");
    served(sides).await;
    fleet.brokers.all[gone[1]].revive();
    vec![lost, back]
}

/// One broker is behind when another loses its power and the third falls asleep: the first two are a
/// majority, of which one never had the newest and the other may have it no more.
pub(crate) async fn worst(fleet: &mut Fleet, history: &History, sides: &[Side]) -> Vec<Incident> {
    let mut incidents = Vec::new();
    for _ in 0..3 {
        served(sides).await;
        let leader = fleet.brokers.leader().await;
        let (behind, dark) = ((leader + 1) % 3, (leader + 2) % 3);
        fleet.brokers.all[behind].signal(Signal::SIGSTOP);
        tokio::time::sleep(SHORT).await;
        served(sides).await;
        incidents.push(note(history, "one power cut, one asleep, one behind"));
        fleet.brokers.all[leader].signal(Signal::SIGSTOP);
        fleet.brokers.cut_power(dark..dark + 1).await;
        fleet.brokers.all[behind].signal(Signal::SIGCONT);
        served(sides).await;
        fleet.brokers.all[leader].signal(Signal::SIGCONT);
    }
    served(sides).await;
    incidents
}

/// Brokers of the version before are replaced, one after the other, while everybody sends.
pub(crate) async fn upgrade(fleet: &mut Fleet, history: &History, sides: &[Side]) -> Vec<Incident> {
    let newer = find_or_provide().await.expect("a nats-server that is new enough").path;
    let newer = newer.to_str().expect("a path in UTF-8").to_owned();
    let mut incidents = Vec::new();
    for index in 0..fleet.brokers.all.len() {
        served(sides).await;
        // Until then the one before has not caught up.
        fleet.brokers.leader().await;
        incidents.push(note(history, "a broker is replaced by a newer one"));
        let broker = &mut fleet.brokers.all[index];
        broker.more.insert(SERVER, newer.clone());
        broker.end(Signal::SIGTERM).await;
        broker.revive();
    }
    served(sides).await;
    incidents
}
