//! Keys, and what claims to be signed by them.

use std::sync::LazyLock;

use auditrelay_signing::manifest::Manifest;
use auditrelay_signing::{Jwks, KeySet, SealingKeys, SystemRandom, Verifier, line};

use crate::text;

/// Of a key that nobody else has.
static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
    let random = SystemRandom::new();
    let keys = KeySet::generate("fuzz-1", "2026-01-01T00:00:00Z", &random).expect("a key");
    keys.jwks().verifier()
});

/// Key files, published keys, manifests and lines.
pub(crate) fn keys(data: &[u8]) {
    let text = text(data);
    let _ = KeySet::from_json(&text).map(|keys| keys.jwks().verifier());
    let _ = SealingKeys::from_json(&text);
    let _ = serde_json::from_str::<Jwks>(&text).map(|jwks| jwks.verifier());
    assert!(Manifest::verify(&text, &VERIFIER).is_err(), "nobody signed {text}");
    let _ = Manifest::is_like(&text);
    if let Some((signed, signature)) = line::split(&text) {
        assert!(!VERIFIER.verify(signed.as_bytes(), signature), "nobody signed {text}");
    }
    assert!(!VERIFIER.verify_bytes(b"anything", data));
}
