//! Receivers behind TLS.

use std::convert::Infallible;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use auditrelay_model::destination::TlsPolicy;
use auditrelay_webhook_sender::transport::{Outgoing, Transport};
use auditrelay_webhook_sender_core::outcome::{FailureKind, Outcome};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::NamedTempFile;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::receiver::Receiver;
use super::{answered, config, outgoing, transport};

#[tokio::test]
async fn a_trusted_receiver_is_delivered_to_over_http_2() {
    let siem = Siem::start(&["localhost"], |_| {}, &[b"h2", b"http/1.1"]).await;
    let transport = transport(Some(siem.roots.path().to_owned()));
    assert_eq!(transport.post(outgoing(&siem.url())).await, answered(200, "HTTP/2.0 body"));
}

#[tokio::test]
async fn a_trusted_receiver_without_http_2_is_delivered_to() {
    let siem = Siem::start(&["localhost"], |_| {}, &[]).await;
    let transport = transport(Some(siem.roots.path().to_owned()));
    assert_eq!(transport.post(outgoing(&siem.url())).await, answered(200, "HTTP/1.1 body"));
}

#[tokio::test]
async fn a_certificate_that_does_not_verify_gets_nothing_of_the_request() {
    let unknown = Siem::start(&["localhost"], |_| {}, &[]).await;
    refused(&transport(None), &unknown).await;
    let elsewhere = Siem::start(&["siem.example"], |_| {}, &[]).await;
    refused(&trusting(&elsewhere), &elsewhere).await;
    let expired =
        Siem::start(&["localhost"], |params| params.not_after = date_time_ymd(2020, 1, 1), &[])
            .await;
    refused(&trusting(&expired), &expired).await;
    let future =
        Siem::start(&["localhost"], |params| params.not_before = date_time_ymd(2090, 1, 1), &[])
            .await;
    refused(&trusting(&future), &future).await;
}

#[tokio::test]
async fn skipping_verification_takes_any_certificate() {
    let siem =
        Siem::start(&["siem.example"], |params| params.not_after = date_time_ymd(2020, 1, 1), &[])
            .await;
    let request = Outgoing { tls: TlsPolicy::SkipVerification, ..outgoing(&siem.url()) };
    assert_eq!(transport(None).post(request).await, answered(200, "HTTP/1.1 body"));
}

#[tokio::test]
async fn a_plain_receiver_behind_an_https_endpoint_fails_by_tls() {
    let plain = Receiver::silent().await;
    let url = plain.url().replace("http://", "https://");
    let request = Outgoing { deadline: Duration::from_millis(300), ..outgoing(&url) };
    let outcome = transport(None).post(request).await;
    assert!(matches!(outcome, Outcome::Failed { kind: FailureKind::Timeout, .. }), "{outcome:?}");

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.writable().await;
            let _ = stream.try_write(b"HTTP/1.1 400 Bad Request\r\n\r\n");
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
    });
    let outcome = transport(None).post(outgoing(&format!("https://{address}/"))).await;
    assert!(matches!(outcome, Outcome::Failed { kind: FailureKind::Tls, .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_file_without_certificates_is_refused() {
    let empty = NamedTempFile::new().unwrap();
    for path in [empty.path().to_owned(), "/nonexistent/roots.pem".into()] {
        let error = Transport::new(config(Some(path.clone()))).unwrap_err();
        assert!(error.to_string().starts_with(&path.display().to_string()), "{error}");
    }
}

fn trusting(siem: &Siem) -> Transport {
    transport(Some(siem.roots.path().to_owned()))
}

async fn refused(transport: &Transport, siem: &Siem) {
    let outcome = transport.post(outgoing(&siem.url())).await;
    let Outcome::Failed { kind: FailureKind::Tls, message } = &outcome else {
        panic!("{outcome:?}");
    };
    assert!(message.starts_with("tls: invalid peer certificate"), "{message}");
    assert_eq!(siem.requests.load(Ordering::SeqCst), 0);
}

/// Answers 200 with the protocol and the body it got.
struct Siem {
    address: SocketAddr,
    roots: NamedTempFile,
    requests: Arc<AtomicUsize>,
}

impl Siem {
    async fn start(
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
        protocols: &[&[u8]],
    ) -> Self {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let mut roots = NamedTempFile::new().unwrap();
        roots.write_all(certificate.pem().as_bytes()).unwrap();

        let tls = server_config(certificate.der().clone(), &key, protocols);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        tokio::spawn(serve(listener, TlsAcceptor::from(Arc::new(tls)), Arc::clone(&requests)));
        Self { address, roots, requests }
    }

    fn url(&self) -> String {
        format!("https://localhost:{}/", self.address.port())
    }
}

fn server_config(
    certificate: CertificateDer<'static>,
    key: &KeyPair,
    protocols: &[&[u8]],
) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    config
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, requests: Arc<AtomicUsize>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, requests) = (acceptor.clone(), Arc::clone(&requests));
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = service_fn(move |request: Request<Incoming>| {
                requests.fetch_add(1, Ordering::SeqCst);
                answer(request)
            });
            let server = auto::Builder::new(TokioExecutor::new());
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<bytes::Bytes>>, Infallible> {
    let version = request.version();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let text = format!("{version:?} {}", String::from_utf8_lossy(&body));
    Ok(Response::new(Full::new(text.into())))
}
