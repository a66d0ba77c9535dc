//! Real nats-servers, alone or as a cluster, each of which can be killed, stopped and started.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use auditrelay_broker::find_or_provide;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::fleet::{Process, free_port};

pub(crate) struct Brokers {
    pub(crate) all: Vec<Process>,
    pub(crate) ports: Vec<u16>,
    store: TempDir,
}

impl Brokers {
    pub(crate) async fn start(count: usize) -> Self {
        let binary = find_or_provide().await.expect("a nats-server that is new enough").path;
        let store = tempfile::tempdir().expect("a temporary directory");
        let ports: Vec<u16> = (0..count).map(|_| free_port()).collect();
        let routes: Vec<u16> = (0..count).map(|_| free_port()).collect();
        let mut all = Vec::new();
        for (index, port) in ports.iter().enumerate() {
            let folder = store.path().join(format!("n{index}"));
            std::fs::create_dir_all(&folder).expect("a writable directory");
            let config = folder.join("nats.conf");
            let text = config_of(index, *port, &routes, &folder);
            std::fs::write(&config, text).expect("a writable directory");
            all.push(Process::start(format!("broker {index}"), command(&binary, &config)));
        }
        Self { all, ports, store }
    }

    /// What they say of stores that they cannot read any more.
    pub(crate) fn damage(&self) -> Vec<String> {
        let mut found = Vec::new();
        for index in 0..self.all.len() {
            let log = self.store.path().join(format!("n{index}/log"));
            let log = std::fs::read_to_string(log).unwrap_or_default();
            let damage = log.lines().find(|line| line.contains("orrupt"));
            found.extend(damage.map(|line| format!("broker {index}: {line}")));
        }
        found
    }

    /// The logs, for a run that failed.
    pub(crate) fn keep(self) -> PathBuf {
        self.store.keep()
    }
}

fn command(binary: &Path, config: &Path) -> impl Fn(&str) -> Child + Send + Sync + use<> {
    let (binary, config) = (binary.to_owned(), config.to_owned());
    move |_| {
        let mut command = Command::new(&binary);
        command.arg("--config").arg(&config).stdout(Stdio::null()).stderr(Stdio::null());
        command.kill_on_drop(true).spawn().expect("nats-server starts")
    }
}

fn config_of(index: usize, port: u16, routes: &[u16], folder: &Path) -> String {
    let store = folder.display();
    let mut text = format!(
        "server_name: n{index}\nlisten: 127.0.0.1:{port}\nlog_file: \"{store}/log\"\n\
         max_payload: 1MB\njetstream {{ store_dir: \"{store}\", sync_interval: always }}\n"
    );
    if routes.len() > 1 {
        let all: Vec<String> =
            routes.iter().map(|port| format!("\"nats://127.0.0.1:{port}\"")).collect();
        let line = format!(
            "cluster {{ name: chaos, listen: \"127.0.0.1:{}\", no_advertise: true, routes: [{}] }}\n",
            routes[index],
            all.join(", ")
        );
        text.push_str(&line);
    }
    text
}
