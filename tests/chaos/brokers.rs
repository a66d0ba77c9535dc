//! Real nats-servers, alone or as a cluster, each of which can be killed, stopped and started, lose
//! its power, or be cut off from the others.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use auditrelay_broker::find_or_provide;
use auditrelay_testkit::nats::free_port;
use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::disks::{Disk, Mount};
use crate::fleet::{Env, Process};
use crate::link::Link;

const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) struct Brokers {
    pub(crate) all: Vec<Process>,
    pub(crate) ports: Vec<u16>,
    looks: Vec<u16>,
    // In this order: a folder is removed once nothing is mounted in it.
    pub(crate) mounts: Vec<Mount>,
    store: TempDir,
}

/// Where one listens, for whom.
struct Places {
    clients: u16,
    looks: u16,
    routes: u16,
    /// Of the others, as this one calls them.
    others: Vec<u16>,
}

impl Brokers {
    pub(crate) async fn start(count: usize, disk: Disk) -> Self {
        let binary = find_or_provide().await.expect("a nats-server that is new enough").path;
        let store = tempfile::tempdir().expect("a temporary directory");
        let routes: Vec<u16> = (0..count).map(|_| free_port()).collect();
        let wires = wires(&routes).await;
        let (mut all, mut mounts, mut ports, mut looks) = (vec![], vec![], vec![], vec![]);
        for (index, own) in routes.iter().enumerate() {
            let folder = store.path().join(format!("n{index}"));
            std::fs::create_dir_all(&folder).expect("a writable directory");
            mounts.extend(Mount::of(disk, &folder).await);
            let others = wires.iter().filter(|wire| wire.0 == index).map(|wire| wire.2.port);
            let others = others.collect();
            let places = Places { clients: free_port(), looks: free_port(), routes: *own, others };
            let config = store.path().join(format!("n{index}.conf"));
            std::fs::write(&config, config_of(index, &places, &folder)).expect("a writable folder");
            let touching = wires.iter().filter(|wire| wire.0 == index || wire.1 == index);
            let links = touching.map(|wire| wire.2.clone()).collect();
            let name = format!("broker {index}");
            all.push(Process::start(name, links, command(&binary, &config)));
            ports.push(places.clients);
            looks.push(places.looks);
        }
        Self { all, ports, looks, mounts, store }
    }

    /// What they say of stores that they cannot read any more.
    pub(crate) fn damage(&self) -> Vec<String> {
        let mut found = Vec::new();
        for index in 0..self.all.len() {
            let log = self.store.path().join(format!("n{index}.log"));
            let log = std::fs::read_to_string(log).unwrap_or_default();
            // An index that lost its power is made anew from the blocks.
            let mut lines = log.lines().filter(|line| !line.contains("state from index"));
            let damage = lines.find(|line| line.contains("orrupt"));
            found.extend(damage.map(|line| format!("broker {index}: {line}")));
        }
        found
    }

    /// Who leads the stream of events, once all of them hold the same of it.
    pub(crate) async fn leader(&self) -> usize {
        if self.all.len() == 1 {
            return 0;
        }
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            for (index, port) in self.looks.iter().enumerate() {
                if leads(*port, index, self.all.len()).await == Some(true) {
                    return index;
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("nobody leads the stream of events with all the others behind it");
    }

    /// All of them lose their power at once, and what they had not synced with it; they are started
    /// again. Says whether something that nobody had synced is gone indeed.
    pub(crate) async fn cut_power(&mut self) -> bool {
        let mark = auditrelay_runtime::ids::uuid_v4().to_string();
        self.all.iter().for_each(|broker| broker.signal(Signal::SIGSTOP));
        for mount in &self.mounts {
            mount.remember(&mark).await;
        }
        for broker in &mut self.all {
            broker.end(Signal::SIGKILL).await;
        }
        let mut gone = false;
        for mount in &self.mounts {
            gone |= mount.forget_the_rest(&mark).await;
        }
        self.all.iter_mut().for_each(Process::revive);
        gone
    }

    /// The logs, for a run that failed.
    pub(crate) fn keep(self) -> PathBuf {
        self.store.keep()
    }
}

/// From whom to whom, through what.
async fn wires(routes: &[u16]) -> Vec<(usize, usize, Link)> {
    let mut wires = Vec::new();
    for from in 0..routes.len() {
        for (to, port) in routes.iter().enumerate().filter(|(to, _)| *to != from) {
            wires.push((from, to, Link::to(*port).await));
        }
    }
    wires
}

/// Whether it says that it leads, and that all others have what it has.
async fn leads(port: u16, index: usize, brokers: usize) -> Option<bool> {
    let url = format!("http://127.0.0.1:{port}/jsz?accounts=1&streams=1");
    let looking = async { reqwest::get(url).await.ok()?.json::<Value>().await.ok() };
    let seen = tokio::time::timeout(Duration::from_secs(2), looking).await.ok()??;
    let accounts = seen["account_details"].as_array()?;
    let mut streams = accounts.iter().filter_map(|one| one["stream_detail"].as_array()).flatten();
    let events = streams.find(|stream| stream["name"] == "EVENTS")?;
    let cluster = &events["cluster"];
    let others = cluster["replicas"].as_array()?;
    let follow = others.iter().filter(|one| one["current"] == true && one["offline"] != true);
    Some(cluster["leader"] == format!("n{index}") && follow.count() + 1 == brokers)
}

fn command(binary: &Path, config: &Path) -> impl Fn(&Env) -> Child + Send + Sync + use<> {
    let (binary, config) = (binary.to_owned(), config.to_owned());
    move |_| {
        let mut command = Command::new(&binary);
        command.arg("--config").arg(&config).stdout(Stdio::null()).stderr(Stdio::null());
        command.kill_on_drop(true).spawn().expect("nats-server starts")
    }
}

fn config_of(index: usize, places: &Places, folder: &Path) -> String {
    let store = folder.display();
    let Places { clients, looks, routes, others } = places;
    let mut text = format!(
        "server_name: n{index}\nlisten: 127.0.0.1:{clients}\nhttp: 127.0.0.1:{looks}\n\
         log_file: \"{store}.log\"\nmax_payload: 1MB\n\
         jetstream {{ store_dir: \"{store}\", sync_interval: always, max_file_store: 10GB }}\n"
    );
    if !others.is_empty() {
        let all: Vec<String> =
            others.iter().map(|port| format!("\"nats://127.0.0.1:{port}\"")).collect();
        let line = format!(
            "cluster {{ name: chaos, listen: \"127.0.0.1:{routes}\", no_advertise: true, \
             routes: [{}] }}\n",
            all.join(", ")
        );
        text.push_str(&line);
    }
    text
}
