//! Sealing: a known vector, tampering, rotation, the key file.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::collections::BTreeSet;

use auditrelay_signing::{KeyError, OpenError, SealingKeys, SystemRandom, random_nonce};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

#[test]
fn the_known_vector_of_aes_256_gcm_is_reproduced() {
    // The GCM specification (McGrew, Viega), test case 16.
    let keys = from_key(&hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"));
    let plaintext = hex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
         1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39");
    let associated = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
    let nonce: [u8; 12] = hex("cafebabefacedbaddecaf888").try_into().unwrap();
    let sealed = keys.seal(&plaintext, &associated, nonce).unwrap();
    assert_eq!(
        sealed.ciphertext,
        hex("522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa\
             8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662\
             76fc6ece0f4e1768cddf8853bb2d551b")
    );
    let opened = keys.open("k1", &nonce, &sealed.ciphertext, &associated).unwrap();
    assert_eq!(*opened, plaintext);
}

#[test]
fn a_secret_opens_only_as_it_was_sealed() {
    let keys = SealingKeys::generate("k1", &SystemRandom::new()).unwrap();
    let nonce = random_nonce(&SystemRandom::new()).unwrap();
    let sealed = keys.seal(b"Bearer abc", b"destination 1", nonce).unwrap();
    let open = |nonce: &[u8], ciphertext: &[u8], associated: &[u8]| {
        keys.open_text("k1", nonce, ciphertext, associated).map(|text| (*text).clone())
    };
    assert_eq!(open(&nonce, &sealed.ciphertext, b"destination 1"), Ok("Bearer abc".to_owned()));
    assert_eq!(open(&nonce, &sealed.ciphertext, b"destination 2"), Err(OpenError::Refused));
    assert_eq!(open(&[0; 12], &sealed.ciphertext, b"destination 1"), Err(OpenError::Refused));
    assert_eq!(open(&[0; 11], &sealed.ciphertext, b"destination 1"), Err(OpenError::Refused));
    assert_eq!(open(&nonce, b"", b"destination 1"), Err(OpenError::Refused));
    for at in 0..sealed.ciphertext.len() {
        let mut altered = sealed.ciphertext.clone();
        altered[at] ^= 1;
        assert_eq!(open(&nonce, &altered, b"destination 1"), Err(OpenError::Refused));
    }
}

#[test]
fn no_two_nonces_are_the_same() {
    let nonces: BTreeSet<_> =
        (0..1_000).map(|_| random_nonce(&SystemRandom::new()).unwrap()).collect();
    assert_eq!(nonces.len(), 1_000);
}

#[test]
fn older_keys_open_and_the_newest_seals() {
    let mut keys = SealingKeys::generate("a", &SystemRandom::new()).unwrap();
    let old = keys.seal(b"x", b"", [1; 12]).unwrap();
    keys.announce("b", &SystemRandom::new()).unwrap();
    let announced = SealingKeys::from_json(&keys.to_json()).unwrap();
    assert_eq!(announced.current_id(), "a");
    keys.promote("b").unwrap();
    let new = keys.seal(b"new", b"", [2; 12]).unwrap();
    assert_eq!(*announced.open("b", &new.nonce, &new.ciphertext, b"").unwrap(), b"new");
    assert_eq!(keys.current_id(), "b");
    assert_eq!(keys.seal(b"x", b"", [1; 12]).unwrap().key_id, "b");
    let read = SealingKeys::from_json(&keys.to_json()).unwrap();
    assert_eq!(*read.open(&old.key_id, &old.nonce, &old.ciphertext, b"").unwrap(), b"x");
    assert_eq!(
        read.open("c", &old.nonce, &old.ciphertext, b"").unwrap_err(),
        OpenError::UnknownKey("c".to_owned())
    );
    let again = keys.announce("a", &SystemRandom::new());
    assert_eq!(again, Err(KeyError::Duplicate("a".to_owned())));
    assert_eq!(keys.retire("b"), Err(KeyError::InUse("b".to_owned())));
    keys.retire("a").unwrap();
    assert!(keys.open(&old.key_id, &old.nonce, &old.ciphertext, b"").is_err());
}

#[test]
fn debug_shows_no_key() {
    assert_eq!(
        format!("{:?}", from_key(&[7; 32])),
        r#"SealingKeys(Ring { current: SealingKey { id: "k1", .. }, others: [] })"#
    );
}

fn from_key(key: &[u8]) -> SealingKeys {
    let key = URL_SAFE_NO_PAD.encode(key);
    SealingKeys::from_json(&format!(r#"{{"keys":[{{"id":"k1","key":"{key}"}}]}}"#)).unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}
