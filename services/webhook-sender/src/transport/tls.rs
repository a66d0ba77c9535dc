//! TLS 1.2 and 1.3, with and without checking the receiver's certificate.

mod certificate;
mod files;
mod verifier;

use std::path::PathBuf;
use std::sync::Arc;

use auditrelay_model::destination::TlsPolicy;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use verifier::Verifier;
pub(super) use verifier::{Distrusted, Shown};

/// Sessions of a client that may be taken up again.
const SESSIONS_MAX: usize = 8;

/// The clients cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// A file with certificates or a key is not in order.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The TLS library cannot work as it was built.
    #[error("tls")]
    Tls(#[from] rustls::Error),
    /// The trusted certificates are of no use.
    #[error("the trusted certificates cannot be used: {0}")]
    Roots(String),
}

/// Whom we trust, and who we are.
#[derive(Debug, Clone, Default)]
pub struct TlsFiles {
    /// PEM file with certificates to trust besides the machine's own.
    pub extra_roots: Option<PathBuf>,
    /// PEM file with our own certificate and its chain, for receivers that ask for one.
    pub client_certificate: Option<PathBuf>,
    /// PEM file with its private key.
    pub client_key: Option<PathBuf>,
}

/// What every client's TLS is made of.
#[derive(Debug)]
pub(super) struct Tls {
    provider: Arc<CryptoProvider>,
    webpki: Arc<WebPkiServerVerifier>,
    identity: Option<Identity>,
}

#[derive(Debug)]
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Tls {
    /// Trusts the machine's certificates, or Mozilla's where the machine has none.
    pub(super) fn new(files: &TlsFiles) -> Result<Self, TransportError> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        if let Some(path) = &files.extra_roots {
            files::add_roots(&mut roots, path)?;
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let webpki = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .build()
            .map_err(|error| TransportError::Roots(error.to_string()))?;
        let identity = files::identity(files)?;
        let tls = Self { provider, webpki, identity };
        // A certificate that does not fit its key is told now.
        tls.config(TlsPolicy::Verify, None)?;
        Ok(tls)
    }

    /// A configuration of its own: sessions are shared with nobody. With `shown` it remembers what
    /// the receiver shows, and never takes an old session up.
    pub(super) fn config(
        &self,
        policy: TlsPolicy,
        shown: Option<Arc<Shown>>,
    ) -> Result<ClientConfig, rustls::Error> {
        let sessions = match shown {
            Some(_) => Resumption::disabled(),
            None => Resumption::in_memory_sessions(SESSIONS_MAX),
        };
        let verifier = Verifier { webpki: Arc::clone(&self.webpki), policy, shown };
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(Identity { chain, key }) => {
                builder.with_client_auth_cert(chain.clone(), key.clone_key())?
            }
        };
        config.resumption = sessions;
        Ok(config)
    }
}
