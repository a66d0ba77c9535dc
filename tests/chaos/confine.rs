//! Processes with little: file descriptors, time of a processor, memory. Only for root, with control
//! groups of either version.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::disks::run;
use crate::fleet::{Fleet, Process};
use crate::history::History;
use crate::run::Incident;
use crate::scene::{Side, served};
use crate::stories::{LONG, note};

/// File descriptors of a process.
const DESCRIPTORS: &str = "--nofile=64:1024";
const ENOUGH: &str = "--nofile=1024:1024";
/// More callers than a process with so few can hold.
const CALLERS: usize = 100;
/// How soon a starving process says that it lives.
const ANSWER: Duration = Duration::from_secs(1);

const ROOT: &str = "/sys/fs/cgroup";
/// Where, which file, what: a fiftieth of a processor and 256 MiB, first version and second.
const FIRST: [(&str, &str, &str); 2] =
    [("cpu", "cpu.cfs_quota_us", "2000"), ("memory", "memory.limit_in_bytes", "268435456")];
const SECOND: [(&str, &str, &str); 2] =
    [("", "cpu.max", "2000 100000"), ("", "memory.max", "268435456")];

/// A group for one process.
struct Group {
    folders: Vec<PathBuf>,
    process: u32,
}

impl Group {
    /// Puts a process in one.
    fn of(process: u32) -> std::io::Result<Self> {
        let is_second = Path::new(ROOT).join("cgroup.controllers").exists();
        let mut group = Self { folders: Vec::new(), process };
        for (controller, file, limit) in if is_second { SECOND } else { FIRST } {
            let folder = Path::new(ROOT).join(controller).join(format!("auditrelay-{process}"));
            fs::create_dir_all(&folder)?;
            group.folders.push(folder.clone());
            fs::write(folder.join(file), limit)?;
            fs::write(folder.join("cgroup.procs"), process.to_string())?;
        }
        Ok(group)
    }

    /// How often the system did something to it, by the name of its count.
    fn count(&self, name: &str) -> u64 {
        let names = ["cpu.stat", "memory.oom_control", "memory.events"];
        let files = self.folders.iter().flat_map(|folder| names.map(|file| folder.join(file)));
        let texts = files.filter_map(|file| fs::read_to_string(file).ok());
        let count = |text: String| {
            text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok())
        };
        texts.filter_map(count).max().expect("the system counts it")
    }
}

/// Its process is free again.
impl Drop for Group {
    fn drop(&mut self) {
        for folder in &self.folders {
            if let Some(parent) = folder.parent() {
                let _ = fs::write(parent.join("cgroup.procs"), self.process.to_string());
            }
            let _ = fs::remove_dir(folder);
        }
    }
}

/// Whether this machine lets us have groups.
pub(crate) fn can_be_had() -> bool {
    Group::of(std::process::id()).is_ok()
}

/// Every service has little of everything for a while, and more callers than it can hold.
pub(crate) async fn scarcity(
    fleet: &mut Fleet,
    history: &History,
    sides: &[Side],
) -> Vec<Incident> {
    let mut admins = Vec::new();
    for service in &mut fleet.services {
        admins.push(service.admin());
        service.end(Signal::SIGTERM).await;
        service.revive();
    }
    served(sides).await;
    let scarce = note(history, "everybody has little of everything");
    let processes: Vec<u32> = fleet.services.iter().filter_map(Process::id).collect();
    let groups: Vec<Group> =
        processes.iter().map(|process| Group::of(*process).expect("a group")).collect();
    limit_descriptors(&processes, DESCRIPTORS).await;
    served(sides).await;
    let begun = Instant::now();
    while begun.elapsed() < LONG {
        for admin in &admins {
            lives(admin).await;
        }
        tokio::time::sleep(ANSWER).await;
    }
    let crowd = note(history, "more callers than descriptors");
    let callers = call(&fleet.ingest).await;
    tokio::time::sleep(LONG).await;
    drop(callers);
    served(sides).await;
    let of_all = |name: &str| groups.iter().map(|group| group.count(name)).sum::<u64>();
    let (waits, ends) = (of_all("nr_throttled"), of_all("oom_kill"));
    history.say(&format!("{waits} times somebody had to wait for the processor"));
    assert!(waits > 0, "nobody was short of time");
    assert_eq!(ends, 0, "the system ended some for want of memory");
    drop(groups);
    limit_descriptors(&processes, ENOUGH).await;
    let ended: Vec<_> = fleet.services.iter_mut().filter_map(Process::ended).collect();
    assert!(ended.is_empty(), "{ended:?}");
    served(sides).await;
    vec![scarce, crowd]
}

async fn limit_descriptors(processes: &[u32], limit: &str) {
    for process in processes {
        run("prlimit", &["--pid", &process.to_string(), limit]).await;
    }
}

/// Callers that say nothing.
async fn call(ports: &[u16]) -> Vec<TcpStream> {
    let mut callers = Vec::new();
    for port in ports {
        for _ in 0..CALLERS {
            callers.extend(TcpStream::connect(("127.0.0.1", *port)).await);
        }
    }
    callers
}

async fn lives(admin: &str) {
    let asking = reqwest::get(format!("http://{admin}/live"));
    let answer = tokio::time::timeout(ANSWER, asking).await;
    let answer = answer.expect("an answer in time").expect("an answer");
    assert!(answer.status().is_success(), "{admin}: {}", answer.status());
}
