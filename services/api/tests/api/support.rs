//! A broker, any number of API processes, organizations, and a client.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use auditrelay_api::Config;
use auditrelay_broker::{Broker, BrokerOptions, find_or_provide};
use auditrelay_model::secret::Secret;
use auditrelay_model::stream::StreamSpec;
use auditrelay_retention_core::policy::{Choice, Policy};
use auditrelay_runtime::context::Context;
use auditrelay_runtime::settings::Settings;
use auditrelay_signing::{KeySet, SealingKeys, SystemRandom};
use auditrelay_streams::{NatsSettings, StreamName, Streams, connect};
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

pub(crate) const PLATFORM: &str = "platform-token-of-the-tests";

/// One deployment.
pub(crate) struct World {
    pub(crate) streams: Streams,
    pub(crate) context: Context,
    pub(crate) config: Config,
    pub(crate) broker: Option<Broker>,
    _store: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        let store = tempfile::tempdir().unwrap();
        let options = BrokerOptions { sync_always: false, ..BrokerOptions::new(store.path()) };
        let binary = find_or_provide().await.unwrap();
        let broker = Broker::start(&binary, options).await.unwrap();
        let url = broker.url();
        let settings = NatsSettings { url, credentials: None, name: "api-test".to_owned() };
        let streams = connect(&settings).await.unwrap();
        let policy = Policy::new(Choice { events_max_bytes: None, replicas: 1 });
        for wanted in policy.streams() {
            streams.create_stream(&wanted.spec).await.unwrap();
        }
        let (context, config) = (Context::new("test".to_owned()), config());
        Self { streams, context, config, broker: Some(broker), _store: store }
    }

    /// One more API process on the same broker.
    pub(crate) async fn api(&self) -> Client {
        self.api_by(Context::new("a".to_owned())).await
    }

    /// One more API process, with a context of its own.
    pub(crate) async fn api_by(&self, context: Context) -> Client {
        let context = Context { drain: self.context.drain.child(), ..context };
        let config = Config { listen: ([127, 0, 0, 1], 0).into(), ..self.config.clone() };
        let streams = self.streams.clone();
        let running = auditrelay_api::start(config, streams, context).await.unwrap();
        Client { base: format!("http://{}", running.address), token: PLATFORM.to_owned() }
    }

    /// A new API process and a new organization, seen as its administrator.
    pub(crate) async fn admin() -> (Self, Client) {
        let world = Self::new().await;
        let api = world.api().await;
        let org = api.organization("Acme").await;
        let admin = api.with_token(&api.token(&org, "admin").await);
        (world, admin)
    }

    /// Lets everything in EVENTS expire.
    pub(crate) async fn expire_events(&self) {
        let kept = self.streams.observe(StreamName::Events).await.unwrap().unwrap().spec;
        let second = Duration::from_secs(1);
        let short = StreamSpec { max_age: second, duplicate_window: second, ..kept.clone() };
        self.streams.update_stream(&short).await.unwrap();
        while self.streams.events_state().await.unwrap().messages > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.streams.update_stream(&kept).await.unwrap();
    }

    /// Counts what the broker is asked on a subject.
    pub(crate) async fn asked(&self, subject: &str) -> Arc<AtomicUsize> {
        let address = self.broker.as_ref().unwrap().url().replace("nats://", "");
        let mut broker = TcpStream::connect(address).await.unwrap();
        let said = format!("CONNECT {{\"verbose\":false}}\r\nSUB {subject} 1\r\nPING\r\n");
        broker.write_all(said.as_bytes()).await.unwrap();
        let mut heard = BufReader::new(broker).lines();
        while heard.next_line().await.unwrap().unwrap() != "PONG" {}
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok(Some(line)) = heard.next_line().await {
                counted.fetch_add(usize::from(line.starts_with("MSG ")), Ordering::SeqCst);
            }
        });
        asked
    }

    pub(crate) async fn lose_broker(&mut self) {
        self.broker.take().unwrap().kill().await;
    }
}

fn config() -> Config {
    let random = SystemRandom::new();
    let sealing = SealingKeys::generate("s1", &random).unwrap().to_json();
    let signing = KeySet::generate("k1", "2026-01-01T00:00:00Z", &random).unwrap().to_json();
    let env = [
        ("AUDITRELAY_SEALING_KEYS", sealing.as_str()),
        ("AUDITRELAY_SIGNING_KEYS", signing.as_str()),
        ("AUDITRELAY_API_PLATFORM_TOKEN", PLATFORM),
        ("AUDITRELAY_API_FOREIGN_STUBS", "true"),
    ];
    let env = env.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let mut settings = Settings::load(None, env.into_iter()).unwrap();
    let config = Config::parse(&mut settings);
    settings.finish().unwrap();
    assert!(config.platform_token.as_ref().map(Secret::expose).is_some());
    config
}

/// Calls one API process with one token.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) base: String,
    pub(crate) token: String,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Client {
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self.clone() }
    }

    pub(crate) fn at(&self, other: &Self) -> Self {
        Self { base: other.base.clone(), ..self.clone() }
    }

    pub(crate) async fn organization(&self, name: &str) -> String {
        let made = self.post("/v1/organizations", &json!({ "name": name })).await;
        made.expect(201)["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn token(&self, org: &str, role: &str) -> String {
        let path = format!("/v1/organizations/{org}/tokens");
        let made = self.post(&path, &json!({ "name": role, "role": role })).await;
        made.expect(201)["token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, Some(&body.to_string())).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, Some(&body.to_string())).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PATCH, path, Some(&body.to_string())).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<&str>) -> Answer {
        let mut request = self.request(method, path).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_owned());
        }
        Answer::of(request).await
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20));
        client.build().unwrap().request(method, format!("{}{path}", self.base))
    }

    /// A destination by kongctl's own body; its id.
    pub(crate) async fn destination(&self, name: &str) -> String {
        let made = self.post("/v3/audit-log-destinations", &destination(name)).await;
        made.expect(201)["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn portal(&self, name: &str) -> String {
        let made = self.post("/v3/portals", &json!({ "name": name })).await;
        made.expect(201)["id"].as_str().unwrap().to_owned()
    }
}

pub(crate) fn destination(name: &str) -> Value {
    json!({"name": name, "endpoint": format!("https://example.com/{name}"), "log_format": "json",
        "skip_ssl_verification": true, "authorization": "Bearer very-secret"})
}

impl Answer {
    pub(crate) async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, text: response.text().await.unwrap() }
    }

    /// The document, if the status and the content type are as clients demand.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        if status == 204 {
            assert!(self.text.is_empty());
            return Value::Null;
        }
        let wanted = if status < 400 { "application/json" } else { "application/problem+json" };
        let kind = self.headers["content-type"].to_str().unwrap();
        assert_eq!(kind.split(';').next(), Some(wanted));
        assert!(!self.text.contains("very-secret"), "{}", self.text);
        let document: Value = serde_json::from_str(&self.text).unwrap();
        if status >= 400 {
            assert_eq!(document["status"], json!(status));
            for key in ["title", "detail", "instance", "type"] {
                assert!(document[key].is_string(), "{key} in {document}");
            }
            assert!(document["instance"].as_str().unwrap().starts_with("kong:trace:"));
            assert_eq!(self.headers["cache-control"], "no-store");
        }
        document
    }

    /// The wrong fields of a 400, each with its reason.
    #[track_caller]
    pub(crate) fn faults(&self) -> Vec<(String, String)> {
        let document = self.expect(400);
        let items = document["invalid_parameters"].as_array().unwrap().clone();
        assert!(!items.is_empty());
        let text = |item: &Value, key: &str| item[key].as_str().unwrap().to_owned();
        items.iter().map(|item| (text(item, "field"), text(item, "reason"))).collect()
    }
}
