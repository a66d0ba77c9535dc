//! Secrets at rest: AES-256-GCM. The associated data binds a secret to its owner, so that a sealed
//! value copied to another place does not open there.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand::SecureRandom;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use crate::key_file::{self, KeyBytes, KeyError};
use crate::ring::{Named, Ring};

/// A sealed secret, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Which key sealed it.
    pub key_id: String,
    /// Never used twice with one key.
    pub nonce: [u8; NONCE_LEN],
    /// Ciphertext and tag.
    pub ciphertext: Vec<u8>,
}

/// A secret could not be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot seal")]
pub struct SealError;

/// A sealed secret could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The key that sealed it is not in the file.
    #[error("sealed with key {0:?}, which is not among the keys")]
    UnknownKey(String),
    /// Altered, or it belongs elsewhere.
    #[error("altered, or sealed for another place")]
    Refused,
}

/// The sealing keys: the first seals, all open.
#[derive(Debug, Clone)]
pub struct SealingKeys(Ring<SealingKey>);

impl SealingKeys {
    /// One new key.
    pub fn generate(id: &str, random: &dyn SecureRandom) -> Result<Self, KeyError> {
        key_file::check_names([id].into_iter())?;
        Ok(Self(Ring::new(SealingKey::generate(id, random)?)))
    }

    /// Reads `{"keys":[{"id","key"}, …]}`; keys are base64url of 32 bytes.
    pub fn from_json(text: &str) -> Result<Self, KeyError> {
        let file: File = key_file::parse(text)?;
        key_file::check_names(file.keys.iter().map(|entry| entry.id.as_str()))?;
        Ring::collect(
            file.keys
                .iter()
                .map(|entry| SealingKey::new(&entry.id, key_file::decode(&entry.id, &entry.key)?)),
        )
        .map(Self)
    }

    /// Writes what [`SealingKeys::from_json`] reads. The text holds the secrets.
    pub fn to_json(&self) -> Zeroizing<String> {
        let keys: Vec<Entry> = self
            .0
            .all()
            .map(|key| Entry { id: key.id.clone(), key: key_file::encode(&key.bytes) })
            .collect();
        key_file::write(&File { keys }, self.0.len() * 256)
    }

    /// Adds a new key that opens and does not seal yet.
    pub fn announce(&mut self, id: &str, random: &dyn SecureRandom) -> Result<(), KeyError> {
        self.0.announce(id, || SealingKey::generate(id, random))
    }

    /// Seals with this key from here on; the others still open.
    pub fn promote(&mut self, id: &str) -> Result<(), KeyError> {
        self.0.promote(id)
    }

    /// Takes a key away that does not seal: what it sealed can not be opened any more.
    pub fn retire(&mut self, id: &str) -> Result<(), KeyError> {
        self.0.retire(id)
    }

    /// Name of the key that seals.
    pub fn current_id(&self) -> &str {
        &self.0.current().id
    }

    /// Seals with the current key. The nonce must be new: see [`random_nonce`].
    pub fn seal(
        &self,
        plaintext: &[u8],
        associated: &[u8],
        nonce: [u8; NONCE_LEN],
    ) -> Result<Sealed, SealError> {
        // Room for the tag, so that the plaintext is not left behind in an outgrown buffer.
        let mut sealed = Vec::with_capacity(plaintext.len() + AES_256_GCM.tag_len());
        sealed.extend_from_slice(plaintext);
        let place = Nonce::assume_unique_for_key(nonce);
        let current = self.0.current();
        let done =
            current.cipher.seal_in_place_append_tag(place, Aad::from(associated), &mut sealed);
        if done.is_err() {
            sealed.zeroize();
            return Err(SealError);
        }
        Ok(Sealed { key_id: current.id.clone(), nonce, ciphertext: sealed })
    }

    /// Opens what any of the keys sealed for the same associated data.
    pub fn open(
        &self,
        key_id: &str,
        nonce: &[u8],
        ciphertext: &[u8],
        associated: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let key = self
            .0
            .all()
            .find(|key| key.id == key_id)
            .ok_or_else(|| OpenError::UnknownKey(key_id.to_owned()))?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| OpenError::Refused)?;
        let mut buffer = Zeroizing::new(ciphertext.to_vec());
        let length = key
            .cipher
            .open_in_place(nonce, Aad::from(associated), &mut buffer)
            .map_err(|_| OpenError::Refused)?
            .len();
        buffer.truncate(length);
        Ok(buffer)
    }

    /// Like [`SealingKeys::open`], for secrets that are texts.
    pub fn open_text(
        &self,
        key_id: &str,
        nonce: &[u8],
        ciphertext: &[u8],
        associated: &[u8],
    ) -> Result<Zeroizing<String>, OpenError> {
        let mut opened = self.open(key_id, nonce, ciphertext, associated)?;
        match String::from_utf8(std::mem::take(&mut *opened)) {
            Ok(text) => Ok(Zeroizing::new(text)),
            Err(error) => {
                error.into_bytes().zeroize();
                Err(OpenError::Refused)
            }
        }
    }
}

/// A nonce for [`SealingKeys::seal`]: 96 random bits are safe for billions of secrets a key.
pub fn random_nonce(random: &dyn SecureRandom) -> Result<[u8; NONCE_LEN], KeyError> {
    let mut nonce = [0; NONCE_LEN];
    random.fill(&mut nonce).map_err(|_| KeyError::NoRandomness)?;
    Ok(nonce)
}

#[derive(Clone)]
struct SealingKey {
    id: String,
    bytes: KeyBytes,
    cipher: Arc<LessSafeKey>,
}

impl Named for SealingKey {
    fn name(&self) -> &str {
        &self.id
    }
}

impl SealingKey {
    fn generate(id: &str, random: &dyn SecureRandom) -> Result<Self, KeyError> {
        Self::new(id, key_file::random_key(random)?)
    }

    fn new(id: &str, bytes: KeyBytes) -> Result<Self, KeyError> {
        let unbound =
            UnboundKey::new(&AES_256_GCM, &*bytes).map_err(|_| KeyError::BadKey(id.to_owned()))?;
        Ok(Self { id: id.to_owned(), bytes, cipher: Arc::new(LessSafeKey::new(unbound)) })
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealingKey").field("id", &self.id).finish_non_exhaustive()
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
    id: String,
    key: String,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}
