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

/// The signing keys, the current one first. Older ones stay published until everything they signed
/// has been checked.
#[derive(Debug, Clone)]
pub struct KeySet {
    current: SigningKey,
    older: Vec<SigningKey>,
}

impl KeySet {
    /// A set with one new key. `created_at` is kept as given: RFC 3339 for people to read.
    pub fn generate(
        kid: &str,
        created_at: &str,
        random: &dyn SecureRandom,
    ) -> Result<Self, KeyError> {
        key_file::check_names([kid].into_iter())?;
        let seed = key_file::random_key(random)?;
        let current = SigningKey::from_seed(kid, created_at, seed)?;
        Ok(Self { current, older: Vec::new() })
    }

    /// Reads `{"keys":[{"kid","seed","created_at"}, …]}`; seeds are base64url of 32 bytes.
    pub fn from_json(text: &str) -> Result<Self, KeyError> {
        let file: File = key_file::parse(text)?;
        key_file::check_names(file.keys.iter().map(|entry| entry.kid.as_str()))?;
        let mut keys = file.keys.iter().map(|entry| {
            let seed = key_file::decode(&entry.kid, &entry.seed)?;
            SigningKey::from_seed(&entry.kid, &entry.created_at, seed)
        });
        let current = keys.next().ok_or(KeyError::Empty)??;
        Ok(Self { current, older: keys.collect::<Result<_, _>>()? })
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
        key_file::write(&File { keys }, (1 + self.older.len()) * 512)
    }

    /// The key that signs.
    pub const fn current(&self) -> &SigningKey {
        &self.current
    }

    /// All keys, the current one first.
    pub fn keys(&self) -> impl Iterator<Item = &SigningKey> {
        std::iter::once(&self.current).chain(&self.older)
    }

    /// Puts a new key first. What the old one signed still verifies.
    pub fn rotate(
        &mut self,
        kid: &str,
        created_at: &str,
        random: &dyn SecureRandom,
    ) -> Result<(), KeyError> {
        key_file::check_names([kid].into_iter().chain(self.keys().map(SigningKey::kid)))?;
        let new = SigningKey::from_seed(kid, created_at, key_file::random_key(random)?)?;
        self.older.insert(0, std::mem::replace(&mut self.current, new));
        Ok(())
    }

    /// Takes an older key away; false when there is none of that name.
    pub fn retire(&mut self, kid: &str) -> Result<bool, KeyError> {
        if self.current.kid == kid {
            return Err(KeyError::InUse(kid.to_owned()));
        }
        let before = self.older.len();
        self.older.retain(|key| key.kid != kid);
        Ok(self.older.len() < before)
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

impl SigningKey {
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
