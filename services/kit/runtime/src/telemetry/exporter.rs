//! The exporter of spans, over gRPC or HTTP, with the certificates that the environment names.
//!
//! The exporter reads its other variables itself. Certificates it is given: over HTTP it would
//! read none, and over gRPC it would trust nobody.

use std::time::Duration;

use opentelemetry_otlp::tonic_types::transport::{Certificate, ClientTlsConfig, Identity};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig, WithTonicConfig};

/// What the specification says where nothing is set.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Makes it; an error says which variable is wrong.
pub(super) fn exporter(variable: impl Fn(&str) -> Option<String>) -> Result<SpanExporter, String> {
    let told = Told { variable };
    let certificates = told.certificates()?;
    let built = if told.value("PROTOCOL").is_some_and(|protocol| protocol == "grpc") {
        let tls = certificates.for_grpc();
        SpanExporter::builder().with_tonic().with_tls_config(tls).build()
    } else {
        let client = certificates.for_http(told.timeout())?;
        SpanExporter::builder().with_http().with_http_client(client).build()
    };
    built.map_err(|error| error.to_string())
}

/// What the environment says about the exporter.
struct Told<V> {
    variable: V,
}

impl<V: Fn(&str) -> Option<String>> Told<V> {
    /// The variable for traces alone wins over the one for everything.
    fn value(&self, name: &str) -> Option<String> {
        ["OTEL_EXPORTER_OTLP_TRACES_", "OTEL_EXPORTER_OTLP_"]
            .into_iter()
            .find_map(|start| (self.variable)(&format!("{start}{name}")))
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty())
    }

    fn timeout(&self) -> Duration {
        let millis = self.value("TIMEOUT").and_then(|text| text.parse().ok());
        millis.map_or(TIMEOUT, Duration::from_millis)
    }

    fn file(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        let Some(path) = self.value(name) else { return Ok(None) };
        let read = std::fs::read(&path);
        read.map(Some).map_err(|error| format!("OTEL_EXPORTER_OTLP_{name}: {path}: {error}"))
    }

    fn certificates(&self) -> Result<Certificates, String> {
        let authority = self.file("CERTIFICATE")?;
        let identity = match (self.file("CLIENT_CERTIFICATE")?, self.file("CLIENT_KEY")?) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                let both =
                    "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY";
                return Err(format!("{both} need each other"));
            }
        };
        Ok(Certificates { authority, identity })
    }
}

/// Whom the collector must be vouched for by, and how we show who we are; in PEM.
struct Certificates {
    /// None: whom the machine trusts.
    authority: Option<Vec<u8>>,
    /// Certificate and key.
    identity: Option<(Vec<u8>, Vec<u8>)>,
}

impl Certificates {
    fn for_grpc(self) -> ClientTlsConfig {
        let tls = match self.authority {
            Some(pem) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)),
            None => ClientTlsConfig::new().with_enabled_roots(),
        };
        match self.identity {
            Some((certificate, key)) => tls.identity(Identity::from_pem(certificate, key)),
            None => tls,
        }
    }

    /// A blocking client: the thread that exports has no reactor.
    fn for_http(self, timeout: Duration) -> Result<reqwest::blocking::Client, String> {
        let mut builder = reqwest::blocking::Client::builder().timeout(timeout);
        if let Some(pem) = self.authority {
            let authorities = reqwest::Certificate::from_pem_bundle(&pem)
                .map_err(|error| format!("OTEL_EXPORTER_OTLP_CERTIFICATE: {error}"))?;
            builder = builder.tls_certs_only(authorities);
        }
        if let Some((certificate, key)) = self.identity {
            let identity = reqwest::Identity::from_pem(&[key, certificate].concat())
                .map_err(|error| format!("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: {error}"))?;
            builder = builder.identity(identity);
        }
        // It has a runtime of its own, which must not be made on a thread of ours.
        let built = std::thread::spawn(move || builder.build()).join();
        let built = built.map_err(|_| "the client cannot be made".to_owned())?;
        built.map_err(|error| format!("the client cannot be made: {error}"))
    }
}
