//! The system under test: a broker and every service in a process of its own, on a store that is
//! thrown away.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use auditrelay_broker::{Broker, BrokerOptions, find_or_provide};
use auditrelay_model::id::{OrgId, PortalId};
use auditrelay_runtime::ids;
use auditrelay_streams::{NatsSettings, Streams, connect};
use http::Method;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::Instant;
use url::Url;

use super::meter::Used;
use super::report::Cost;
use crate::client::{Call, Client};
use crate::failure::Failure;
use crate::system::{Folder, suited_to_one_machine};

/// How long everything may take to be ready.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);
const SERVICES: [&str; 5] = ["retention", "api", "ingest", "replay-scheduler", "webhook-sender"];

/// A running system.
pub(super) struct Stage {
    pub(super) streams: Streams,
    pub(super) ingest: String,
    platform: Client,
    api: Url,
    services: Vec<Service>,
    // Dropped after the services that use them; none where the system was given.
    broker: Option<Broker>,
    data: Option<(Folder, TempDir)>,
}

/// A system that runs already.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) api: Url,
    pub(super) ingest: Url,
    /// The broker, with user and password if it wants them.
    pub(super) nats: String,
    pub(super) platform_token: String,
}

struct Service {
    name: &'static str,
    admin: SocketAddr,
    pid: u32,
    child: Child,
}

/// An organization with its tokens.
pub(super) struct Organization {
    pub(super) id: OrgId,
    pub(super) producer: String,
    pub(super) admin: Client,
}

/// What every process had used at a moment.
pub(super) struct Reading(Vec<(&'static str, Used)>);

impl Stage {
    /// Starts the broker and every service, and waits until all are ready.
    pub(super) async fn start(sync_always: bool) -> Result<Self, Failure> {
        let data = tempfile::tempdir().map_err(Failure::io("a temporary directory"))?;
        let folder = Folder::open(data.path())?;
        let binary = find_or_provide().await.map_err(anyhow::Error::from)?;
        let options = BrokerOptions { sync_always, ..BrokerOptions::new(data.path().join("nats")) };
        let broker = Broker::start(&binary, options).await.map_err(anyhow::Error::from)?;
        let streams = dial(&broker.url()).await?;
        let (api, ingest) = (free_address().await?, free_address().await?);
        let mut settings = suited_to_one_machine(&folder);
        let mut set = |name: &str, value: String| settings.push((name.to_owned(), value));
        set("AUDITRELAY_NATS_URL", broker.url());
        set("AUDITRELAY_API_LISTEN", api.to_string());
        set("AUDITRELAY_INGEST_LISTEN", ingest.to_string());
        set("AUDITRELAY_LOG_FILTER", "warn".to_owned());
        // Events of the system itself would count beside those that are sent.
        set("AUDITRELAY_INGEST_TRAIL", "false".to_owned());
        let mut services = Vec::new();
        for name in SERVICES {
            services.push(Service::start(name, &settings, data.path()).await?);
        }
        for service in &services {
            service.ready().await?;
        }
        let platform = std::fs::read_to_string(folder.platform_token());
        let platform = platform.map_err(Failure::io("the platform's token"))?;
        let api = url(&format!("http://{api}"))?;
        let platform = Client::new(&api, platform.trim())?;
        let ingest = format!("http://{ingest}/v1/audit-events");
        let (broker, data) = (Some(broker), Some((folder, data)));
        Ok(Self { streams, ingest, platform, api, services, broker, data })
    }

    /// A system that runs already: what its processes cost is not known.
    pub(super) async fn given(given: &Given) -> Result<Self, Failure> {
        let ingest = given.ingest.join("/v1/audit-events");
        Ok(Self {
            streams: dial(&given.nats).await?,
            ingest: ingest.map_err(anyhow::Error::from)?.into(),
            platform: Client::new(&given.api, &given.platform_token)?,
            api: given.api.clone(),
            services: Vec::new(),
            broker: None,
            data: None,
        })
    }

    /// A new organization.
    pub(super) async fn organization(&self) -> Result<Organization, Failure> {
        let named = json!({ "name": format!("bench {}", ids::uuid_v7()) });
        let made = ask(&self.platform, Method::POST, "/v1/organizations", &named).await?;
        let id: OrgId = text(&made, "id")?.parse().map_err(anyhow::Error::from)?;
        let path = format!("/v1/organizations/{id}/tokens");
        let token = async |role: &str| {
            let body = json!({ "name": role, "role": role });
            text(&ask(&self.platform, Method::POST, &path, &body).await?, "token")
        };
        let admin = Client::new(&self.api, &token("admin").await?)?;
        Ok(Organization { id, producer: token("producer").await?, admin })
    }

    /// What every process has used so far.
    pub(super) fn reading(&self) -> Reading {
        let broker = self.broker.iter().map(|broker| ("broker", broker.pid()));
        let pids = self.services.iter().map(|service| (service.name, service.pid));
        let used = |(name, pid)| Some((name, Used::of(pid)?));
        Reading(broker.chain(pids).filter_map(used).collect())
    }

    /// Ends every service, then the broker.
    pub(super) async fn stop(mut self) {
        for service in &mut self.services {
            // It is gone when its store goes; nothing in it is kept.
            let _gone = service.child.kill().await;
        }
        if let Some(broker) = self.broker {
            broker.kill().await;
        }
    }

    /// Ends everything as an operator would, and leaves its data; none where the system was given.
    pub(super) async fn leave(mut self) -> Option<TempDir> {
        for service in &mut self.services {
            end(&mut service.child).await;
        }
        self.broker?.stop().await;
        let (_folder, data) = self.data?;
        Some(data)
    }
}

impl Reading {
    /// Bytes that a process holds now.
    pub(super) fn memory(&self, process: &str) -> u64 {
        let found = self.0.iter().find(|(name, _)| *name == process);
        found.map_or(0, |(_, used)| used.memory)
    }

    /// What these processes used since then, on so many events.
    pub(super) fn since(&self, then: &Self, names: &[&str], events: u64) -> Vec<Cost> {
        let now = self.0.iter().filter(|(name, _)| names.contains(name));
        let cost = |(process, used): &(&'static str, Used)| {
            let (_, before) = then.0.iter().find(|(name, _)| name == process)?;
            let cpu_seconds = used.cpu.saturating_sub(before.cpu).as_secs_f64();
            Some(Cost { process, cpu_seconds, events, memory_max: used.memory_max })
        };
        now.filter_map(cost).collect()
    }
}

impl Organization {
    /// So many portals.
    pub(super) async fn portals(&self, count: usize) -> Result<Vec<PortalId>, Failure> {
        let mut portals = Vec::with_capacity(count);
        for _ in 0..count {
            let body = json!({ "name": format!("bench {}", ids::uuid_v7()) });
            let made = ask(&self.admin, Method::POST, "/v3/portals", &body).await?;
            portals.push(text(&made, "id")?.parse().map_err(anyhow::Error::from)?);
        }
        Ok(portals)
    }

    /// A destination at this address, in JSON.
    pub(super) async fn destination(&self, endpoint: &str) -> Result<String, Failure> {
        let body = json!({
            "name": endpoint, "endpoint": endpoint, "authorization": "bench", "log_format": "json",
        });
        text(&ask(&self.admin, Method::POST, "/v3/audit-log-destinations", &body).await?, "id")
    }

    /// Switches the webhook of the organization, or of a portal, on.
    pub(super) async fn enable(
        &self,
        destination: &str,
        portal: Option<PortalId>,
    ) -> Result<(), Failure> {
        let path = portal.map_or_else(
            || "/v3/audit-log-webhook".to_owned(),
            |portal| format!("/v3/portals/{portal}/audit-log-webhook"),
        );
        let body = json!({ "audit_log_destination_id": destination, "enabled": true });
        ask(&self.admin, Method::PATCH, &path, &body).await.map(drop)
    }
}

impl Service {
    async fn start(
        name: &'static str,
        settings: &[(String, String)],
        data: &Path,
    ) -> Result<Self, Failure> {
        let failed = |error| Failure::io(name)(error);
        let admin = free_address().await?;
        let log = std::fs::File::create(data.join(format!("{name}.log"))).map_err(failed)?;
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("AUDITRELAY_") {
                command.env_remove(variable);
            }
        }
        command.arg(name).envs(settings.iter().cloned());
        command.env("AUDITRELAY_ADMIN_LISTEN", admin.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
        let child = command.spawn().map_err(failed)?;
        let pid = child.id().unwrap_or_default();
        Ok(Self { name, admin, pid, child })
    }

    async fn ready(&self) -> Result<(), Failure> {
        let url = format!("http://{}/ready", self.admin);
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if reqwest::get(&url).await.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(Failure::Unreachable(format!("{} did not become ready", self.name)))
    }
}

/// A connection to a broker.
pub(super) async fn dial(url: &str) -> Result<Streams, Failure> {
    let settings =
        NatsSettings { url: url.to_owned(), credentials: None, name: "bench".to_owned() };
    connect(&settings).await.map_err(|error| Failure::Other(error.into()))
}

/// Tells a process to end, and waits until it has.
pub(super) async fn end(child: &mut Child) {
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
    if let Some(pid) = pid {
        // One that is gone already needs no telling.
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }
    if tokio::time::timeout(PATIENCE, child.wait()).await.is_err() {
        let _killed = child.kill().await;
    }
}

/// A port that was free a moment ago.
pub(super) async fn free_address() -> Result<SocketAddr, Failure> {
    let failed = || Failure::io("a free port");
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    listener.map_err(failed())?.local_addr().map_err(failed())
}

async fn ask(client: &Client, method: Method, path: &str, body: &Value) -> Result<Value, Failure> {
    let call = Call { method, path, body: Some(body.to_string()), idempotency_key: None };
    Ok(client.patiently(&call, PATIENCE, |_, _| ()).await?.success(&call)?)
}

fn text(document: &Value, name: &str) -> Result<String, Failure> {
    let text = document.get(name).and_then(Value::as_str).map(str::to_owned);
    text.ok_or_else(|| Failure::Other(anyhow::anyhow!("the answer has no {name}")))
}

fn url(text: &str) -> Result<Url, Failure> {
    Url::parse(text).map_err(|error| Failure::Other(error.into()))
}
