//! One request to a receiver, and what came of it.
//!
//! Cast: [`Transport`] holds two clients, one that checks certificates and one that does not; each
//! dials through [`Guard`](crate::guard), so that only permitted addresses are reached.
//!
//! Invariants: one deadline runs from the dial to the end of the response head; redirects are
//! never followed, bodies never decompressed, proxies and cookies never used; of a body at most
//! 4 KiB are read, for at most a second. A request is repeated on another connection only when
//! nothing of it was sent.

mod answer;
mod failure;
mod tls;

use std::path::PathBuf;
use std::time::Duration;

use auditrelay_model::address::AddressPolicy;
use auditrelay_model::destination::TlsPolicy;
use auditrelay_webhook_sender_core::outcome::{FailureKind, Outcome};
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, Request, Uri};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout;
use url::Url;

use crate::guard::Guard;

pub use tls::TransportError;

/// Connections to a receiver that wait for the next batch.
const IDLE_CONNECTIONS_MAX: usize = 2;
const IDLE_WAIT: Duration = Duration::from_secs(30);
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
    /// PEM file with certificates to trust besides the machine's own.
    pub extra_roots: Option<PathBuf>,
    /// Time for the lookup and the TCP connection together.
    pub connect_wait: Duration,
}

/// A request to send.
#[derive(Debug, Clone)]
pub struct Outgoing {
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

type DeliveryClient = Client<HttpsConnector<Guard>, Full<Bytes>>;

/// Sends requests; cheap to clone.
#[derive(Debug, Clone)]
pub struct Transport {
    verifying: DeliveryClient,
    skipping: DeliveryClient,
    allow_http: bool,
}

impl Transport {
    /// Reads the machine's trusted certificates.
    pub fn new(config: TransportConfig) -> Result<Self, TransportError> {
        let guard = Guard::new(config.policy, config.connect_wait);
        let verifying = tls::verifying(config.extra_roots.as_deref())?;
        Ok(Self {
            verifying: client(verifying, guard.clone()),
            skipping: client(tls::skipping()?, guard),
            allow_http: config.allow_http,
        })
    }

    /// Sends the request once and says what came of it.
    pub async fn post(&self, request: Outgoing) -> Outcome {
        let uri = match self.endpoint(&request.url) {
            Ok(uri) => uri,
            Err(reason) => return failed(FailureKind::Endpoint, reason),
        };
        let authorization = authorization(&request.headers);
        let client = match request.tls {
            TlsPolicy::Verify => &self.verifying,
            TlsPolicy::SkipVerification => &self.skipping,
        };
        let mut outgoing = Request::new(Full::new(request.body));
        *outgoing.method_mut() = Method::POST;
        *outgoing.uri_mut() = uri;
        *outgoing.headers_mut() = request.headers;
        match timeout(request.deadline, client.request(outgoing)).await {
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

fn client(tls: rustls::ClientConfig, guard: Guard) -> DeliveryClient {
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .enable_http2()
        .wrap_connector(guard);
    Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_WAIT)
        .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
        .http1_max_buf_size(HEAD_BYTES_MAX)
        .http1_max_headers(HEAD_FIELDS_MAX)
        .http2_max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX))
        .build(connector)
}
