//! Servers as they are deployed: `deploy/nats` as it is shipped, but for addresses and stores.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use auditrelay_streams::{NatsSettings, Tls};
use tokio::process::{Child, Command};

use super::certificates::Certificates;
use super::{binary, free_port};
use crate::wait;

/// The password of every user.
pub(super) const PASSWORD: &str = "kit";

/// One of them asks whether the servers have agreed on a leader.
const USER: &str = "retention";

const SHIPPED: [(&str, &str); 6] = [
    ("nats.conf", include_str!("../../../../deploy/nats/nats.conf")),
    ("cluster.conf", include_str!("../../../../deploy/nats/cluster.conf")),
    ("common.conf", include_str!("../../../../deploy/nats/common.conf")),
    ("accounts.conf", include_str!("../../../../deploy/nats/accounts.conf")),
    ("tls.conf", include_str!("../../../../deploy/nats/tls.conf")),
    ("routes-tls.conf", include_str!("../../../../deploy/nats/routes-tls.conf")),
];

/// One server, or the servers of one cluster.
pub(super) struct Servers {
    all: Vec<Server>,
    /// Where each finds the others.
    routes: Arc<str>,
    certificates: Option<Certificates>,
}

struct Server {
    folder: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl Servers {
    /// Starts `count` servers below `store`; with TLS where there are certificates.
    pub(super) async fn start(
        store: &Path,
        count: usize,
        certificates: Option<Certificates>,
    ) -> Self {
        let mut servers = Vec::new();
        let mut routes = Vec::new();
        for number in 1..=count {
            let folder = store.join(format!("nats-{number}"));
            let (port, route) = (free_port(), free_port());
            write_configuration(&folder, port, route, certificates.as_ref());
            routes.push(format!("nats://routes:{PASSWORD}@127.0.0.1:{route}"));
            servers.push(Server { folder, port, child: None });
        }
        let routes = format!("[{}]", routes.join(", ")).into();
        let mut these = Self { all: servers, routes, certificates };
        these.restart().await;
        these
    }

    /// Where they listen, for this user.
    pub(super) fn url(&self, user: &str) -> String {
        let url = |server: &Server| format!("nats://{user}:{PASSWORD}@127.0.0.1:{}", server.port);
        self.all.iter().map(url).collect::<Vec<_>>().join(",")
    }

    pub(super) fn tls(&self) -> Tls {
        self.certificates.as_ref().map(Certificates::tls).unwrap_or_default()
    }

    pub(super) fn refusals(&self) -> Vec<String> {
        let logs = self.all.iter().map(|server| server.folder.join("nats.log"));
        let logs: String =
            logs.map(|log| std::fs::read_to_string(log).unwrap_or_default()).collect();
        logs.lines().filter(|line| line.contains("Violation")).map(str::to_owned).collect()
    }

    /// Kills one, as a crash would.
    pub(super) async fn kill(&mut self, server: usize) {
        if let Some(mut child) = self.all.get_mut(server).and_then(|one| one.child.take()) {
            child.kill().await.expect("a server that can be killed");
        }
    }

    pub(super) async fn kill_all(&mut self) {
        for server in 0..self.all.len() {
            self.kill(server).await;
        }
    }

    /// Starts those that do not run, and waits until they answer.
    pub(super) async fn restart(&mut self) {
        let file = if self.all.len() == 1 { "nats.conf" } else { "cluster.conf" };
        for server in &mut self.all {
            if server.child.is_none() {
                server.child = Some(spawn(server, file, &self.routes).await);
            }
        }
        let settings =
            NatsSettings { url: self.url(USER), credentials: None, name: "kit".to_owned() };
        let tls = self.tls();
        wait::until("the servers to have a leader", async || {
            let connected = auditrelay_streams::connect_with(&settings, &tls).await;
            connected.map(drop).map_err(|why| why.to_string())
        })
        .await;
    }
}

async fn spawn(server: &Server, file: &str, routes: &str) -> Child {
    let mut command = Command::new(&binary().await.path);
    command.arg("--config").arg(server.folder.join(file));
    command.arg("--log").arg(server.folder.join("nats.log"));
    let name = server.folder.file_name().unwrap_or_default();
    command.env("NATS_SERVER_NAME", name).env("NATS_ROUTES", routes);
    for user in ["INGEST", "RETENTION", "SCHEDULER", "SENDER", "API", "ROUTES"] {
        command.env(format!("NATS_{user}_PASSWORD"), PASSWORD);
    }
    command.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    command.spawn().expect("nats-server starts")
}

/// What is shipped, for this machine.
fn write_configuration(folder: &Path, port: u16, route: u16, certificates: Option<&Certificates>) {
    std::fs::create_dir_all(folder).expect("a writable directory");
    let changes = [
        ("listen: 0.0.0.0:4222", format!("listen: 127.0.0.1:{port}")),
        ("listen: 0.0.0.0:6222", format!("listen: 127.0.0.1:{route}")),
        ("http: 0.0.0.0:8222", String::new()),
        ("store_dir: /data", format!("store_dir: \"{}/data\"", folder.display())),
    ];
    for (shipped, _) in &changes {
        let said = SHIPPED.iter().any(|(_, text)| text.contains(shipped));
        assert!(said, "deploy/nats does not say {shipped:?}");
    }
    for (name, text) in SHIPPED {
        let text = changes
            .iter()
            .fold(text.to_owned(), |text, (shipped, ours)| text.replace(shipped, ours));
        let text = match certificates {
            Some(certificates) if name.ends_with("tls.conf") => certificates.unmarked(&text),
            Some(_) | None => text,
        };
        std::fs::write(folder.join(name), text).expect("a writable directory");
    }
}
