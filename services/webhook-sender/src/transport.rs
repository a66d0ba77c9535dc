//! One request to a receiver, and what came of it.
//!
//! Cast: [`Transport`] keeps a client for every organization and TLS policy that was used lately;
//! each dials through [`Guard`], so that only permitted addresses are reached. [`probe`] goes the
//! same way once, step by step, and remembers what it saw.
//!
//! Invariants: one deadline runs from the dial to the end of the response head; redirects are
//! never followed, bodies never decompressed, proxies and cookies never used; of a body at most
//! 4 KiB are read, for at most a second, and before it at most 16 interim heads. A request is repeated on another connection only when
//! nothing of it was sent. Organizations share neither connections nor TLS sessions, even where
//! they share a receiver.

mod answer;
mod clients;
mod failure;
mod interim;
mod probe;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use auditrelay_model::address::AddressPolicy;
use auditrelay_model::destination::TlsPolicy;
use auditrelay_model::id::OrgId;
use auditrelay_webhook_sender_core::outcome::{FailureKind, Outcome};
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, Request, Uri};
use http_body_util::Full;
use tokio::time::timeout;
use url::Url;

use crate::guard::Guard;
use crate::resolver::{Resolve, SystemResolver};
use clients::Clients;
use interim::Interim;
use tls::Tls;

pub use tls::{TlsFiles, TransportError};

/// A response head, with all its fields.
const HEAD_BYTES_MAX: usize = 64 * 1024;
const HEAD_FIELDS_MAX: usize = 100;

/// How receivers are reached.
#[derive(Debug, Clone)]
pub struct TransportConfig {
    /// Which addresses may be called.
    pub policy: AddressPolicy,
    /// Whether `http://` endpoints may be called.
    pub allow_http: bool,
    /// Whom we trust, and who we are.
    pub tls: TlsFiles,
    /// Time for the lookup and the TCP connection together.
    pub connect_wait: Duration,
}

/// A request to send.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// In whose name: nothing is shared with anybody else's requests.
    pub org: OrgId,
    /// The destination's endpoint as it was written.
    pub url: String,
    /// Whether the receiver's certificate is checked.
    pub tls: TlsPolicy,
    /// All headers but `Host` and `Content-Length`.
    pub headers: HeaderMap,
    /// Sent as it is.
    pub body: Bytes,
    /// From the dial to the end of the response head.
    pub deadline: Duration,
}

/// Sends requests; cheap to clone.
#[derive(Debug, Clone)]
pub struct Transport {
    clients: Arc<Clients>,
    guard: Guard,
    tls: Arc<Tls>,
    allow_http: bool,
}

impl Transport {
    /// Reads the certificates; names are looked up by the machine's resolver.
    pub fn new(config: TransportConfig) -> Result<Self, TransportError> {
        Self::with_resolver(config, Arc::new(SystemResolver::default()))
    }

    /// The same with a resolver of the caller's.
    pub fn with_resolver(
        config: TransportConfig,
        resolver: Arc<dyn Resolve>,
    ) -> Result<Self, TransportError> {
        let guard = Guard::new(config.policy, resolver, config.connect_wait);
        let tls = Arc::new(Tls::new(&config.tls)?);
        let clients = Arc::new(Clients::new(guard.clone(), Arc::clone(&tls)));
        Ok(Self { clients, guard, tls, allow_http: config.allow_http })
    }

    /// Sends the request once and says what came of it.
    pub async fn post(&self, request: Outgoing) -> Outcome {
        let uri = match self.endpoint(&request.url) {
            Ok(uri) => uri,
            Err(reason) => return failed(FailureKind::Endpoint, reason),
        };
        let authorization = authorization(&request.headers);
        let client = match self.clients.of(request.org, request.tls) {
            Ok(client) => client,
            Err(error) => return failed(FailureKind::Tls, &format!("tls: {error}")),
        };
        let mut outgoing = Request::new(Full::new(request.body));
        *outgoing.method_mut() = Method::POST;
        *outgoing.uri_mut() = uri;
        *outgoing.headers_mut() = request.headers;
        let interim = Interim::count(&mut outgoing);
        let answered = tokio::select! {
            answered = timeout(request.deadline, client.request(outgoing)) => answered,
            () = interim.exceeded() => return interim::too_many(),
        };
        match answered {
            Ok(_) if interim.is_exceeded() => interim::too_many(),
            Ok(Ok(response)) => answer::read(response, &authorization).await,
            Ok(Err(error)) => failure::classify(&error),
            Err(_) => {
                let reason = format!("no answer within {} s", request.deadline.as_secs_f32());
                failed(FailureKind::Timeout, &reason)
            }
        }
    }

    fn endpoint(&self, url: &str) -> Result<Uri, &'static str> {
        let url = Url::parse(url).map_err(|_| "the endpoint is not a URL")?;
        match url.scheme() {
            "https" => {}
            "http" if self.allow_http => {}
            "http" => return Err("plain http is not allowed here"),
            _ => return Err("the endpoint is not an https URL"),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("the endpoint carries credentials");
        }
        url.as_str().parse().map_err(|_| "the endpoint is not a URL")
    }
}

/// The value that an answer must not bring back into our logs.
fn authorization(headers: &HeaderMap) -> String {
    let value = headers.get(AUTHORIZATION).map(http::HeaderValue::as_bytes);
    String::from_utf8_lossy(value.unwrap_or_default()).into_owned()
}

fn failed(kind: FailureKind, message: &str) -> Outcome {
    Outcome::Failed { kind, message: message.to_owned() }
}
