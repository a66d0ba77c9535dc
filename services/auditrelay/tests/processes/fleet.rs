//! All five services as processes of their own, with a broker, as operators run them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use auditrelay_broker::{Broker, BrokerOptions, find_or_provide};

pub(crate) use crate::process::TOKEN;
use crate::process::{self, Running};

pub(crate) const SERVICES: [&str; 5] =
    ["ingest", "retention", "replay-scheduler", "webhook-sender", "api"];

/// How long all of them may take to be ready.
const PATIENCE: Duration = Duration::from_mins(1);

/// The services and what they need.
pub(crate) struct Fleet {
    pub(crate) services: Vec<Service>,
    /// Where the api listens.
    pub(crate) api: SocketAddr,
    broker: Broker,
    folder: tempfile::TempDir,
}

/// One of them.
pub(crate) struct Service {
    pub(crate) name: &'static str,
    pub(crate) process: Running,
    pub(crate) admin: SocketAddr,
}

impl Fleet {
    /// Starts all of them and waits until they are ready.
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for kind in ["signing", "sealing"] {
            let file = folder.path().join(kind);
            let made = process::auditrelay(&["keys", "generate", kind, file.to_str().unwrap()]);
            assert_eq!(process::code(&made), 0, "{}", process::stderr(&made));
        }
        let binary = find_or_provide().await.unwrap();
        let options = BrokerOptions::new(folder.path().join("nats"));
        let broker = Broker::start(&binary, options).await.unwrap();
        let api = process::closed_address();
        let mut fleet = Self { services: Vec::new(), api, broker, folder };
        for name in SERVICES {
            let (admin, command) = fleet.command(name);
            let process = Running::start(command);
            fleet.services.push(Service { name, process, admin });
        }
        for service in &fleet.services {
            until_ready(service.admin).await;
        }
        fleet
    }

    /// A service's command, and where its admin port will be.
    pub(crate) fn command(&self, name: &str) -> (SocketAddr, Command) {
        let admin = process::closed_address();
        let mut command = process::command(&[name]);
        command
            .env("AUDITRELAY_NATS_URL", self.broker.url())
            .env("AUDITRELAY_ADMIN_LISTEN", admin.to_string())
            .env("AUDITRELAY_INGEST_LISTEN", "127.0.0.1:0")
            .env("AUDITRELAY_API_LISTEN", self.api.to_string())
            .env("AUDITRELAY_API_PLATFORM_TOKEN", TOKEN)
            .env("AUDITRELAY_RETENTION_METRICS_PER_SCOPE", "true")
            .env("AUDITRELAY_SIGNING_KEYS_FILE", self.folder.path().join("signing"))
            .env("AUDITRELAY_SEALING_KEYS_FILE", self.folder.path().join("sealing"));
        (admin, command)
    }

    /// Where the services read their keys.
    pub(crate) fn key_file(&self, kind: &str) -> PathBuf {
        self.folder.path().join(kind)
    }

    /// Ends the services, then the broker.
    pub(crate) async fn stop(self) {
        for mut service in self.services {
            service.process.terminate();
            assert_eq!(service.process.wait(PATIENCE), Some(0), "{}", service.name);
        }
        self.broker.stop().await;
    }
}

/// What a service's admin port answers; none while it does not.
pub(crate) async fn get(admin: SocketAddr, path: &str, accept: &str) -> Option<(u16, String)> {
    let request = reqwest::Client::new().get(format!("http://{admin}{path}"));
    let answer = request.header("accept", accept).send().await.ok()?;
    Some((answer.status().as_u16(), answer.text().await.ok()?))
}

pub(crate) async fn until_ready(admin: SocketAddr) {
    let begun = Instant::now();
    loop {
        let seen = get(admin, "/ready", "*/*").await;
        if seen.as_ref().is_some_and(|(status, _)| *status == 200) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "not ready: {seen:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
