//! The keys that sign lines and requests: Ed25519, made from 32-byte seeds.

use std::fmt;

use aws_lc_rs::rand::SecureRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use crate::jwks::{Jwk, Jwks};
use crate::key_file::{self, KeyBytes, KeyError};
use crate::ring::{Named, Ring};

/// The signing keys, the current one first. The others stay published: older ones until everything
/// they signed has been checked, announced ones so that receivers know them before they sign.
#[derive(Debug, Clone)]
pub struct KeySet(Ring<SigningKey>);

impl KeySet {
    /// A set with one new key. `created_at` is kept as given: RFC 3339 for people to read.
    pub fn generate(
        kid: &str,
        created_at: &str,
        random: &dyn SecureRandom,
    ) -> Result<Self, KeyError> {
        key_file::check_names([kid].into_iter())?;
        Ok(Self(Ring::new(SigningKey::generate(kid, created_at, random)?)))
    }

    /// Reads `{"keys":[{"kid","seed","created_at"}, …]}`; seeds are base64url of 32 bytes.
    pub fn from_json(text: &str) -> Result<Self, KeyError> {
        let file: File = key_file::parse(text)?;
        key_file::check_names(file.keys.iter().map(|entry| entry.kid.as_str()))?;
        Ring::collect(file.keys.iter().map(|entry| {
            let seed = key_file::decode(&entry.kid, &entry.seed)?;
            SigningKey::from_seed(&entry.kid, &entry.created_at, seed)
        }))
        .map(Self)
    }

    /// Writes what [`KeySet::from_json`] reads. The text holds the secrets.
    pub fn to_json(&self) -> Zeroizing<String> {
        let keys: Vec<Entry> = self
            .keys()
            .map(|key| Entry {
                kid: key.kid.clone(),
                seed: key_file::encode(&key.seed),
                created_at: key.created_at.clone(),
            })
            .collect();
        key_file::write(&File { keys }, self.0.len() * 512)
    }

    /// The key that signs.
    pub const fn current(&self) -> &SigningKey {
        self.0.current()
    }

    /// All keys, the current one first.
    pub fn keys(&self) -> impl Iterator<Item = &SigningKey> {
        self.0.all()
    }

    /// Adds a new key that is published and does not sign yet.
    pub fn announce(
        &mut self,
        kid: &str,
        created_at: &str,
        random: &dyn SecureRandom,
    ) -> Result<(), KeyError> {
        self.0.announce(kid, || SigningKey::generate(kid, created_at, random))
    }

    /// Signs with this key from here on. What others signed still verifies.
    pub fn promote(&mut self, kid: &str) -> Result<(), KeyError> {
        self.0.promote(kid)
    }

    /// Takes a key away that does not sign: what it signed verifies no more.
    pub fn retire(&mut self, kid: &str) -> Result<(), KeyError> {
        self.0.retire(kid)
    }

    /// The public halves, for receivers; the current one first, because some look at no other.
    pub fn jwks(&self) -> Jwks {
        Jwks { keys: self.keys().map(SigningKey::jwk).collect() }
    }
}

/// One key pair.
#[derive(Clone)]
pub struct SigningKey {
    kid: String,
    created_at: String,
    seed: KeyBytes,
    pair: std::sync::Arc<Ed25519KeyPair>,
}

impl Named for SigningKey {
    fn name(&self) -> &str {
        &self.kid
    }
}

impl SigningKey {
    fn generate(kid: &str, created_at: &str, random: &dyn SecureRandom) -> Result<Self, KeyError> {
        Self::from_seed(kid, created_at, key_file::random_key(random)?)
    }

    fn from_seed(kid: &str, created_at: &str, seed: KeyBytes) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&*seed)
            .map_err(|_| KeyError::BadKey(kid.to_owned()))?;
        Ok(Self {
            kid: kid.to_owned(),
            created_at: created_at.to_owned(),
            seed,
            pair: std::sync::Arc::new(pair),
        })
    }

    /// Its name in the JWKS.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// When it was made, as the file says.
    pub fn created_at(&self) -> &str {
        &self.created_at
    }

    /// Signs a line: base64url without padding, 86 characters.
    pub fn sign(&self, message: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(self.pair.sign(message))
    }

    /// Signs a request as Standard Webhooks says: the value of `webhook-signature` over
    /// `<id>.<timestamp>.<body>`, base64 with padding.
    pub fn sign_webhook(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut message = format!("{id}.{timestamp}.").into_bytes();
        message.extend_from_slice(body);
        format!("v1a,{}", STANDARD.encode(self.pair.sign(&message)))
    }

    /// Signs a document as a compact JWS (RFC 7515) of this type: `header.payload.signature`.
    pub fn sign_jws(&self, typ: &str, payload: &[u8]) -> String {
        let header = serde_json::json!({ "alg": "EdDSA", "kid": self.kid, "typ": typ });
        let header = URL_SAFE_NO_PAD.encode(header.to_string());
        let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(payload));
        format!("{signed}.{}", self.sign(signed.as_bytes()))
    }

    /// The public half.
    pub fn jwk(&self) -> Jwk {
        Jwk::ed25519(&self.kid, self.pair.public_key().as_ref())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    keys: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    kid: String,
    seed: String,
    created_at: String,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.seed.zeroize();
    }
}
