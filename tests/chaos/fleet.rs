//! The built binary, once or twice for each service, and what can be done to its processes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use auditrelay_signing::{Jwks, KeySet, SealingKeys, SystemRandom};
use auditrelay_testkit::nats::free_port;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

use crate::brokers::{Brokers, Ground};
use crate::clocks;
use crate::link::Link;

/// Every service, how often it runs, and its listening port's setting.
pub(crate) type Crew = [(&'static str, usize, Option<&'static str>); 5];

/// Two of what may run twice.
pub(crate) const DOUBLE: Crew = crew(2, 2);
/// One ingest, which alone writes to every log.
pub(crate) const ONE_INGEST: Crew = crew(1, 2);
/// Three senders.
pub(crate) const SENDERS: Crew = crew(1, 3);

const fn crew(others: usize, senders: usize) -> Crew {
    [
        ("retention", 1, None),
        ("ingest", others, Some("AUDITRELAY_INGEST_LISTEN")),
        ("replay-scheduler", others, None),
        (SENDER, senders, None),
        ("api", 1, Some("AUDITRELAY_API_LISTEN")),
    ]
}

const SENDER: &str = "webhook-sender";
/// The setting of where a service listens for operators.
const ADMIN: &str = "AUDITRELAY_ADMIN_LISTEN";

pub(crate) const PLATFORM_TOKEN: &str = "the platform's own token";
/// Most events of one request to a receiver: what one crash may repeat.
pub(crate) const BATCH: usize = 20;

pub(crate) type Env = BTreeMap<&'static str, String>;

/// A process that can be started again as it was.
pub(crate) struct Process {
    pub(crate) name: String,
    spawn: Box<dyn Fn(&Env) -> Child + Send + Sync>,
    child: Option<Child>,
    /// Settings that come on top, from its next start on.
    pub(crate) more: Env,
    /// A service's wires to the brokers, or a broker's to the others.
    pub(crate) links: Vec<Link>,
}

impl Process {
    pub(crate) fn start(
        name: String,
        links: Vec<Link>,
        spawn: impl Fn(&Env) -> Child + Send + Sync + 'static,
    ) -> Self {
        let more = Env::new();
        let child = Some(spawn(&more));
        Self { name, spawn: Box::new(spawn), child, more, links }
    }

    /// Where operators find it from its next start on.
    pub(crate) fn admin(&mut self) -> String {
        let place = format!("127.0.0.1:{}", free_port());
        self.more.insert(ADMIN, place.clone());
        place
    }

    /// Of its process, while it runs.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(pid) = self.id().and_then(|pid| i32::try_from(pid).ok()) {
            kill(Pid::from_raw(pid), signal).expect("it is our own child");
        }
    }

    /// Ends it and waits until it is gone; one that does not obey is killed.
    pub(crate) async fn end(&mut self, signal: Signal) {
        self.signal(signal);
        let Some(mut child) = self.child.take() else { return };
        let ended = tokio::time::timeout(Duration::from_secs(40), child.wait()).await;
        assert!(ended.is_ok(), "{} did not end on {signal}", self.name);
    }

    /// Starts it if it does not run.
    pub(crate) fn revive(&mut self) {
        if self.child.is_none() {
            self.child = Some((self.spawn)(&self.more));
        }
    }

    /// What it ended with, if it has ended by itself.
    pub(crate) fn ended(&mut self) -> Option<String> {
        let status = self.child.as_mut()?.try_wait().ok()??;
        Some(format!("{} ended by itself: {status}", self.name))
    }
}

pub(crate) struct Fleet {
    pub(crate) brokers: Brokers,
    pub(crate) services: Vec<Process>,
    pub(crate) ingest: Vec<u16>,
    pub(crate) api: u16,
    pub(crate) keys: Jwks,
    pub(crate) logs: tempfile::TempDir,
}

impl Fleet {
    pub(crate) async fn start(ground: &Ground, crew: Crew, more: Env) -> Self {
        let (mut env, keys) = settings(ground.brokers);
        env.extend(more);
        let brokers = Brokers::start(ground).await;
        let logs = tempfile::tempdir().expect("a temporary directory");
        let (mut services, mut ports) = (Vec::new(), BTreeMap::<&str, Vec<u16>>::new());
        for (service, count, listen) in crew {
            for index in 0..count {
                let mut links = Vec::new();
                for place in &brokers.clients {
                    links.push(Link::to(*place).await);
                }
                let mut env = env.clone();
                env.insert("AUDITRELAY_NATS_URL", urls(&links));
                env.insert("AUDITRELAY_INSTANCE", format!("{service}-{index}"));
                if let Some(listen) = listen {
                    let port = free_port();
                    env.insert(listen, format!("127.0.0.1:{port}"));
                    ports.entry(service).or_default().push(port);
                }
                let name = format!("{service} {index}");
                if clocks::are_ours(&env) {
                    env.insert(clocks::FILE, clocks::start(logs.path(), &name));
                }
                let log = logs.path().join(format!("{service}-{index}.log"));
                let spawn = move |more: &Env| spawn(service, &env, &log, more);
                services.push(Process::start(name, links, spawn));
            }
        }
        let (ingest, api) = (ports["ingest"].clone(), ports["api"][0]);
        Self { brokers, services, ingest, api, keys, logs }
    }

    pub(crate) fn senders(&mut self) -> Vec<&mut Process> {
        let services = self.services.iter_mut();
        services.filter(|process| process.name.starts_with(SENDER)).collect()
    }

    /// Indices of a service's processes.
    pub(crate) fn all(&self, service: &str) -> Vec<usize> {
        let named = self.services.iter().enumerate();
        named.filter(|(_, one)| one.name.starts_with(service)).map(|(index, _)| index).collect()
    }

    /// Where the logs are, once nothing writes them any more.
    pub(crate) fn keep(self) -> (PathBuf, PathBuf) {
        drop(self.services);
        (self.logs.keep(), self.brokers.keep())
    }
}

fn urls(links: &[Link]) -> String {
    let urls: Vec<String> = links.iter().map(|link| format!("nats://{}", link.place)).collect();
    urls.join(",")
}

fn settings(replicas: usize) -> (Env, Jwks) {
    let random = SystemRandom::new();
    let signing = KeySet::generate("chaos-1", "2026-01-01T00:00:00Z", &random).expect("a key");
    let sealing = SealingKeys::generate("chaos-1", &random).expect("a key");
    let settings = [
        ("AUDITRELAY_SIGNING_KEYS", signing.to_json().as_str().to_owned()),
        ("AUDITRELAY_SEALING_KEYS", sealing.to_json().as_str().to_owned()),
        (ADMIN, "127.0.0.1:0".to_owned()),
        ("AUDITRELAY_API_PLATFORM_TOKEN", PLATFORM_TOKEN.to_owned()),
        ("AUDITRELAY_API_ALLOW_HTTP_DESTINATIONS", "true".to_owned()),
        ("AUDITRELAY_API_ALLOW_PRIVATE_DESTINATIONS", "127.0.0.0/8".to_owned()),
        // What is counted here is what was sent.
        ("AUDITRELAY_INGEST_TRAIL", "false".to_owned()),
        ("AUDITRELAY_SENDER_ALLOW_HTTP", "true".to_owned()),
        ("AUDITRELAY_SENDER_ALLOW_PRIVATE_DESTINATIONS", "127.0.0.0/8".to_owned()),
        ("AUDITRELAY_SENDER_BATCH_EVENTS", BATCH.to_string()),
        ("AUDITRELAY_SENDER_PROBE_MIN", "200ms".to_owned()),
        ("AUDITRELAY_SENDER_PROBE_MAX", "1s".to_owned()),
        ("AUDITRELAY_SENDER_REQUEST_DEADLINE", "3s".to_owned()),
        ("AUDITRELAY_SENDER_CONNECT_DEADLINE", "2s".to_owned()),
        ("AUDITRELAY_SCHEDULER_LOOK_INTERVAL", "1s".to_owned()),
        ("AUDITRELAY_RETENTION_REPLICAS", replicas.to_string()),
    ];
    (settings.into_iter().collect(), signing.jwks())
}

fn spawn(service: &str, env: &Env, log: &std::path::Path, more: &Env) -> Child {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(log).expect("a log");
    let mut command = Command::new(binary());
    command
        .arg(service)
        .env_clear()
        .envs(env)
        .envs(more)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command.stderr(log).kill_on_drop(true).spawn().expect("the binary starts")
}

/// The binary that the workspace's own tests were built with.
fn binary() -> PathBuf {
    let own = std::env::current_exe().expect("this test is a file");
    let folder = own.parent().and_then(|deps| deps.parent()).expect("target/debug/deps");
    let binary = folder.join("auditrelay");
    assert!(binary.exists(), "{} is not built: cargo build", binary.display());
    binary
}
