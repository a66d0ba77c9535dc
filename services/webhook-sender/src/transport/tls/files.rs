//! Certificates and keys from files.

use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{Identity, TlsFiles, TransportError};

pub(super) fn add_roots(roots: &mut RootCertStore, path: &Path) -> Result<(), TransportError> {
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| refuse(path, error))?;
    }
    Ok(())
}

/// Certificate and key, or neither.
pub(super) fn identity(files: &TlsFiles) -> Result<Option<Identity>, TransportError> {
    let (Some(certificate), Some(key)) = (&files.client_certificate, &files.client_key) else {
        return Ok(None);
    };
    let chain = certificates(certificate)?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| refuse(key, error))?;
    Ok(Some(Identity { chain, key }))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TransportError> {
    let found = CertificateDer::pem_file_iter(path).map_err(|error| refuse(path, error))?;
    let found: Vec<_> = found.collect::<Result<_, _>>().map_err(|error| refuse(path, error))?;
    if found.is_empty() {
        return Err(refuse(path, "holds no certificate"));
    }
    Ok(found)
}

fn refuse(path: &Path, reason: impl std::fmt::Display) -> TransportError {
    TransportError::File { path: path.to_owned(), reason: reason.to_string() }
}
