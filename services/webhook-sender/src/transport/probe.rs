//! One request on a connection of its own, step by step, with everything that was seen.

use std::error::Error;
use std::sync::Arc;

use auditrelay_model::test_delivery::{
    Connection, HttpAnswer, Lookup, Seen, TestFailure, TestPhase, TlsSession,
};
use auditrelay_webhook_sender_core::message::printable;
use auditrelay_webhook_sender_core::outcome::{FailureKind, Outcome};
use bytes::Bytes;
use http::header::HOST;
use http::{HeaderValue, Method, Request, Response, Uri, Version};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::task::AbortOnDropHandle;

use super::tls::Shown;
use super::{HEAD_BYTES_MAX, HEAD_FIELDS_MAX, Outgoing, Transport, answer, authorization, failure};

const HTTP_2: &[u8] = b"h2";

impl Transport {
    /// Sends the request once on a new connection. What was seen is told however far it came.
    pub async fn probe(&self, request: Outgoing) -> Seen {
        let (deadline, mut seen) = (request.deadline, Seen::default());
        let is_plain = request.url.starts_with("http:");
        let walked = timeout(deadline, self.walk(request, &mut seen)).await;
        seen.failure = if let Ok(walked) = walked {
            walked.err()
        } else {
            let reason = format!("no answer within {} s", deadline.as_secs_f32());
            Some(TestFailure { phase: phase_after(&seen, is_plain), reason })
        };
        seen
    }

    async fn walk(&self, request: Outgoing, seen: &mut Seen) -> Result<(), TestFailure> {
        let uri = self
            .endpoint(&request.url)
            .map_err(|reason| ended(TestPhase::Endpoint, reason.to_owned()))?;
        let stream = self.connect(&uri, seen).await?;
        if uri.scheme_str() == Some("http") {
            return exchange(stream, false, &uri, request, seen).await;
        }
        let stream = self.secure(stream, &uri, &request, seen).await?;
        let is_http_2 = stream.get_ref().1.alpn_protocol() == Some(HTTP_2);
        exchange(stream, is_http_2, &uri, request, seen).await
    }

    async fn connect(&self, uri: &Uri, seen: &mut Seen) -> Result<TcpStream, TestFailure> {
        let deadline = self.guard.deadline();
        let begun = Instant::now();
        let resolved = self
            .guard
            .look_up(uri, deadline)
            .await
            .map_err(|error| ended(TestPhase::Lookup, error.to_string()))?;
        seen.lookup = Some(Lookup {
            addresses: resolved.admitted.iter().map(std::net::SocketAddr::ip).collect(),
            refused: u32::try_from(resolved.refused).unwrap_or(u32::MAX),
            duration: begun.elapsed(),
        });
        let begun = Instant::now();
        let unreached = |reason: String| ended(TestPhase::Connect, reason);
        let stream = self
            .guard
            .dial(&resolved, deadline)
            .await
            .map_err(|error| unreached(error.to_string()))?;
        let address = stream.peer_addr().map_err(|error| unreached(error.to_string()))?;
        seen.connection = Some(Connection { address, duration: begun.elapsed() });
        Ok(stream)
    }

    async fn secure(
        &self,
        stream: TcpStream,
        uri: &Uri,
        request: &Outgoing,
        seen: &mut Seen,
    ) -> Result<TlsStream<TcpStream>, TestFailure> {
        let begun = Instant::now();
        let shown = Arc::new(Shown::default());
        let refused =
            |error: &(dyn Error + 'static)| ended(TestPhase::Tls, failure::handshake(error).1);
        let config = self.tls.config(request.tls, Some(Arc::clone(&shown)));
        let mut config: ClientConfig = config.map_err(|error| refused(&error))?;
        config.alpn_protocols = vec![HTTP_2.to_vec(), b"http/1.1".to_vec()];
        let host = uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name =
            ServerName::try_from(host).map_err(|error| ended(TestPhase::Tls, error.to_string()))?;
        let shaken = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
        let (chain, distrust) = shown.read().unwrap_or_default();
        let mut session = TlsSession {
            version: String::new(),
            cipher_suite: String::new(),
            application_protocol: String::new(),
            checked: !request.tls.skips(),
            distrust,
            chain,
            duration: begun.elapsed(),
        };
        if let Ok(stream) = &shaken {
            describe(&mut session, stream.get_ref().1);
        }
        seen.tls = Some(session);
        shaken.map_err(|error| refused(&error))
    }
}

fn describe(session: &mut TlsSession, connection: &rustls::ClientConnection) {
    let version = connection.protocol_version().and_then(|version| version.as_str());
    session.version = version.unwrap_or_default().replace("TLSv1_", "TLSv1.");
    let suite = connection.negotiated_cipher_suite().map(|suite| suite.suite());
    let suite = suite.and_then(|suite| suite.as_str());
    suite.unwrap_or_default().clone_into(&mut session.cipher_suite);
    let protocol = connection.alpn_protocol().unwrap_or_default();
    session.application_protocol = printable(protocol, "");
}

async fn exchange<S>(
    stream: S,
    is_http_2: bool,
    uri: &Uri,
    request: Outgoing,
    seen: &mut Seen,
) -> Result<(), TestFailure>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let authorization = authorization(&request.headers);
    let begun = Instant::now();
    let sent = if is_http_2 {
        over_http_2(stream, uri, request).await
    } else {
        over_http_1(stream, uri, request).await
    };
    let (response, _connection) = sent.map_err(|error| {
        ended(TestPhase::Http, printable(failure::exchange(&error).as_bytes(), &authorization))
    })?;
    let (version, duration) = (response.version(), begun.elapsed());
    match answer::read(response, &authorization).await {
        Outcome::Failed { kind, message } => Err(ended(phase_of(kind), message)),
        Outcome::Answered { status, message, retry_after: _ } => {
            seen.answer = Some(HttpAnswer { version: name(version), status, message, duration });
            if (200..=299).contains(&status) {
                return Ok(());
            }
            Err(ended(TestPhase::Http, format!("the receiver answered {status}")))
        }
    }
}

/// A response, and the task that reads it.
type Responding = (Response<Incoming>, AbortOnDropHandle<()>);

async fn over_http_1<S>(stream: S, uri: &Uri, request: Outgoing) -> hyper::Result<Responding>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_BYTES_MAX).max_headers(HEAD_FIELDS_MAX);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(async move { drop(connection.await) });
    let connection = AbortOnDropHandle::new(connection);
    let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let mut outgoing = made(path.parse().unwrap_or_default(), request);
    let authority = uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
    if let Ok(host) = HeaderValue::from_str(authority) {
        outgoing.headers_mut().insert(HOST, host);
    }
    Ok((sender.send_request(outgoing).await?, connection))
}

async fn over_http_2<S>(stream: S, uri: &Uri, request: Outgoing) -> hyper::Result<Responding>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX));
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(async move { drop(connection.await) });
    let connection = AbortOnDropHandle::new(connection);
    Ok((sender.send_request(made(uri.clone(), request)).await?, connection))
}

fn made(uri: Uri, request: Outgoing) -> Request<Full<Bytes>> {
    let mut outgoing = Request::new(Full::new(request.body));
    *outgoing.method_mut() = Method::POST;
    *outgoing.uri_mut() = uri;
    *outgoing.headers_mut() = request.headers;
    outgoing
}

const fn ended(phase: TestPhase, reason: String) -> TestFailure {
    TestFailure { phase, reason }
}

/// Where the walk was when its time ran out.
const fn phase_after(seen: &Seen, is_plain: bool) -> TestPhase {
    match seen {
        Seen { lookup: None, .. } => TestPhase::Lookup,
        Seen { connection: None, .. } => TestPhase::Connect,
        Seen { tls: None, .. } if !is_plain => TestPhase::Tls,
        Seen { .. } => TestPhase::Http,
    }
}

const fn phase_of(kind: FailureKind) -> TestPhase {
    match kind {
        FailureKind::Endpoint => TestPhase::Endpoint,
        FailureKind::Dns | FailureKind::Blocked => TestPhase::Lookup,
        FailureKind::Connect => TestPhase::Connect,
        FailureKind::Tls => TestPhase::Tls,
        FailureKind::Timeout | FailureKind::Protocol => TestPhase::Http,
    }
}

fn name(version: Version) -> String {
    format!("{version:?}")
}
