//! Signatures as somebody checks them who has nothing of ours: OpenSSL, with a key of the JWKS.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::path::Path;
use std::process::Command;
use std::{fs, io};

use auditrelay_signing::{KeySet, SystemRandom};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// What comes before the 32 bytes of an Ed25519 key in its usual wrapping (RFC 8410).
const WRAPPING: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];

#[test]
fn openssl_agrees_on_lines_and_on_requests() {
    let scratch = tempfile::tempdir().unwrap();
    if let Err(error) = Command::new("openssl").arg("version").output() {
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        eprintln!("skipped: openssl is not installed");
        return;
    }
    let keys = KeySet::generate("k1", "2026-01-01T00:00:00Z", &SystemRandom::new()).unwrap();
    let jwks: serde_json::Value = serde_json::to_value(keys.jwks()).unwrap();
    let key = URL_SAFE_NO_PAD.decode(jwks["keys"][0]["x"].as_str().unwrap()).unwrap();
    fs::write(scratch.path().join("key"), [&WRAPPING[..], &key].concat()).unwrap();

    let line = "2026-01-01T00:00:00Z konghq.com CEF:0|KongInc|Konnect|1.0|a|b|1|rt=1";
    let signature = URL_SAFE_NO_PAD.decode(keys.current().sign(line.as_bytes())).unwrap();
    assert!(verifies(scratch.path(), line, &signature));
    assert!(!verifies(scratch.path(), &line.replace("|1|", "|2|"), &signature));

    // Standard Webhooks: `v1a,` and base64 over `id.timestamp.body`.
    let header = keys.current().sign_webhook("msg_1", 1_767_225_600, b"line one\nline two");
    let signature = STANDARD.decode(header.strip_prefix("v1a,").unwrap()).unwrap();
    let signed = "msg_1.1767225600.line one\nline two";
    assert!(verifies(scratch.path(), signed, &signature));
    for forged in ["msg_2.1767225600.line one\nline two", "msg_1.1767225601.line one\nline two"] {
        assert!(!verifies(scratch.path(), forged, &signature), "{forged}");
    }
}

fn verifies(scratch: &Path, text: &str, signature: &[u8]) -> bool {
    fs::write(scratch.join("text"), text).unwrap();
    fs::write(scratch.join("signature"), signature).unwrap();
    let checked = Command::new("openssl")
        .current_dir(scratch)
        .args(["pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-rawin"])
        .args(["-inkey", "key", "-in", "text", "-sigfile", "signature"])
        .output()
        .unwrap();
    checked.status.success()
}
