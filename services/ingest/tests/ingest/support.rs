//! A broker with its streams, an organization with its tokens, and instances of ingest.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use auditrelay_broker::{Broker, BrokerOptions, find_or_provide};
use auditrelay_ingest::{Config, start};
use auditrelay_model::clock::Clock;
use auditrelay_model::config::{ConfigChange, ConfigEvent};
use auditrelay_model::id::{CommandId, OrgId, PortalId, TokenId};
use auditrelay_model::portal::Portal;
use auditrelay_model::stream::{Discard, Storage, StreamSpec};
use auditrelay_model::token::{Role, Token};
use auditrelay_model::{Scope, Timestamp};
use auditrelay_runtime::clock::SystemClock;
use auditrelay_runtime::context::Context;
use auditrelay_runtime::ids::uuid_v7;
use auditrelay_streams::{
    ConfigFold, NatsSettings, Projection, StoredRecord, StreamName, Streams, connect,
};
use reqwest::{Response, StatusCode};
use sha2::{Digest, Sha256};
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) const PRODUCER: &str = "art_producer";
pub(crate) const VIEWER: &str = "art_viewer";

pub(crate) struct World {
    pub(crate) streams: Streams,
    pub(crate) broker: Option<Broker>,
    pub(crate) org: OrgId,
    options: BrokerOptions,
    config: Projection<ConfigFold>,
    stop: CancellationToken,
    store: tempfile::TempDir,
}

impl World {
    /// A fresh broker with an organization that has a producer's and a viewer's token.
    pub(crate) async fn new() -> Self {
        Self::on(tempfile::tempdir().unwrap(), -1).await
    }

    /// The same with its store in a folder, and so many bytes for events.
    pub(crate) async fn on(store: tempfile::TempDir, max_bytes: i64) -> Self {
        let binary = find_or_provide().await.unwrap();
        let broker = Broker::start(&binary, BrokerOptions::new(store.path())).await.unwrap();
        let options = broker.same_again();
        let streams = dial(broker.url()).await;
        for name in [StreamName::Events, StreamName::Config] {
            let max_bytes = if name == StreamName::Events { max_bytes } else { -1 };
            streams.create_stream(&StreamSpec { max_bytes, ..spec(name) }).await.unwrap();
        }
        let stop = CancellationToken::new();
        let config = Projection::start(&streams, &stop, &TaskTracker::new());
        let org = OrgId::from_uuid(uuid_v7());
        let broker = Some(broker);
        let world = Self { streams, broker, org, options, config, stop, store };
        world.change(ConfigChange::OrganizationCreated { name: "o".to_owned() }).await;
        world.issue(PRODUCER, Role::Producer, None).await;
        world.issue(VIEWER, Role::Viewer, None).await;
        world
    }

    /// Where the broker keeps its files.
    pub(crate) fn store(&self) -> &std::path::Path {
        self.store.path()
    }

    pub(crate) fn scope(&self) -> Scope {
        Scope::Organization(self.org)
    }

    pub(crate) async fn change(&self, change: ConfigChange) {
        let event = ConfigEvent {
            at: SystemClock.now(),
            actor: "test".to_owned(),
            command: CommandId::from_uuid(uuid_v7()),
            changes: vec![change],
            origin: None,
            summary: String::new(),
        };
        self.config.execute(&self.org, |_| Ok::<_, ()>(vec![event.clone()])).await.unwrap();
    }

    pub(crate) async fn issue(
        &self,
        text: &str,
        role: Role,
        expires_at: Option<Timestamp>,
    ) -> TokenId {
        let id = TokenId::from_uuid(uuid_v7());
        let sha256 = Sha256::digest(text).into();
        let (name, prefix) = ("t".to_owned(), String::new());
        let token = Token { id, name, sha256, prefix, role, expires_at };
        self.change(ConfigChange::TokenIssued(token)).await;
        id
    }

    pub(crate) async fn portal(&self) -> PortalId {
        let id = PortalId::from_uuid(uuid_v7());
        let now = SystemClock.now();
        let portal = Portal {
            id,
            name: "p".to_owned(),
            display_name: String::new(),
            attributes_json: "{}".to_owned(),
            labels: BTreeMap::new(),
            created_at: now,
            updated_at: now,
        };
        self.change(ConfigChange::PortalCreated(portal)).await;
        id
    }

    /// Kills the broker; what it acknowledged must survive.
    pub(crate) async fn kill_broker(&mut self) {
        self.broker.take().unwrap().kill().await;
    }

    pub(crate) async fn start_broker(&mut self) {
        let binary = find_or_provide().await.unwrap();
        self.broker = Some(Broker::start(&binary, self.options.clone()).await.unwrap());
    }

    /// An instance of ingest with a connection of its own.
    pub(crate) async fn instance(&self) -> Instance {
        self.instance_with(Config::default()).await
    }

    /// The same, configured otherwise.
    pub(crate) async fn instance_with(&self, config: Config) -> Instance {
        launch(self.broker.as_ref().unwrap().url(), config).await
    }

    /// An instance that can be killed: what it does ends at once, whatever it is at.
    pub(crate) async fn mortal(&self) -> (Instance, Runtime) {
        let mut runtime = Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
        let url = self.broker.as_ref().unwrap().url();
        let instance = runtime.spawn(launch(url, Config::default())).await.unwrap();
        (instance, runtime)
    }

    /// Every record of a scope, proven to be one chain without a gap.
    pub(crate) async fn records(&self, scope: Scope) -> Vec<StoredRecord> {
        let (mut records, mut next): (Vec<StoredRecord>, u64) = (Vec::new(), 1);
        while let Some(stored) = self.streams.next_record(scope, next).await.unwrap() {
            let record = &stored.record;
            match records.last() {
                None => assert_eq!((record.first_number, record.previous_digest), (1, None)),
                Some(last) => {
                    assert_eq!(record.epoch, last.record.epoch);
                    assert_eq!(record.first_number, last.record.last_number() + 1);
                    assert_eq!(record.previous_digest, Some(last.digest));
                }
            }
            next = stored.sequence + 1;
            records.push(stored);
        }
        records
    }

    /// The ids of a scope's stored events, in order.
    pub(crate) async fn stored_ids(&self, scope: Scope) -> Vec<String> {
        let records = self.records(scope).await;
        let events = records.iter().flat_map(|stored| &stored.record.events);
        events.map(|event| event.id.to_string()).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub(crate) struct Instance {
    pub(crate) address: SocketAddr,
    pub(crate) context: Context,
    http: reqwest::Client,
}

impl Instance {
    pub(crate) fn request(&self, body: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
        let url = format!("http://{}/v1/audit-events", self.address);
        let request = self.http.post(url).header("content-type", "application/json").body(body);
        request.bearer_auth(PRODUCER)
    }

    pub(crate) async fn post(&self, body: impl Into<reqwest::Body>) -> Answer {
        Answer::of(self.request(body).send().await.unwrap()).await
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: serde_json::Value,
}

impl Answer {
    pub(crate) async fn of(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.unwrap();
        Self { status, headers, body: serde_json::from_slice(&body).unwrap_or_default() }
    }

    /// The ids of an answer 202.
    pub(crate) fn ids(&self) -> Vec<String> {
        assert_eq!(self.status, StatusCode::ACCEPTED, "{self:?}");
        let ids: Vec<String> = serde_json::from_value(self.body["ids"].clone()).unwrap();
        assert_eq!(self.body["accepted"], ids.len());
        ids
    }
}

/// An event as a producer sends it, with some properties more.
pub(crate) fn event(more: &str) -> String {
    let ts = SystemClock.now();
    format!(
        r#"{{"type":"authorization","ts":"{ts}","service":"konnect","resource":"control-planes/*","action":"list","granted":true{more}}}"#
    )
}

pub(crate) fn events(count: usize) -> String {
    format!("[{}]", vec![event(""); count].join(","))
}

async fn dial(url: String) -> Streams {
    let settings = NatsSettings { url, credentials: None, name: "test".to_owned() };
    connect(&settings).await.unwrap()
}

async fn launch(url: String, config: Config) -> Instance {
    let config = Config {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        publish_deadline: Duration::from_secs(3),
        // What is counted here is what was sent.
        trail: false,
        ..config
    };
    let context = Context::new("test".to_owned());
    let address = start(config, dial(url).await, context.clone()).await.unwrap().address;
    let instance = Instance { address, context, http: reqwest::Client::new() };
    while !instance.context.readiness.missing().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    instance
}

fn spec(name: StreamName) -> StreamSpec {
    StreamSpec {
        name: name.to_string(),
        subjects: vec![name.subjects().to_owned()],
        max_age: Duration::from_hours(24),
        max_bytes: -1,
        max_messages_per_subject: -1,
        max_consumers: 1_000,
        discard: Discard::New,
        storage: Storage::File,
        replicas: 1,
        compressed: true,
        allow_direct: true,
        deny_delete: false,
        duplicate_window: Duration::from_mins(2),
        allow_message_ttl: false,
        allow_atomic: true,
        acks_before_write: false,
    }
}
