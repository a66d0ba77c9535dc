//! An authority of a test's own, and one certificate that everybody shows to everybody.

use std::path::{Path, PathBuf};

use auditrelay_streams::Tls;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

/// Files with certificates and their key.
pub(super) struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    pub(super) fn make(store: &Path) -> Self {
        let folder = store.join("tls");
        std::fs::create_dir_all(&folder).expect("a writable directory");
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate().expect("a key");
        let root = authority.self_signed(&authority_key).expect("an authority");
        let issuer = Issuer::new(authority, authority_key);
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let mut own = CertificateParams::new(names).expect("names of this machine");
        own.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let own_key = KeyPair::generate().expect("a key");
        let own = own.signed_by(&own_key, &issuer).expect("a certificate");
        let files =
            [("ca.crt", root.pem()), ("tls.crt", own.pem()), ("tls.key", own_key.serialize_pem())];
        for (name, text) in files {
            std::fs::write(folder.join(name), text).expect("a writable directory");
        }
        Self { folder }
    }

    /// For a client.
    pub(super) fn tls(&self) -> Tls {
        let path = |name| self.folder.join(name);
        Tls {
            authorities: Some(path("ca.crt")),
            identity: Some((path("tls.crt"), path("tls.key"))),
        }
    }

    /// What is shipped with its marks taken away, for this folder.
    pub(super) fn unmarked(&self, shipped: &str) -> String {
        let block = shipped.lines().skip_while(|line| !line.starts_with("# tls {"));
        let block: Vec<&str> = block.map(|line| line.trim_start_matches("# ")).collect();
        let text = block.join("\n");
        assert!(text.contains("verify: true"), "deploy/nats has no TLS to switch on: {shipped}");
        text.replace("/tls/", &format!("{}/", self.folder.display()))
    }
}
