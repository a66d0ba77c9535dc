//! The sockets of a SIEM.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::{Answer, Delivery, Shared};
use crate::wait;

/// A port that was in use a moment ago may take a moment to be free.
pub(super) async fn bind(address: SocketAddr) -> TcpListener {
    wait::until(&format!("the port of {address}"), async || {
        TcpListener::bind(address).await.map_err(|why| why.to_string())
    })
    .await
}

/// Takes connections until it is closed.
pub(super) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    shared: Arc<Shared>,
    open: CancellationToken,
) {
    loop {
        let accepted = tokio::select! {
            () = open.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((socket, _)) = accepted else { continue };
        let (tls, shared, open) = (tls.clone(), Arc::clone(&shared), open.clone());
        tokio::spawn(async move {
            let connection = async {
                match tls {
                    // A handshake that fails is what some tests are about.
                    Some(tls) => match tls.accept(socket).await {
                        Ok(socket) => converse(socket, shared).await,
                        Err(why) => tracing::debug!(%why, "handshake failed"),
                    },
                    None => converse(socket, shared).await,
                }
            };
            tokio::select! {
                () = open.cancelled() => {}
                () = connection => {}
            }
        });
    }
}

async fn converse(
    socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    shared: Arc<Shared>,
) {
    let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
    let server = auto::Builder::new(TokioExecutor::new());
    if let Err(why) = server.serve_connection(TokioIo::new(socket), service).await {
        tracing::debug!(%why, "connection ended");
    }
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    let (index, answer) = shared.arrived(Delivery::of(head.headers, &body));
    let _busy = Busy(&shared);
    let (status, retry_after) = match answer {
        Answer::Status(status) => (status, None),
        Answer::RetryAfter(status, seconds) => (status, Some(seconds)),
        Answer::Slow(duration, status) => {
            tokio::time::sleep(duration).await;
            (status, None)
        }
        Answer::Silence => match std::future::pending::<Infallible>().await {},
        Answer::Disconnect => return Err(std::io::Error::other("told to disconnect")),
    };
    shared.answered(index, status);
    let mut response = Response::builder().status(status);
    if let Some(seconds) = retry_after {
        response = response.header("retry-after", seconds);
    }
    let says = shared.says().unwrap_or_else(|| "answered by the test's SIEM".to_owned());
    response.body(Full::new(Bytes::from(says))).map_err(std::io::Error::other)
}

/// A request in hand; let go of when it is answered or given up.
struct Busy<'a>(&'a Shared);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.left();
    }
}

/// A certificate for this machine that no root vouches for.
pub(super) fn self_signed() -> TlsAcceptor {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).expect("names of this machine");
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider knows the usual versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a certificate and its key");
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}
