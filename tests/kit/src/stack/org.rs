//! A customer: speaks HTTP to the system and nothing else.

use std::sync::Arc;
use std::time::Duration;

use auditrelay_model::Timestamp;
use auditrelay_model::id::PortalId;
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Addresses, Service};
use crate::builders::{Draft, ids};
use crate::siem::Siem;
use crate::wait;

/// How most bodies are sent.
const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

/// How soon a producer repeats a request that failed.
const AGAIN_AFTER: Duration = Duration::from_millis(50);

/// What a SIEM is told to expect as `Authorization`.
const SIEM_AUTHORIZATION: &str = "Bearer the-siem's-own-token";

/// An organization, with the tokens of its administrator and its producer.
#[derive(Clone)]
pub struct Org {
    client: Client,
    /// Its id.
    pub id: String,
    /// The administrator's token.
    pub admin: String,
    /// The producer's token.
    pub producer: String,
}

/// Finds the services and speaks to them.
#[derive(Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    addresses: Arc<Addresses>,
}

/// What a request was answered.
#[derive(Debug, Clone)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// The body, if it is JSON.
    pub body: Value,
}

impl Reply {
    /// Fails unless the status is this one.
    #[must_use]
    pub fn must(self, status: u16) -> Self {
        assert_eq!(self.status, status, "answered with {}", self.body);
        self
    }

    /// A text in the body.
    pub fn text(&self, member: &str) -> String {
        let text = self.body[member].as_str();
        text.unwrap_or_else(|| panic!("no {member} in {}", self.body)).to_owned()
    }
}

impl Org {
    pub(super) fn new(client: Client, id: &str, admin: &str, producer: &str) -> Self {
        let (id, admin) = (id.to_owned(), admin.to_owned());
        Self { client, id, admin, producer: producer.to_owned() }
    }

    pub(super) fn platform(client: Client, token: &str) -> Self {
        Self::new(client, "", token, "")
    }

    // --- the API, as administrator ---

    /// `GET`.
    pub async fn get(&self, path: &str) -> Reply {
        self.call(Method::GET, path, None).await
    }

    /// `POST` with JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.call(Method::POST, path, Some(body)).await
    }

    /// `PUT` with JSON.
    pub async fn put(&self, path: &str, body: &Value) -> Reply {
        self.call(Method::PUT, path, Some(body)).await
    }

    /// `PATCH` with JSON.
    pub async fn patch(&self, path: &str, body: &Value) -> Reply {
        self.call(Method::PATCH, path, Some(body)).await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> Reply {
        self.call(Method::DELETE, path, None).await
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Reply {
        let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        self.raw(method, path, JSON, body).await
    }

    /// Any request with these headers and this body.
    pub async fn raw(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Reply {
        self.call_as((Service::Api, &self.admin), method, path, headers, body).await
    }

    /// The same to a service, with a token, if there is one.
    pub async fn call_as(
        &self,
        (service, token): (Service, &str),
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Reply {
        let bearer = bearer(token, headers);
        let reply = self.client.call(service, method, path, &bearer, body).await;
        reply.unwrap_or_else(|why| panic!("{path}: {why}"))
    }

    // --- a webhook ---

    /// Registers a SIEM as destination, with an authorization that it will insist on.
    pub async fn destination(&self, siem: &Siem, log_format: &str) -> String {
        siem.require_authorization(SIEM_AUTHORIZATION);
        let destination = json!({
            "name": format!("siem {}", siem.url()),
            "endpoint": siem.url(),
            "authorization": SIEM_AUTHORIZATION,
            "log_format": log_format,
        });
        self.post("/v3/audit-log-destinations", &destination).await.must(201).text("id")
    }

    /// Switches the organization's webhook on, to this destination.
    pub async fn enable(&self, destination: &str) {
        let webhook = json!({"audit_log_destination_id": destination, "enabled": true});
        let _ = self.patch("/v3/audit-log-webhook", &webhook).await.must(200);
    }

    /// Both of them: the SIEM gets what is accepted from here on. Returns the destination's id.
    pub async fn deliver_to(&self, siem: &Siem, log_format: &str) -> String {
        let destination = self.destination(siem, log_format).await;
        self.enable(&destination).await;
        destination
    }

    /// The webhook's status.
    pub async fn status(&self) -> Value {
        self.get("/v3/audit-log-webhook/status").await.must(200).body
    }

    /// Waits until the webhook is `active`, `inactive` or `unconfigured`.
    pub async fn wait_for_status(&self, wanted: &str) -> Value {
        wait::until(&format!("the webhook to be {wanted}"), async || {
            let status = self.status().await;
            if status["webhook_status"] == wanted { Ok(status) } else { Err(status.to_string()) }
        })
        .await
    }

    /// A new developer portal.
    pub async fn portal(&self, name: &str) -> PortalId {
        let portal = self.post("/v3/portals", &json!({"name": name})).await.must(201);
        portal.text("id").parse().expect("a portal's id")
    }

    // --- replay ---

    /// Asks for a replay of the organization's log.
    pub async fn replay(&self, start: Timestamp, end: Timestamp) -> Reply {
        let window = json!({"start_at": start.to_string(), "end_at": end.to_string()});
        self.put("/v3/audit-log-replay-job", &window).await
    }

    /// Asks our own API for a replay of a window, with these further members.
    pub async fn replay_job(&self, start: Timestamp, end: Timestamp, more: &Value) -> Reply {
        self.post("/v1/replay-jobs", &wish(start, end, more)).await
    }

    /// Asks what such a replay would send.
    pub async fn estimate(&self, start: Timestamp, end: Timestamp, more: &Value) -> Reply {
        self.post("/v1/replay-estimates", &wish(start, end, more)).await
    }

    /// Waits until the job with this id is in this state. A job that ended otherwise ends the wait.
    pub async fn wait_for_job_id(&self, id: &str, wanted: &str) -> Value {
        let path = format!("/v1/replay-jobs/{id}");
        let job = wait::until(&format!("job {id} to be {wanted}"), async || {
            let job = self.get(&path).await.must(200).body;
            let state = job["state"].as_str().unwrap_or_default();
            let over = ["completed", "failed", "cancelled"].contains(&state);
            if state == wanted || over { Ok(job) } else { Err(job.to_string()) }
        })
        .await;
        assert_eq!(job["state"], wanted, "{job}");
        job
    }

    /// The replay job in detail.
    pub async fn job(&self) -> Value {
        self.get("/v1/replay-job").await.must(200).body
    }

    /// Waits until the job is in this state. A job that ended otherwise ends the wait.
    pub async fn wait_for_job(&self, wanted: &str) -> Value {
        let job = wait::until(&format!("the job to be {wanted}"), async || {
            let job = self.job().await;
            let state = job["state"].as_str().unwrap_or_default();
            let over = ["completed", "failed", "cancelled"].contains(&state);
            if state == wanted || over { Ok(job) } else { Err(job.to_string()) }
        })
        .await;
        assert_eq!(job["state"], wanted, "{job}");
        job
    }

    // --- ingest, as producer ---

    /// Sends events in one request, which must be accepted; returns their ids.
    pub async fn send(&self, drafts: &[Draft]) -> Vec<String> {
        let reply = self.try_send(drafts).await.expect("ingest answers").must(202);
        let ids: Vec<String> = serde_json::from_value(reply.body["ids"].clone()).expect("ids");
        ids
    }

    /// Sends events in one request.
    pub async fn try_send(&self, drafts: &[Draft]) -> Result<Reply, String> {
        let events: Vec<_> = drafts.iter().map(Draft::json).collect();
        self.ingest(&json!(events).to_string()).await
    }

    /// Sends events until they are accepted, as a producer does that must not lose any.
    pub async fn insist(&self, drafts: &[Draft]) -> Vec<String> {
        let begun = Instant::now();
        loop {
            let seen = match self.try_send(drafts).await {
                Ok(reply) if reply.status == 202 => break,
                Ok(reply) => format!("{} {}", reply.status, reply.body),
                Err(why) => why,
            };
            assert!(begun.elapsed() < wait::PATIENCE, "events are not accepted: {seen}");
            tokio::time::sleep(AGAIN_AFTER).await;
        }
        ids(drafts)
    }

    /// Posts anything to ingest as JSON.
    pub async fn ingest(&self, body: &str) -> Result<Reply, String> {
        self.ingest_raw(JSON, body.as_bytes().to_vec()).await
    }

    /// Posts anything to ingest.
    pub async fn ingest_raw(
        &self,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Reply, String> {
        let bearer = bearer(&self.producer, headers);
        self.client.call(Service::Ingest, Method::POST, "/v1/audit-events", &bearer, body).await
    }

    /// The same organization with another token for its producer.
    #[must_use]
    pub fn with_producer(&self, token: &str) -> Self {
        Self { producer: token.to_owned(), ..self.clone() }
    }

    /// The same organization with another administrator's token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { admin: token.to_owned(), ..self.clone() }
    }
}

impl Client {
    pub(super) fn new(addresses: Arc<Addresses>) -> Self {
        let http = reqwest::Client::builder().timeout(wait::PATIENCE).no_proxy();
        let http = http.redirect(reqwest::redirect::Policy::none()).build();
        Self { http: http.expect("an HTTP client"), addresses }
    }

    async fn call(
        &self,
        service: Service,
        method: Method,
        path: &str,
        headers: &[(String, String)],
        body: Vec<u8>,
    ) -> Result<Reply, String> {
        let address = self.addresses.lock().get(&service).copied();
        let address = address.ok_or_else(|| format!("{service} does not run"))?;
        let mut request = self.http.request(method, format!("http://{address}{path}")).body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let answer = request.send().await.map_err(|why| format!("{why:?}"))?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = answer.bytes().await.map_err(|why| format!("{why:?}"))?;
        Ok(Reply { status, headers, body: serde_json::from_slice(&body).unwrap_or_default() })
    }
}

fn wish(start: Timestamp, end: Timestamp, more: &Value) -> Value {
    let mut wish = json!({"start_at": start.to_string(), "end_at": end.to_string()});
    let members = more.as_object().cloned().unwrap_or_default();
    if let Some(object) = wish.as_object_mut() {
        object.extend(members);
    }
    wish
}

/// The headers with a token's, if there is one.
fn bearer(token: &str, headers: &[(&str, &str)]) -> Vec<(String, String)> {
    let token = (!token.is_empty()).then(|| ("authorization", format!("Bearer {token}")));
    let token = token.into_iter().map(|(name, value)| (name.to_owned(), value));
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    token.chain(headers).collect()
}
