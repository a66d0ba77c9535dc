//! Clocks of services that jump, by libfaketime; time that only passes goes on as it does.

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use crate::fleet::{Env, Fleet};
use crate::history::History;
use crate::people::Caller;
use crate::run::{Incident, ask};
use crate::scene::{Side, served};

/// Whose clock goes wrong, and how: in days, hours and minutes. Producers keep the true time, so
/// that an ingest that is late may be so by less than an event may be early.
const JUMPS: [(&str, &str); 8] = [
    ("webhook-sender", "+1d"),
    ("webhook-sender", "-1h"),
    ("ingest", "+1h"),
    ("ingest", "-4m"),
    ("replay-scheduler", "-8d"),
    ("replay-scheduler", "+2d"),
    ("retention", "+3d"),
    ("retention", "-3d"),
];
pub(crate) const FILE: &str = "FAKETIME_TIMESTAMP_FILE";
const PRELOAD: &str = "LD_PRELOAD";

/// Settings under which processes have clocks of ours; none where libfaketime is not installed.
pub(crate) fn ours() -> Option<Env> {
    let libraries = std::fs::read_dir("/usr/lib").ok()?.flatten();
    let library = libraries
        .map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"))
        .find(|library| library.exists())?;
    Some(Env::from([
        (PRELOAD, library.to_str()?.to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ("FAKETIME_CACHE_DURATION", "1".to_owned()),
    ]))
}

pub(crate) fn are_ours(env: &Env) -> bool {
    env.contains_key(PRELOAD)
}

/// A clock that is right; the file by which it is set.
pub(crate) fn start(folder: &Path, name: &str) -> String {
    let file = folder.join(format!("{name}.clock"));
    std::fs::write(&file, "+0").expect("a writable directory");
    file.display().to_string()
}

/// One jump after the other, there and back, with a replay under each clock of a scheduler.
pub(crate) async fn jump(
    fleet: &mut Fleet,
    history: &History,
    sides: &[Side],
    api: &Caller,
) -> Vec<Incident> {
    let mut incidents = Vec::new();
    for (service, jump) in JUMPS {
        let name = format!("the clock of {service} jumps by {jump}");
        history.say(&name);
        incidents.push((name, Instant::now()));
        set(fleet, service, jump);
        // Until they have looked at it.
        tokio::time::sleep(Duration::from_secs(2)).await;
        served(sides).await;
        if service == "replay-scheduler" {
            ask(api, &sides[0]).await;
        }
        set(fleet, service, "+0");
    }
    incidents
}

fn set(fleet: &Fleet, service: &str, to: &str) {
    for index in fleet.all(service) {
        let file = fleet.logs.path().join(format!("{}.clock", fleet.services[index].name));
        std::fs::write(file, to).expect("a writable directory");
    }
}
