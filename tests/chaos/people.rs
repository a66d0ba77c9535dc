//! Producers that insist, and what they were answered.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use auditrelay_testkit::builders::{Draft, access, ids};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::fleet::PLATFORM_TOKEN;

/// How soon a request that failed is repeated.
const AGAIN_AFTER: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_mins(2);

/// Speaks HTTP, and bears that nobody answers for a while.
#[derive(Clone)]
pub(crate) struct Caller {
    http: Client,
    ports: Vec<u16>,
}

impl Caller {
    pub(crate) fn new(ports: Vec<u16>, timeout: Duration) -> Self {
        let http = Client::builder().timeout(timeout).no_proxy().build().expect("a client");
        Self { http, ports }
    }

    async fn once(&self, turn: usize, call: &Call<'_>) -> Result<(u16, Value), String> {
        let port = self.ports[turn % self.ports.len()];
        let url = format!("http://127.0.0.1:{port}{}", call.path);
        let method = call.method.parse().expect("a method");
        let request = self.http.request(method, url).bearer_auth(call.token);
        let request = request.header("content-type", "application/json");
        let body = call.body.as_ref().map(Value::to_string).unwrap_or_default();
        let answer = request.body(body).send().await.map_err(|why| why.to_string())?;
        let status = answer.status().as_u16();
        let bytes = answer.bytes().await.map_err(|why| why.to_string())?;
        Ok((status, serde_json::from_slice(&bytes).unwrap_or_default()))
    }

    /// Until it is answered with this status.
    pub(crate) async fn until(&self, status: u16, call: &Call<'_>) -> Value {
        let begun = Instant::now();
        for turn in 0.. {
            let seen = match self.once(turn, call).await {
                Ok((found, body)) if found == status => return body,
                Ok((found, body)) => format!("{found} {body}"),
                Err(why) => why,
            };
            assert!(begun.elapsed() < PATIENCE, "{} {}: {seen}", call.method, call.path);
            tokio::time::sleep(AGAIN_AFTER).await;
        }
        unreachable!("turns do not end")
    }
}

pub(crate) struct Call<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) token: &'a str,
    pub(crate) body: Option<Value>,
}

/// An organization with its tokens.
pub(crate) struct Org {
    pub(crate) admin: String,
    pub(crate) producer: String,
}

impl Org {
    pub(crate) async fn new(api: &Caller, endpoint: &str, log_format: &str) -> Self {
        let post = |path: String, token: String, body: Value| async move {
            let call = Call { method: "POST", path: &path, token: &token, body: Some(body) };
            api.until(201, &call).await
        };
        let platform = || PLATFORM_TOKEN.to_owned();
        let text = |body: &Value, name: &str| body[name].as_str().expect("a text").to_owned();
        let name = format!("chaos {}", auditrelay_runtime::ids::uuid_v4());
        let made = post("/v1/organizations".into(), platform(), json!({ "name": name })).await;
        let tokens = format!("/v1/organizations/{}/tokens", text(&made, "id"));
        let issue = async |role: &str| {
            let body = json!({"name": role, "role": role});
            text(&post(tokens.clone(), platform(), body).await, "token")
        };
        let (admin, producer) = (issue("admin").await, issue("producer").await);
        let destination = json!({"name": "siem", "endpoint": endpoint, "authorization": "Bearer siem",
            "log_format": log_format});
        let made = post("/v3/audit-log-destinations".into(), admin.clone(), destination).await;
        let body = json!({"audit_log_destination_id": text(&made, "id"), "enabled": true});
        let path = "/v3/audit-log-webhook";
        let call = Call { method: "PATCH", path, token: &admin, body: Some(body) };
        api.until(200, &call).await;
        Self { admin, producer }
    }
}

/// What became of what a producer sent.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Answered 202, in this order, with the time of the answer.
    pub(crate) accepted: Vec<(Instant, Vec<String>)>,
    /// Sent, and never answered: it may be there or not.
    pub(crate) unknown: Vec<String>,
    /// How often it was refused, and with which words.
    pub(crate) refused: BTreeMap<String, usize>,
}

/// Sends small requests, one after another, each until it is accepted.
pub(crate) async fn produce(
    ingest: Caller,
    token: String,
    enough: Arc<AtomicBool>,
    ledger: Arc<Mutex<Ledger>>,
) {
    let lock = || ledger.lock().unwrap_or_else(PoisonError::into_inner);
    for counter in 0_usize.. {
        let drafts: Vec<Draft> =
            (0..=counter % 4).map(|index| access(&format!("/{counter}/{index}"))).collect();
        let events: Vec<&Value> = drafts.iter().map(Draft::json).collect();
        let path = "/v1/audit-events";
        let call = Call { method: "POST", path, token: &token, body: Some(json!(events)) };
        for turn in counter.. {
            match ingest.once(turn, &call).await {
                Ok((202, _)) => {
                    lock().accepted.push((Instant::now(), ids(&drafts)));
                    break;
                }
                Ok((status, body)) => {
                    assert!(status == 503 || status == 429 || status == 504, "{status} {body}");
                    let words = body["detail"].as_str().unwrap_or_default().to_owned();
                    *lock().refused.entry(words).or_default() += 1;
                }
                Err(_) => {}
            }
            if enough.load(Ordering::SeqCst) {
                lock().unknown.extend(ids(&drafts));
                return;
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
        if enough.load(Ordering::SeqCst) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
