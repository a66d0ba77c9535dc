//! Signatures: known vectors, tampering, rotation, the key file.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use auditrelay_signing::{Jwk, Jwks, KeyError, KeySet, SystemRandom, line};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::prelude::*;

const AT: &str = "2026-01-01T00:00:00Z";

#[test]
fn rfc_8032_vectors_are_reproduced() {
    // RFC 8032, section 7.1: TEST 1, TEST 2, TEST 3.
    let vectors = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155\
             5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac\
             18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ];
    for (seed, public, message, signature) in vectors {
        let keys = from_seed(&hex(seed));
        assert_eq!(keys.jwks().keys[0].x, URL_SAFE_NO_PAD.encode(hex(public)));
        let signed = keys.current().sign(&hex(message));
        assert_eq!(signed, URL_SAFE_NO_PAD.encode(hex(signature)));
        assert_eq!(signed.len(), 86);
        assert!(keys.jwks().verifier().verify(&hex(message), &signed));
    }
}

#[test]
fn the_jwks_is_what_receivers_read() {
    let keys = from_seed(&[7; 32]);
    let text = serde_json::to_string(&keys.jwks()).unwrap();
    let x = &keys.jwks().keys[0].x;
    assert_eq!(x.len(), 43);
    assert_eq!(
        text,
        format!(
            r#"{{"keys":[{{"kty":"OKP","alg":"EdDSA","use":"sig","kid":"k1","crv":"Ed25519","x":"{x}"}}]}}"#
        )
    );
    assert_eq!(serde_json::from_str::<Jwks>(&text).unwrap(), keys.jwks());
}

#[test]
fn a_signed_line_of_each_format_verifies_after_the_split() {
    let keys = from_seed(&[7; 32]);
    let verifier = keys.jwks().verifier();
    let sign = |text: &str| keys.current().sign(text.as_bytes());
    let cef = "2025-06-18T21:02:36Z konghq.com CEF:0|KongInc|Konnect|1.0|a|b|0|rt=1 user_agent=";
    let json = r#"{"action":"list","uri":"/x?sig=1"}"#;
    let cps = r#"{"event":{"action":"list"}}"#;
    let lines = [
        format!("{cef} sig={}", sign(cef)),
        format!(r#"{},"sig":"{}"}}"#, &json[..json.len() - 1], sign(json)),
        format!(r#"{},"sig":"{}"}}}}"#, &cps[..cps.len() - 2], sign(cps)),
    ];
    for (line, text) in lines.iter().zip([cef, json, cps]) {
        let (signed, signature) = line::split(line).unwrap();
        assert_eq!(signed, text);
        assert!(verifier.verify(signed.as_bytes(), signature), "{line}");
    }
}

fn kids(keys: &KeySet) -> Vec<String> {
    keys.jwks().keys.into_iter().map(|key| key.kid).collect()
}

#[test]
fn a_key_is_published_before_it_signs_and_until_it_is_retired() {
    let mut keys = KeySet::generate("a", AT, &SystemRandom::new()).unwrap();
    let old = keys.current().sign(b"text");
    keys.announce("b", AT, &SystemRandom::new()).unwrap();
    assert_eq!(kids(&keys), ["a", "b"]);
    assert_eq!(keys.current().sign(b"text"), old, "the announced key does not sign");
    let early = keys.jwks().verifier();
    keys.promote("b").unwrap();
    assert_eq!(kids(&keys), ["b", "a"]);
    let new = keys.current().sign(b"text");
    assert_ne!(new, old);
    assert!(early.verify(b"text", &new), "whoever read the keys before knows the new one");
    assert!(keys.jwks().verifier().verify(b"text", &old));
    let again = keys.announce("a", AT, &SystemRandom::new());
    assert_eq!(again, Err(KeyError::Duplicate("a".to_owned())));
    assert_eq!(keys.promote("c"), Err(KeyError::Unknown("c".to_owned())));
    assert_eq!(keys.retire("b"), Err(KeyError::InUse("b".to_owned())));
    assert_eq!(keys.retire("a"), Ok(()));
    assert!(!keys.jwks().verifier().verify(b"text", &old));
    assert_eq!(keys.retire("a"), Err(KeyError::Unknown("a".to_owned())));
}

#[test]
fn a_key_file_reads_back() {
    let mut keys = KeySet::generate("a", AT, &SystemRandom::new()).unwrap();
    keys.announce("b", "2026-02-01T00:00:00Z", &SystemRandom::new()).unwrap();
    keys.promote("b").unwrap();
    let read = KeySet::from_json(&keys.to_json()).unwrap();
    assert_eq!(read.jwks(), keys.jwks());
    assert_eq!(read.to_json(), keys.to_json());
    assert_eq!(read.current().created_at(), "2026-02-01T00:00:00Z");
}

#[test]
fn bad_key_files_are_refused_without_quoting_them() {
    let secret = "c2VjcmV0";
    let entry =
        |kid: &str, seed: &str| format!(r#"{{"kid":"{kid}","seed":"{seed}","created_at":"{AT}"}}"#);
    let good = URL_SAFE_NO_PAD.encode([1; 32]);
    let twice = format!("{},{}", entry("a", &good), entry("a", &good));
    let many: Vec<String> = (0..65).map(|n| entry(&format!("k{n}"), &good)).collect();
    let cases = [
        (String::new(), KeyError::NotAKeyFile { line: 1, column: 0 }),
        (r#"{"keys":[]}"#.to_owned(), KeyError::Empty),
        (format!(r#"{{"keys":[{}]}}"#, entry("a", secret)), KeyError::BadKey("a".to_owned())),
        (
            format!(r#"{{"keys":[{}]}}"#, entry("a", &format!("{good}="))),
            KeyError::BadKey("a".to_owned()),
        ),
        (format!(r#"{{"keys":[{}]}}"#, entry("", &good)), KeyError::BadName { index: 0 }),
        (format!(r#"{{"keys":[{}]}}"#, entry("a b", &good)), KeyError::BadName { index: 0 }),
        (
            format!(r#"{{"keys":[{}]}}"#, entry(&"k".repeat(65), &good)),
            KeyError::BadName { index: 0 },
        ),
        (format!(r#"{{"keys":[{twice}]}}"#), KeyError::Duplicate("a".to_owned())),
        (format!(r#"{{"keys":[{}]}}"#, many.join(",")), KeyError::TooMany),
    ];
    for (text, error) in cases {
        assert_eq!(KeySet::from_json(&text).unwrap_err(), error, "{text}");
    }
    let error = KeySet::from_json(&format!(r#"{{"keys":"{secret}"}}"#)).unwrap_err();
    assert!(!error.to_string().contains(secret), "{error}");
}

#[test]
fn a_key_file_may_hold_64_keys_with_names_of_64_characters() {
    let seed = URL_SAFE_NO_PAD.encode([1; 32]);
    let entries: Vec<String> = (0..64)
        .map(|n| format!(r#"{{"kid":"{n:0>64}","seed":"{seed}","created_at":"{AT}"}}"#))
        .collect();
    let keys = KeySet::from_json(&format!(r#"{{"keys":[{}]}}"#, entries.join(","))).unwrap();
    assert_eq!(kids(&keys).len(), 64);
}

#[test]
fn debug_shows_no_key() {
    let keys = from_seed(&[7; 32]);
    assert_eq!(
        format!("{keys:?}"),
        r#"KeySet(Ring { current: SigningKey { kid: "k1", .. }, others: [] })"#
    );
}

#[test]
fn a_request_is_signed_as_standard_webhooks_says() {
    let keys = from_seed(&[7; 32]);
    let header = keys.current().sign_webhook("msg_1", 1_700_000_000, b"body");
    let signature = STANDARD.decode(header.strip_prefix("v1a,").unwrap()).unwrap();
    let verifier = keys.jwks().verifier();
    assert!(verifier.verify_bytes(b"msg_1.1700000000.body", &signature));
    assert!(!verifier.verify_bytes(b"msg_1.1700000001.body", &signature));
}

#[test]
fn foreign_keys_in_a_jwks_are_passed_over() {
    let mut jwks = from_seed(&[7; 32]).jwks();
    let signature = from_seed(&[7; 32]).current().sign(b"text");
    let mut foreign = jwks.keys[0].clone();
    foreign.kty = "RSA".to_owned();
    jwks.keys.insert(0, foreign.clone());
    foreign.kty = "OKP".to_owned();
    foreign.x = "not base64url".to_owned();
    jwks.keys.insert(0, foreign);
    assert!(jwks.verifier().verify(b"text", &signature));
    let ours = from_seed(&[7; 32]).jwks().keys.remove(0);
    let other_type = Jwk { kty: "RSA".to_owned(), ..ours.clone() };
    let other_curve = Jwk { crv: "X25519".to_owned(), ..ours };
    for keys in [vec![], vec![other_type], vec![other_curve]] {
        let jwks = Jwks { keys };
        assert!(!jwks.verifier().verify(b"text", &signature), "{jwks:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_altered_byte_is_noticed(
        message in prop::collection::vec(any::<u8>(), 1..200),
        at in any::<prop::sample::Index>(),
        flip in 1_u8..,
    ) {
        let keys = from_seed(&[7; 32]);
        let verifier = keys.jwks().verifier();
        let signature = keys.current().sign(&message);
        prop_assert!(verifier.verify(&message, &signature));
        let mut altered = message.clone();
        altered[at.index(message.len())] ^= flip;
        prop_assert!(!verifier.verify(&altered, &signature));
        let mut bytes = URL_SAFE_NO_PAD.decode(&signature).unwrap();
        bytes[at.index(64)] ^= flip;
        prop_assert!(!verifier.verify_bytes(&message, &bytes));
    }

    #[test]
    fn splitting_any_text_never_fails_badly(text in any::<String>()) {
        let _ = line::split(&text);
        let _ = line::split(&format!("{{{text},\"sig\":\"{text}\"}}"));
    }
}

fn from_seed(seed: &[u8]) -> KeySet {
    let seed = URL_SAFE_NO_PAD.encode(seed);
    KeySet::from_json(&format!(
        r#"{{"keys":[{{"kid":"k1","seed":"{seed}","created_at":"{AT}"}}]}}"#
    ))
    .unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

#[test]
fn a_document_is_signed_with_its_type_and_opens_only_as_that() {
    let keys = KeySet::generate("k1", "2026-01-01T00:00:00Z", &SystemRandom::new()).unwrap();
    let verifier = keys.jwks().verifier();
    let jws = keys.current().sign_jws("report+json", br#"{"events":7}"#);
    assert_eq!(verifier.open_jws("report+json", &jws).unwrap(), br#"{"events":7}"#);
    assert_eq!(verifier.open_jws("other+json", &jws), None);
    let other = KeySet::generate("k1", "2026-01-01T00:00:00Z", &SystemRandom::new()).unwrap();
    assert_eq!(other.jwks().verifier().open_jws("report+json", &jws), None);
    let mut parts: Vec<&str> = jws.split('.').collect();
    parts[1] = "eyJldmVudHMiOjh9";
    for forged in [parts.join("."), String::new(), "..".to_owned(), jws.replace('.', "")] {
        assert_eq!(verifier.open_jws("report+json", &forged), None, "{forged}");
    }
}
