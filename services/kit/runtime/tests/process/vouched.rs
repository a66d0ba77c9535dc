//! A collector that shows a certificate of its own authority, and wants to see ours.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::process;

const SPAN: &[u8] = b"a test's span";

#[test]
fn a_collector_is_reached_with_the_certificates_that_the_environment_names() {
    for (protocol, wanted) in [("http/protobuf", SPAN), ("grpc", b"PRI * HTTP/2.0")] {
        let folder = tempfile::tempdir().unwrap();
        let config = certificates(folder.path());
        let collector = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("https://{}", collector.local_addr().unwrap());
        let file = |name| folder.path().join(name).to_str().unwrap().to_owned();
        let env = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", &file("ca.crt")),
            ("OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", &file("tls.crt")),
            ("OTEL_EXPORTER_OTLP_CLIENT_KEY", &file("tls.key")),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "3000"),
        ];
        let sender = process("be_traced", &env);
        hear(collector.accept().unwrap().0, config, wanted);
        let said = sender.wait_with_output().unwrap();
        assert!(said.status.success(), "{protocol}: {}", String::from_utf8_lossy(&said.stderr));
    }
}

#[test]
fn a_certificate_that_cannot_be_read_is_named_and_nothing_stops() {
    let key = ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/nowhere/tls.key");
    let certificate = ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.crt");
    for wrong in [key, certificate] {
        let env = [("OTEL_EXPORTER_OTLP_ENDPOINT", "https://127.0.0.1:1"), wrong];
        let said = process("be_traced", &env).wait_with_output().unwrap();
        let stderr = String::from_utf8(said.stderr).unwrap();
        assert!(said.status.success(), "{stderr}");
        let line = stderr.lines().find(|line| line.contains("traces are not exported"));
        assert!(line.is_some_and(|line| line.contains(wrong.0)), "{stderr}");
    }
}

/// Reads from one connection until something is in it, and says that it is fine.
fn hear(stream: TcpStream, config: Arc<ServerConfig>, wanted: &[u8]) {
    let connection = ServerConnection::new(config).unwrap();
    let mut stream = StreamOwned::new(connection, stream);
    let (mut heard, mut buffer) = (Vec::new(), [0; 4_096]);
    while !heard.windows(wanted.len()).any(|bytes| bytes == wanted) {
        let read = stream.read(&mut buffer).unwrap();
        assert_ne!(read, 0, "{}", String::from_utf8_lossy(&heard));
        heard.extend_from_slice(buffer.get(..read).unwrap());
    }
    assert!(stream.conn.peer_certificates().is_some_and(|shown| !shown.is_empty()));
    if wanted == SPAN {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
    }
}

/// An authority's own, and one that both sides show, in files.
fn certificates(folder: &Path) -> Arc<ServerConfig> {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let root = authority.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(authority, authority_key);
    let mut both = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    both.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    let both = both.signed_by(&key, &issuer).unwrap();
    let files = [("ca.crt", root.pem()), ("tls.crt", both.pem()), ("tls.key", key.serialize_pem())];
    for (name, text) in files {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let mut trusted = RootCertStore::empty();
    trusted.add(root.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(trusted.into(), provider.clone());
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(vec![both.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}
