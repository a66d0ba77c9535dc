//! A network of their own for brokers, whose cables can be cut, one way too. Only for root.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::disks::run;
use crate::fleet::Fleet;
use crate::history::History;
use crate::run::Incident;
use crate::scene::{Side, served};
use crate::stories::{LONG, note};

/// Each broker is in a network namespace, at a bridge whose own address is the first one.
pub(crate) struct Network {
    /// Of the bridge; those of the namespaces and cables begin with it.
    name: String,
    subnet: u8,
    nodes: u8,
}

/// Nobody's: what is sent there is lost without a word.
const NOBODY: &str = "02:00:00:00:00:01";

impl Network {
    /// Lays it.
    pub(crate) async fn of(nodes: usize) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let turn = std::process::id().wrapping_mul(7) + NEXT.fetch_add(1, Ordering::SeqCst);
        let subnet = u8::try_from(turn % 250).expect("it is below 250");
        let nodes = u8::try_from(nodes).expect("a few brokers");
        let network = Self { name: format!("ar{turn}"), subnet, nodes };
        network.lay().await;
        network
    }

    /// Whether this machine lets us have one.
    pub(crate) async fn can_be_had() -> bool {
        tokio::spawn(async { drop(Self::of(1).await) }).await.is_ok()
    }

    async fn lay(&self) {
        let bridge = &self.name;
        ip(&format!("link add {bridge} type bridge")).await;
        ip(&format!("address add {}/24 dev {bridge}", self.host(1))).await;
        ip(&format!("link set {bridge} up")).await;
        for node in 0..self.nodes {
            let space = self.space(node);
            ip(&format!("netns add {space}")).await;
            ip(&format!("link add {space} type veth peer name eth0 netns {space}")).await;
            ip(&format!("link set {space} master {bridge} up")).await;
            ip(&format!("-n {space} address add {}/24 dev eth0", self.host(node + 2))).await;
            ip(&format!("-n {space} link set eth0 up")).await;
        }
    }

    /// Where a broker is found.
    pub(crate) fn address(&self, node: usize) -> IpAddr {
        self.host(u8::try_from(node).expect("a few brokers") + 2)
    }

    /// What a broker's command line begins with.
    pub(crate) fn inside(&self, node: usize) -> Vec<String> {
        let space = self.space(u8::try_from(node).expect("a few brokers"));
        ["ip", "netns", "exec", &space].map(ToOwned::to_owned).to_vec()
    }

    /// A broker's cable is pulled, or is in its place again.
    pub(crate) async fn plug(&self, node: usize, plugged: bool) {
        let space = self.space(u8::try_from(node).expect("a few brokers"));
        ip(&format!("link set {space} {}", if plugged { "up" } else { "down" })).await;
    }

    /// What one sends to another is lost, or arrives again; the other way nothing changes.
    pub(crate) async fn hear(&self, from: usize, to: usize, heard: bool) {
        let space = self.space(u8::try_from(from).expect("a few brokers"));
        let to = self.address(to);
        ip(&if heard {
            format!("-n {space} neighbour del {to} dev eth0")
        } else {
            format!("-n {space} neighbour replace {to} lladdr {NOBODY} dev eth0 nud permanent")
        })
        .await;
    }

    fn host(&self, last: u8) -> IpAddr {
        IpAddr::from(Ipv4Addr::new(10, 199, self.subnet, last))
    }

    fn space(&self, node: u8) -> String {
        format!("{}n{node}", self.name)
    }
}

/// The cable of whoever leads is pulled; then what one broker sends to another, or to all others,
/// is lost, while it hears them: each for a while, and each when the one before is forgotten.
pub(crate) async fn cables(fleet: &mut Fleet, history: &History, sides: &[Side]) -> Vec<Incident> {
    let mut incidents = Vec::new();
    served(sides).await;
    let leader = fleet.brokers.leader().await;
    incidents.push(note(history, "the leader's cable is pulled"));
    network(fleet).plug(leader, false).await;
    tokio::time::sleep(LONG).await;
    served(sides).await;
    network(fleet).plug(leader, true).await;
    for (name, lost) in ONE_WAY {
        served(sides).await;
        let leader = fleet.brokers.leader().await;
        let pairs = lost.iter().map(|(from, to)| ((leader + from) % 3, (leader + to) % 3));
        incidents.push(note(history, name));
        for (from, to) in pairs.clone() {
            network(fleet).hear(from, to, false).await;
        }
        tokio::time::sleep(LONG).await;
        served(sides).await;
        for (from, to) in pairs {
            network(fleet).hear(from, to, true).await;
        }
    }
    served(sides).await;
    incidents
}

/// Who is not heard by whom, counted from whoever leads.
const ONE_WAY: [(&str, &[(usize, usize)]); 3] = [
    ("one follower does not hear the leader", &[(0, 1)]),
    ("nobody hears the leader", &[(0, 1), (0, 2)]),
    ("the leader hears nobody", &[(1, 0), (2, 0)]),
];

fn network(fleet: &Fleet) -> &Network {
    fleet.brokers.network.as_ref().expect("brokers that are apart")
}

impl Drop for Network {
    fn drop(&mut self) {
        let gone = |arguments: &[&str]| {
            let _ = std::process::Command::new("ip").args(arguments).status();
        };
        for node in 0..self.nodes {
            gone(&["link", "del", &self.space(node)]);
            gone(&["netns", "del", &self.space(node)]);
        }
        gone(&["link", "del", &self.name]);
    }
}

async fn ip(arguments: &str) {
    let arguments: Vec<&str> = arguments.split(' ').collect();
    run("ip", &arguments).await;
}
