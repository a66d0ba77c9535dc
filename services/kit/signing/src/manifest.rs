//! What one delivery held, signed: by it a receiver's archive proves that nothing is missing.
//!
//! A manifest is a JWS in compact form (RFC 7515, `EdDSA`, the key named by `kid`): any JOSE
//! library checks it with the published JWKS. Its payload names the log, the first and the last
//! event with their places, how many there are, a digest over their ids, in order, and the digest
//! that ends the chain of everything before.

use std::fmt::Write as _;

use aws_lc_rs::digest::{self, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::jwks::Verifier;
use crate::key_set::SigningKey;

const TYPE: &str = "auditrelay-manifest+jws";
const ALGORITHM: &str = "EdDSA";

/// What one delivery held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Which request, and whose log.
    #[serde(flatten)]
    pub delivery: Delivery,
    /// Place of the first event.
    pub first: Place,
    /// Place of the last event.
    pub last: Place,
    /// How many events.
    pub count: u64,
    /// Over the events' ids, as [`digest_of`] makes it.
    pub digest: String,
    /// How the log's chain of records stood before its last record here; none for the first of an
    /// epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<Link>,
}

/// What a log held before an event: whoever alters any of it needs another digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Of the first event that it does not cover.
    pub before: Place,
    /// SHA-256 in hexadecimal of the last record that it covers, which names the one before it so.
    pub digest: String,
}

/// Which request a manifest is about, and whose log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The request's `webhook-id`.
    #[serde(rename = "delivery")]
    pub id: String,
    /// The organization.
    pub org_id: String,
    /// The portal whose log it is; none for the organization's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub portal_id: Option<String>,
    /// The replay job that sent it; none for live delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// When it was written, in Unix seconds.
    pub sent_at: i64,
}

/// Where an event stands in its log.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Place {
    /// The life of the chain.
    pub epoch: u64,
    /// The event's number in it.
    pub number: u64,
}

/// A text is not a manifest that one of the keys signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not a JWS that speaks of a delivery.
    #[error("not a manifest")]
    Malformed,
    /// None of the keys made the signature.
    #[error("the signature does not hold")]
    Forged,
}

impl Manifest {
    /// Reads a manifest and checks its signature.
    pub fn verify(text: &str, keys: &Verifier) -> Result<Self, ManifestError> {
        let (signed, signature) = text.rsplit_once('.').ok_or(ManifestError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(ManifestError::Malformed)?;
        let header: Header = decode(header)?;
        if header.alg != ALGORITHM || header.typ != TYPE {
            return Err(ManifestError::Malformed);
        }
        let manifest = decode(payload)?;
        if keys.verify(signed.as_bytes(), signature) {
            Ok(manifest)
        } else {
            Err(ManifestError::Forged)
        }
    }

    /// Whether a text looks like a manifest, signed by whomever.
    pub fn is_like(text: &str) -> bool {
        let header = text.split_once('.').map(|(header, _)| decode::<Header>(header));
        matches!(header, Some(Ok(header)) if header.typ == TYPE)
    }

    /// Whether it speaks of every event from its first to its last.
    pub const fn is_gapless(&self) -> bool {
        self.first.epoch == self.last.epoch
            && self.last.number.checked_sub(self.first.number).is_some()
            && self.last.number - self.first.number + 1 == self.count
    }
}

/// The digest over event ids: SHA-256 in hexadecimal over each id and a line break, which is what
/// `sha256sum` says of a file with one id a line.
pub fn digest_of(ids: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let mut digest = Digest::default();
    for id in ids {
        digest.add(id.as_ref());
    }
    digest.finish()
}

/// A manifest while its delivery is written.
#[derive(Debug, Default)]
pub struct Writing {
    first: Option<Place>,
    last: Place,
    count: u64,
    digest: Digest,
    chain: Option<Link>,
}

impl Writing {
    /// Takes in the next event: the epoch and number of its place, and its id.
    pub fn event(&mut self, (epoch, number): (u64, u64), id: &str) {
        let place = Place { epoch, number };
        self.first.get_or_insert(place);
        self.last = place;
        self.count += 1;
        self.digest.add(id);
    }

    /// The chain up to the event with this epoch and number ends with this digest.
    pub fn chain(&mut self, (epoch, number): (u64, u64), digest: &[u8]) {
        self.chain = Some(Link { before: Place { epoch, number }, digest: hex(digest) });
    }

    /// The manifest of these events: printable ASCII without spaces.
    pub fn sign(self, key: &SigningKey, delivery: Delivery) -> String {
        let manifest = Manifest {
            delivery,
            first: self.first.unwrap_or(self.last),
            last: self.last,
            count: self.count,
            digest: self.digest.finish(),
            chain: self.chain,
        };
        let header =
            Header { alg: ALGORITHM.to_owned(), kid: key.kid().to_owned(), typ: TYPE.to_owned() };
        let signed = format!("{}.{}", encode(&header), encode(&manifest));
        let signature = key.sign(signed.as_bytes());
        format!("{signed}.{signature}")
    }
}

struct Digest(digest::Context);

impl Default for Digest {
    fn default() -> Self {
        Self(digest::Context::new(&SHA256))
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Digest")
    }
}

impl Digest {
    fn add(&mut self, id: &str) {
        self.0.update(id.as_bytes());
        self.0.update(b"\n");
    }

    fn finish(self) -> String {
        hex(self.0.finish().as_ref())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    kid: String,
    typ: String,
}

/// Texts and numbers: writing them as JSON cannot fail.
fn encode(part: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(part).unwrap_or_default())
}

fn decode<T: serde::de::DeserializeOwned>(part: &str) -> Result<T, ManifestError> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| ManifestError::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| ManifestError::Malformed)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;

    use super::*;
    use crate::key_set::KeySet;

    fn keys() -> KeySet {
        KeySet::generate("k1", "2026-01-01T00:00:00Z", &SystemRandom::new()).unwrap()
    }

    fn delivery() -> Delivery {
        Delivery {
            id: "msg_1".to_owned(),
            org_id: "998db3e4-5cb7-4dd5-b51c-9878096a6999".to_owned(),
            portal_id: None,
            job: None,
            sent_at: 1_750_000_000,
        }
    }

    fn signed(keys: &KeySet) -> String {
        let mut writing = Writing::default();
        for number in 7..10 {
            writing.event((2, number), &format!("id-{number}"));
        }
        writing.chain((2, 8), &[0xa7; 32]);
        writing.sign(keys.current(), delivery())
    }

    #[test]
    fn a_manifest_says_what_was_sent() {
        let keys = keys();
        let text = signed(&keys);
        assert!(text.bytes().all(|byte| byte.is_ascii_graphic()) && text.len() < 1_000);
        assert!(Manifest::is_like(&text) && !Manifest::is_like("a.b.c"));
        let header: Header = decode(text.split('.').next().unwrap()).unwrap();
        assert_eq!((&*header.alg, &*header.kid), ("EdDSA", "k1"), "what JOSE libraries look at");
        let manifest = Manifest::verify(&text, &keys.jwks().verifier()).unwrap();
        let place = |number| Place { epoch: 2, number };
        assert_eq!((manifest.first, manifest.last, manifest.count), (place(7), place(9), 3));
        assert!(manifest.is_gapless());
        let chain = manifest.chain.unwrap();
        assert_eq!((chain.before, chain.digest), (place(8), "a7".repeat(32)));
        assert_eq!(manifest.digest, digest_of(["id-7", "id-8", "id-9"]));
        assert_ne!(manifest.digest, digest_of(["id-8", "id-7", "id-9"]));
        // printf 'id-7\nid-8\nid-9\n' | sha256sum
        let sum = "c4e4cb5d7c3925e096e06da41c3c4411f1baf65cfa546872191e3d32de19e98a";
        assert_eq!(manifest.digest, sum);
        assert_eq!(manifest.delivery, delivery());
    }

    #[test]
    fn a_manifest_with_a_hole_is_told_from_a_whole_one() {
        let keys = keys();
        let whole = Manifest::verify(&signed(&keys), &keys.jwks().verifier()).unwrap();
        let place = |epoch, number| Place { epoch, number };
        for (last, count, gapless) in [
            (place(2, 9), 3, true),
            (place(2, 9), 2, false),
            (place(2, 9), 4, false),
            (place(3, 9), 3, false),
            (place(2, 6), 0, false),
        ] {
            let manifest = Manifest { last, count, ..whole.clone() };
            assert_eq!(manifest.is_gapless(), gapless, "{manifest:?}");
        }
    }

    #[test]
    fn any_changed_character_is_noticed() {
        let keys = keys();
        let (text, verifier) = (signed(&keys), keys.jwks().verifier());
        for at in 0..text.len() {
            let other = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
            let mut altered = text.clone();
            altered.replace_range(at..=at, other);
            assert!(Manifest::verify(&altered, &verifier).is_err(), "{at}: {altered}");
        }
    }

    #[test]
    fn another_key_or_another_kind_of_token_is_refused() {
        let keys = keys();
        let text = signed(&keys);
        let stranger = self::keys().jwks().verifier();
        assert_eq!(Manifest::verify(&text, &stranger), Err(ManifestError::Forged));
        let verifier = keys.jwks().verifier();
        let payload = URL_SAFE_NO_PAD.decode(text.split('.').nth(1).unwrap()).unwrap();
        let report = keys.current().sign_jws("report+json", &payload);
        assert_eq!(Manifest::verify(&report, &verifier), Err(ManifestError::Malformed));
        for wrong in ["", ".", "..", "e30.e30.AA", "eyJhbGciOiJub25lIn0.e30."] {
            assert_eq!(
                Manifest::verify(wrong, &verifier),
                Err(ManifestError::Malformed),
                "{wrong}"
            );
        }
    }
}
