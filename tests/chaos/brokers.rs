//! Real nats-servers, alone or as a cluster, each of which can be killed, stopped and started, lose
//! its power, or be cut off from the others.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Range;
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
use crate::network::Network;

const PATIENCE: Duration = Duration::from_mins(1);
/// Names another server for a broker's next start.
pub(crate) const SERVER: &str = "NATS_SERVER";

/// What brokers stand on.
#[derive(Debug, Clone)]
pub(crate) struct Ground {
    pub(crate) brokers: usize,
    pub(crate) disk: Disk,
    /// How often they sync what they store.
    pub(crate) sync: &'static str,
    /// Whether each is a machine of its own at a network of their own.
    pub(crate) apart: bool,
    /// The server they begin with, where it is not the one that we provide.
    pub(crate) server: Option<PathBuf>,
}

pub(crate) struct Brokers {
    pub(crate) all: Vec<Process>,
    pub(crate) clients: Vec<SocketAddr>,
    looks: Vec<SocketAddr>,
    // In this order: a folder is removed once nothing is mounted in it.
    pub(crate) mounts: Vec<Mount>,
    pub(crate) network: Option<Network>,
    store: TempDir,
}

/// Where one listens, for whom.
struct Places {
    clients: SocketAddr,
    looks: SocketAddr,
    routes: SocketAddr,
    /// Of the others, as this one calls them.
    others: Vec<SocketAddr>,
}

impl Ground {
    /// Brokers as we ship them, on a disk of this machine.
    pub(crate) const fn firm(brokers: usize) -> Self {
        Self { brokers, disk: Disk::Ours, sync: "always", apart: false, server: None }
    }

    /// Whether this machine lets us have it.
    pub(crate) async fn can_be_had(&self) -> bool {
        let disk = self.disk == Disk::Ours || Mount::can_be_had(self.disk).await;
        disk && (!self.apart || Network::can_be_had().await)
    }
}

impl Brokers {
    pub(crate) async fn start(ground: &Ground) -> Self {
        let binary = match &ground.server {
            Some(server) => server.clone(),
            None => find_or_provide().await.expect("a nats-server that is new enough").path,
        };
        let store = tempfile::tempdir().expect("a temporary directory");
        let network = if ground.apart { Some(Network::of(ground.brokers).await) } else { None };
        let host = |index| network.as_ref().map_or(LOOPBACK, |network| network.address(index));
        let place = |index| SocketAddr::new(host(index), free_port());
        let routes: Vec<SocketAddr> = (0..ground.brokers).map(place).collect();
        let wires = if ground.apart { Vec::new() } else { wires(&routes).await };
        let (mut all, mut mounts, mut clients, mut looks) = (vec![], vec![], vec![], vec![]);
        for (index, own) in routes.iter().enumerate() {
            let folder = store.path().join(format!("n{index}"));
            std::fs::create_dir_all(&folder).expect("a writable directory");
            mounts.extend(Mount::of(ground.disk, &folder).await);
            let from_here = wires.iter().filter(|wire| wire.0 == index).map(|wire| wire.2.place);
            let others = if ground.apart {
                routes.iter().filter(|other| *other != own).copied().collect()
            } else {
                from_here.collect()
            };
            let places =
                Places { clients: place(index), looks: place(index), routes: *own, others };
            let config = store.path().join(format!("n{index}.conf"));
            let text = config_of(index, &places, &folder, ground.sync);
            std::fs::write(&config, text).expect("a writable folder");
            let touching = wires.iter().filter(|wire| wire.0 == index || wire.1 == index);
            let links = touching.map(|wire| wire.2.clone()).collect();
            let inside = network.as_ref().map(|network| network.inside(index));
            let spawn = command(inside.unwrap_or_default(), &binary, &config);
            all.push(Process::start(format!("broker {index}"), links, spawn));
            clients.push(places.clients);
            looks.push(places.looks);
        }
        Self { all, clients, looks, mounts, network, store }
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
            for (index, place) in self.looks.iter().enumerate() {
                if leads(*place, index, self.all.len()).await == Some(true) {
                    return index;
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("nobody leads the stream of events with all the others behind it");
    }

    /// These lose their power at once, and what they had not synced with it; they are started
    /// again. Says whether something that nobody had synced is gone indeed.
    pub(crate) async fn cut_power(&mut self, whose: Range<usize>) -> bool {
        let mark = auditrelay_runtime::ids::uuid_v4().to_string();
        let (brokers, mounts) = (&mut self.all[whose.clone()], &self.mounts[whose]);
        for broker in &*brokers {
            broker.signal(Signal::SIGSTOP);
        }
        for mount in mounts {
            mount.remember(&mark).await;
        }
        for broker in &mut *brokers {
            broker.end(Signal::SIGKILL).await;
        }
        let mut gone = false;
        for mount in mounts {
            gone |= mount.forget_the_rest(&mark).await;
        }
        brokers.iter_mut().for_each(Process::revive);
        gone
    }

    /// The same for all of them.
    pub(crate) async fn cut_all_power(&mut self) -> bool {
        self.cut_power(0..self.all.len()).await
    }

    /// The logs, for a run that failed.
    pub(crate) fn keep(self) -> PathBuf {
        self.store.keep()
    }
}

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// From whom to whom, through what.
async fn wires(routes: &[SocketAddr]) -> Vec<(usize, usize, Link)> {
    let mut wires = Vec::new();
    for from in 0..routes.len() {
        for (to, place) in routes.iter().enumerate().filter(|(to, _)| *to != from) {
            wires.push((from, to, Link::to(*place).await));
        }
    }
    wires
}

/// Whether it says that it leads, and that all others have what it has.
async fn leads(place: SocketAddr, index: usize, brokers: usize) -> Option<bool> {
    let url = format!("http://{place}/jsz?accounts=1&streams=1");
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

fn command(
    inside: Vec<String>,
    binary: &Path,
    config: &Path,
) -> impl Fn(&Env) -> Child + Send + Sync + use<> {
    let (binary, config) = (binary.to_owned(), config.to_owned());
    move |more| {
        let server = more.get(SERVER).map_or_else(|| binary.clone(), PathBuf::from);
        let words = inside.iter().map(OsString::from).chain([server.into_os_string()]);
        let words: Vec<OsString> = words.collect();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg("--config").arg(&config);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.kill_on_drop(true).spawn().expect("nats-server starts")
    }
}

fn config_of(index: usize, places: &Places, folder: &Path, sync: &str) -> String {
    let store = folder.display();
    let Places { clients, looks, routes, others } = places;
    let mut text = format!(
        "server_name: n{index}\nlisten: {clients}\nhttp: {looks}\n\
         log_file: \"{store}.log\"\nmax_payload: 1MB\n\
         jetstream {{ store_dir: \"{store}\", sync_interval: {sync}, max_file_store: 10GB }}\n"
    );
    if !others.is_empty() {
        let all: Vec<String> = others.iter().map(|place| format!("\"nats://{place}\"")).collect();
        let line = format!(
            "cluster {{ name: chaos, listen: \"{routes}\", no_advertise: true, \
             routes: [{}] }}\n",
            all.join(", ")
        );
        text.push_str(&line);
    }
    text
}
