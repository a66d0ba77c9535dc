//! The whole system in this process: a broker and every service, each of which can be stopped,
//! killed and started alone.
//!
//! Cast: a [`Stack`] owns the processes; an [`Org`] is a customer of it, who speaks HTTP and
//! nothing else; a [`Reply`] is what the customer was answered.

mod org;
mod process;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use auditrelay_signing::{Jwks, KeySet, SealingKeys, SystemRandom, Verifier};
use futures::future::join_all;
use serde_json::json;

pub use org::{Org, Reply};
pub use process::Service;

use crate::builders::now;
use crate::nats::{self, Nats};
use org::Client;
use process::Process;

const PLATFORM_TOKEN: &str = "the platform's own token";

/// A running system.
pub struct Stack {
    /// Its broker.
    pub nats: Nats,
    processes: Vec<Process>,
    env: BTreeMap<String, String>,
    addresses: Arc<Addresses>,
    begun: usize,
    keys: Jwks,
}

/// Where the services with a port listen now; after a restart that may be elsewhere.
#[derive(Debug, Default)]
pub(crate) struct Addresses(Mutex<BTreeMap<Service, SocketAddr>>);

/// What a system is to be like.
#[derive(Debug, Default)]
pub struct Builder {
    env: BTreeMap<String, String>,
    senders: usize,
    /// Servers of a broker as it is deployed; none for one that is open to everybody.
    deployed: Option<usize>,
    alone: bool,
    with_tls: bool,
}

impl Builder {
    /// Sets a setting of any service, by its key: `sender.probe_min`.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.env.insert(variable(key), value.to_owned());
        self
    }

    /// Runs so many senders instead of one.
    #[must_use]
    pub const fn senders(mut self, count: usize) -> Self {
        self.senders = count;
        self
    }

    /// Runs the broker as it is deployed: each service may do only what is its own.
    #[must_use]
    pub fn as_deployed(mut self) -> Self {
        self.deployed = Some(nats::servers_wanted());
        self
    }

    /// Runs a single broker, whatever the others have: for what is done to its store.
    #[must_use]
    pub const fn alone(mut self) -> Self {
        self.alone = true;
        self
    }

    /// Puts TLS on every connection to and between the brokers, as `deploy/nats` can.
    #[must_use]
    pub const fn with_tls(mut self) -> Self {
        self.with_tls = true;
        self
    }

    /// Runs three brokers as they are deployed, which hold a copy of everything each.
    #[must_use]
    pub const fn clustered(mut self) -> Self {
        self.deployed = Some(3);
        self
    }

    /// Starts it and waits until it is ready.
    pub async fn start(self) -> Stack {
        let (mut env, keys) = defaults();
        let wanted = if self.alone { 1 } else { nats::servers_wanted() };
        let copies = self.deployed.unwrap_or(wanted);
        env.insert(variable("retention.replicas"), copies.to_string());
        env.extend(self.env);
        let nats = match self.deployed {
            Some(servers) => Nats::start_as_deployed(servers, self.with_tls).await,
            None => Nats::start_open(wanted).await,
        };
        let processes = Vec::new();
        let mut stack = Stack { nats, processes, env, addresses: Arc::default(), begun: 0, keys };
        stack.run(Service::Retention).await;
        let more_senders = self.senders.max(1) - 1;
        let others = Service::ALL.into_iter().skip(1);
        stack.run_all(others.chain(std::iter::repeat_n(Service::Sender, more_senders))).await;
        stack
    }
}

impl Stack {
    /// One of each service.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// A system with other settings.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Sets a setting for the processes that start from now on.
    pub fn set(&mut self, key: &str, value: &str) {
        self.env.insert(variable(key), value.to_owned());
    }

    /// Starts one more process of a service and waits until it is ready.
    pub async fn run(&mut self, service: Service) {
        self.run_all([service]).await;
    }

    async fn run_all(&mut self, services: impl IntoIterator<Item = Service>) {
        let mut starts = Vec::new();
        for service in services {
            self.begun += 1;
            let instance = format!("{service}-{}", self.begun);
            let nats = (self.nats.url(service.user()), self.nats.tls());
            starts.push(Process::start(service, instance, nats, self.env.clone()));
        }
        let begun = join_all(starts).await;
        join_all(begun.iter().map(Process::ready)).await;
        for process in &begun {
            if let Some(address) = process.address {
                self.addresses.lock().insert(process.service, address);
            }
        }
        self.processes.extend(begun);
    }

    /// Stops every process of a service as an operator would: it finishes what it has in hand.
    pub async fn stop(&mut self, service: Service) {
        join_all(self.take(service).into_iter().map(Process::stop)).await;
    }

    /// Stops the oldest process of a service as an operator would.
    pub async fn stop_one(&mut self, service: Service) {
        let oldest = self.processes.iter().position(|process| process.service == service);
        self.processes.remove(oldest.expect("a process of the service runs")).stop().await;
    }

    /// Kills every process of a service wherever it stands.
    pub fn kill(&mut self, service: Service) {
        drop(self.take(service));
    }

    /// Kills the oldest process of a service.
    pub fn kill_one(&mut self, service: Service) {
        let oldest = self.processes.iter().position(|process| process.service == service);
        drop(self.processes.remove(oldest.expect("a process of the service runs")));
    }

    fn take(&mut self, service: Service) -> Vec<Process> {
        let (taken, kept) = std::mem::take(&mut self.processes)
            .into_iter()
            .partition(|process| process.service == service);
        self.processes = kept;
        taken
    }

    /// What the oldest process of a service counts.
    pub fn metrics(&self, service: Service) -> String {
        let oldest = self.processes.iter().find(|process| process.service == service);
        oldest.expect("a process of the service runs").metrics()
    }

    /// Where people look at it with a browser.
    pub fn console(&self) -> String {
        let address = self.addresses.lock().get(&Service::Api).copied();
        format!("http://{}", address.expect("the api runs"))
    }

    /// Checks signatures with the keys of this system.
    pub fn verifier(&self) -> Verifier {
        self.keys.verifier()
    }

    /// The operator: may make organizations and tokens.
    pub fn platform(&self) -> Org {
        Org::platform(Client::new(Arc::clone(&self.addresses)), PLATFORM_TOKEN)
    }

    /// A new organization with a token for its administrator and one for its producer.
    pub async fn org(&self) -> Org {
        self.org_called(&format!("kit {}", auditrelay_runtime::ids::uuid_v4())).await
    }

    /// The same under a name.
    pub async fn org_called(&self, name: &str) -> Org {
        let platform = self.platform();
        let made = platform.post("/v1/organizations", &json!({ "name": name })).await.must(201);
        let id = made.text("id");
        let tokens = format!("/v1/organizations/{id}/tokens");
        let issue = async |role: &str| {
            let issued = platform.post(&tokens, &json!({"name": role, "role": role})).await;
            issued.must(201).text("token")
        };
        let (admin, producer) = (issue("admin").await, issue("producer").await);
        Org::new(Client::new(Arc::clone(&self.addresses)), &id, &admin, &producer)
    }
}

impl Addresses {
    pub(crate) fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Service, SocketAddr>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Settings under which a test's system runs unless it says otherwise.
fn defaults() -> (BTreeMap<String, String>, Jwks) {
    let random = SystemRandom::new();
    let signing = KeySet::generate("kit-1", &now().to_string(), &random).expect("a signing key");
    let sealing = SealingKeys::generate("kit-1", &random).expect("a sealing key");
    let settings = [
        ("signing.keys", signing.to_json().as_str().to_owned()),
        ("sealing.keys", sealing.to_json().as_str().to_owned()),
        ("api.listen", "127.0.0.1:0".to_owned()),
        ("api.platform_token", PLATFORM_TOKEN.to_owned()),
        ("api.allow_http_destinations", "true".to_owned()),
        ("api.allow_private_destinations", "127.0.0.0/8".to_owned()),
        ("ingest.listen", "127.0.0.1:0".to_owned()),
        // Most tests count what they sent; what happens to an organization would come on top.
        ("ingest.trail", "false".to_owned()),
        ("sender.allow_http", "true".to_owned()),
        ("sender.allow_private_destinations", "127.0.0.0/8".to_owned()),
        ("sender.probe_min", "200ms".to_owned()),
        ("sender.probe_max", "1s".to_owned()),
        ("scheduler.look_interval", "1s".to_owned()),
    ];
    let env = settings.into_iter().map(|(key, value)| (variable(key), value)).collect();
    (env, signing.jwks())
}

/// The environment variable that sets a key.
fn variable(key: &str) -> String {
    format!("AUDITRELAY_{}", key.to_ascii_uppercase().replace('.', "_"))
}
