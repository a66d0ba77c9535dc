//! Public keys, and checking with them.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// A JSON Web Key Set (RFC 7517) of Ed25519 keys (RFC 8037).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwks {
    /// The key in use first.
    pub keys: Vec<Jwk>,
}

impl Jwks {
    /// Checks signatures with these keys; keys of other kinds are passed over.
    pub fn verifier(&self) -> Verifier {
        Verifier { keys: self.keys.iter().filter_map(Jwk::public_key).collect() }
    }
}

/// One public key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    /// Key type: `OKP`.
    pub kty: String,
    /// Algorithm: `EdDSA`.
    pub alg: String,
    /// What the key is for: `sig`.
    #[serde(rename = "use")]
    pub usage: String,
    /// Its name.
    pub kid: String,
    /// Curve: `Ed25519`.
    pub crv: String,
    /// The public key: base64url without padding, 43 characters.
    pub x: String,
}

impl Jwk {
    pub(crate) fn ed25519(kid: &str, public_key: &[u8]) -> Self {
        Self {
            kty: "OKP".to_owned(),
            alg: "EdDSA".to_owned(),
            usage: "sig".to_owned(),
            kid: kid.to_owned(),
            crv: "Ed25519".to_owned(),
            x: URL_SAFE_NO_PAD.encode(public_key),
        }
    }

    fn public_key(&self) -> Option<Vec<u8>> {
        if self.kty != "OKP" || self.crv != "Ed25519" {
            return None;
        }
        URL_SAFE_NO_PAD.decode(&self.x).ok().filter(|key| key.len() == 32)
    }
}

/// Checks signatures as a receiver does.
#[derive(Debug, Clone)]
pub struct Verifier {
    keys: Vec<Vec<u8>>,
}

impl Verifier {
    /// Whether one of the keys made the signature (base64url without padding). Lines do not name
    /// their key, so all are tried.
    pub fn verify(&self, message: &[u8], signature: &str) -> bool {
        URL_SAFE_NO_PAD.decode(signature).is_ok_and(|bytes| self.verify_bytes(message, &bytes))
    }

    /// The payload of a compact JWS of this type that one of the keys signed with `EdDSA`.
    pub fn open_jws(&self, typ: &str, jws: &str) -> Option<Vec<u8>> {
        let (signed, signature) = jws.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        let header: serde_json::Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        let says = |name: &str, text: &str| header.get(name).is_some_and(|value| value == text);
        let is_ours = says("alg", "EdDSA") && says("typ", typ);
        let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
        (is_ours && self.verify(signed.as_bytes(), signature)).then_some(payload)
    }

    /// Like [`Verifier::verify`], on the signature's 64 bytes.
    pub fn verify_bytes(&self, message: &[u8], signature: &[u8]) -> bool {
        self.keys
            .iter()
            .any(|key| UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok())
    }
}
