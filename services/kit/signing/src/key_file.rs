//! What both kinds of key files have in common: named 32-byte keys in JSON, the current one first.

use std::collections::BTreeSet;

use aws_lc_rs::rand::SecureRandom;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

/// Keys of both kinds have this many bytes.
pub(crate) const KEY_LEN: usize = 32;
/// More keys than any rotation leaves behind.
const KEYS_MAX: usize = 64;
const NAME_LEN_MAX: usize = 64;

/// A key file is not in order. Messages never quote the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not the JSON of a key file.
    #[error("not a key file: line {line}, column {column}")]
    NotAKeyFile {
        /// Line of the first mistake.
        line: usize,
        /// Column of the first mistake.
        column: usize,
    },
    /// A file needs a current key.
    #[error("no key")]
    Empty,
    /// More keys than a file may hold.
    #[error("more than {KEYS_MAX} keys")]
    TooMany,
    /// Names are 1 to 64 characters of `A-Z a-z 0-9 . _ -`.
    #[error("key {index}: the name is not 1 to {NAME_LEN_MAX} letters, digits, '.', '_' or '-'")]
    BadName {
        /// Place in the file, from 0.
        index: usize,
    },
    /// Two keys of one name.
    #[error("key {0:?} is there twice")]
    Duplicate(String),
    /// Not base64url of 32 bytes without padding.
    #[error("key {0:?} is not 32 bytes in base64url without padding")]
    BadKey(String),
    /// No key of this name.
    #[error("key {0:?} is not in the file")]
    Unknown(String),
    /// The key in use cannot be taken away.
    #[error("key {0:?} is in use")]
    InUse(String),
    /// The system gave no randomness.
    #[error("no randomness")]
    NoRandomness,
}

pub(crate) type KeyBytes = Zeroizing<[u8; KEY_LEN]>;

pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, KeyError> {
    // serde_json's own message may quote a value, and values are secrets.
    serde_json::from_str(text)
        .map_err(|error| KeyError::NotAKeyFile { line: error.line(), column: error.column() })
}

/// `capacity` keeps the writer from leaving copies of the keys in outgrown buffers.
pub(crate) fn write<T: Serialize>(file: &T, capacity: usize) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
    // Strings into a vector: neither can fail.
    let _ = serde_json::to_writer(&mut *bytes, file);
    Zeroizing::new(String::from_utf8(std::mem::take(&mut *bytes)).unwrap_or_default())
}

pub(crate) fn decode(name: &str, text: &str) -> Result<KeyBytes, KeyError> {
    let bad = || KeyError::BadKey(name.to_owned());
    let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).map_err(|_| bad())?);
    let mut key = Zeroizing::new([0; KEY_LEN]);
    if bytes.len() != KEY_LEN {
        return Err(bad());
    }
    key.copy_from_slice(&bytes);
    Ok(key)
}

pub(crate) fn encode(key: &KeyBytes) -> String {
    URL_SAFE_NO_PAD.encode(**key)
}

pub(crate) fn random_key(random: &dyn SecureRandom) -> Result<KeyBytes, KeyError> {
    let mut key = Zeroizing::new([0; KEY_LEN]);
    random.fill(&mut *key).map_err(|_| KeyError::NoRandomness)?;
    Ok(key)
}

pub(crate) fn check_names<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), KeyError> {
    let mut seen = BTreeSet::new();
    for (index, name) in names.enumerate() {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if name.is_empty() || name.len() > NAME_LEN_MAX || !name.bytes().all(allowed) {
            return Err(KeyError::BadName { index });
        }
        if !seen.insert(name) {
            return Err(KeyError::Duplicate(name.to_owned()));
        }
        if seen.len() > KEYS_MAX {
            return Err(KeyError::TooMany);
        }
    }
    if seen.is_empty() { Err(KeyError::Empty) } else { Ok(()) }
}
