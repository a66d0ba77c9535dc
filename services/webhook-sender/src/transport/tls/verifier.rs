//! Judges receivers' certificates, and says in words what is wrong with them.

use std::sync::{Arc, OnceLock};

use auditrelay_model::destination::TlsPolicy;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, OtherError, SignatureScheme};

use super::certificate;

/// Certificates of a chain that are looked at.
const CHAIN_MAX: usize = 8;

/// Why a certificate is not trusted, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(in crate::transport) struct Distrusted(pub(in crate::transport) String);

/// What a receiver showed in a handshake.
#[derive(Debug, Default)]
pub(in crate::transport) struct Shown(OnceLock<Chain>);

#[derive(Debug)]
struct Chain {
    certificates: Vec<CertificateDer<'static>>,
    distrust: Option<Distrusted>,
}

impl Shown {
    /// The certificates, the receiver's own first, and why they are not trusted.
    pub(in crate::transport) fn read(
        &self,
    ) -> Option<(Vec<auditrelay_model::test_delivery::Certificate>, Option<String>)> {
        let chain = self.0.get()?;
        let certificates = chain.certificates.iter().filter_map(certificate::read).collect();
        Some((certificates, chain.distrust.as_ref().map(ToString::to_string)))
    }
}

/// Checks chain, name and time as the destination wants it; in any case the handshake must be
/// signed with the certificate's key.
#[derive(Debug)]
pub(super) struct Verifier {
    pub(super) webpki: Arc<WebPkiServerVerifier>,
    pub(super) policy: TlsPolicy,
    pub(super) shown: Option<Arc<Shown>>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.policy.skips() && self.shown.is_none() {
            return Ok(ServerCertVerified::assertion());
        }
        let judged = self.webpki.verify_server_cert(own, others, name, ocsp, now);
        let distrust =
            judged.err().map(|error| Distrusted(certificate::explain(&error, own, others, name)));
        if let Some(shown) = &self.shown {
            let all = std::iter::once(own).chain(others).take(CHAIN_MAX);
            let certificates = all.map(|one| one.clone().into_owned()).collect();
            // A handshake shows one chain.
            let _ = shown.0.set(Chain { certificates, distrust: distrust.clone() });
        }
        match (self.policy, distrust) {
            (TlsPolicy::Verify, Some(distrust)) => {
                Err(CertificateError::Other(OtherError(Arc::new(distrust))).into())
            }
            (TlsPolicy::Verify, None) | (TlsPolicy::SkipVerification, _) => {
                Ok(ServerCertVerified::assertion())
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.webpki.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.webpki.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}
