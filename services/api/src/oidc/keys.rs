//! The provider's keys, as they were fetched last.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// One request to the provider, from the dial to the end of the body.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Bytes of a document of the provider.
const DOCUMENT_MAX: usize = 256 * 1024;
/// Keys of a provider; more are not looked at.
const KEYS_MAX: usize = 100;
/// A key that was withdrawn stops counting after this time.
const FRESH: Duration = Duration::from_hours(1);
/// As long as the provider does not answer, keys count for this time.
const STALE: Duration = Duration::from_hours(24);
/// The provider is asked at most this often, whatever anybody sends.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// The keys of one provider.
pub(super) struct Keys {
    issuer: String,
    http: reqwest::Client,
    known: RwLock<Option<Known>>,
    asked: Mutex<Option<Instant>>,
}

#[derive(Clone)]
struct Known {
    at: Instant,
    keys: Arc<Vec<Key>>,
}

struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    decoding: DecodingKey,
}

#[derive(Deserialize)]
struct Discovered {
    issuer: String,
    jwks_uri: String,
}

impl Keys {
    pub(super) fn new(issuer: String, http: reqwest::Client) -> Self {
        Self { issuer, http, known: RwLock::default(), asked: Mutex::default() }
    }

    /// The key by its id, fit for the algorithm; without an id the only one that fits.
    pub(super) async fn find(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> anyhow::Result<Option<DecodingKey>> {
        let known = self.known();
        let found = known.as_ref().and_then(|known| known.find(id, algorithm));
        let fresh = known.as_ref().is_some_and(|known| known.at.elapsed() < FRESH);
        if found.is_some() && fresh {
            return Ok(found);
        }
        match self.fetch_again().await {
            Ok(known) => Ok(known.find(id, algorithm)),
            Err(error) => match known.filter(|known| known.at.elapsed() < STALE) {
                Some(_) => {
                    tracing::warn!(
                        error = format!("{error:#}"),
                        "the identity provider's keys are old"
                    );
                    Ok(found)
                }
                None => Err(error),
            },
        }
    }

    fn known(&self) -> Option<Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Those who wait together are served by one look.
    async fn fetch_again(&self) -> anyhow::Result<Known> {
        let mut asked = self.asked.lock().await;
        if asked.is_some_and(|at| at.elapsed() < ASK_AGAIN) {
            return self.known().context("asked a moment ago without success");
        }
        *asked = Some(Instant::now());
        let keys = Arc::new(self.fetch().await?);
        tracing::info!(
            keys = keys.len(),
            issuer = self.issuer,
            "fetched the identity provider's keys"
        );
        let known = Known { at: Instant::now(), keys };
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(known.clone());
        Ok(known)
    }

    async fn fetch(&self) -> anyhow::Result<Vec<Key>> {
        let base = self.issuer.trim_end_matches('/');
        let discovered = self.get(&format!("{base}/.well-known/openid-configuration")).await?;
        let discovered: Discovered = serde_json::from_value(discovered)?;
        ensure!(discovered.issuer == self.issuer, "it calls itself {}", discovered.issuer);
        ensure!(
            is_allowed(&discovered.jwks_uri) || !is_allowed(&self.issuer),
            "its keys are not behind https"
        );
        let document = self.get(&discovered.jwks_uri).await?;
        let keys = document.get("keys").and_then(Value::as_array).context("no list of keys")?;
        Ok(keys.iter().take(KEYS_MAX).filter_map(usable).collect())
    }

    async fn get(&self, url: &str) -> anyhow::Result<Value> {
        let response = self.http.get(url).send().await?;
        ensure!(response.status() == http::StatusCode::OK, "answered {}", response.status());
        document(response).await
    }
}

/// A document of the provider, if it is not too large.
pub(super) async fn document(mut response: reqwest::Response) -> anyhow::Result<Value> {
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await? {
        body.extend_from_slice(&part);
        if body.len() > DOCUMENT_MAX {
            bail!("a document of more than {DOCUMENT_MAX} bytes");
        }
    }
    Ok(serde_json::from_slice(&body)?)
}

/// What asks the provider: it follows nobody elsewhere, and waits for no answer for ever.
pub(super) fn client() -> anyhow::Result<reqwest::Client> {
    let client = reqwest::Client::builder()
        .timeout(REQUEST_TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy();
    client.build().context("the client for the identity provider")
}

impl Known {
    fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<DecodingKey> {
        let mut fit = self.keys.iter().filter(|key| {
            key.algorithms.contains(&algorithm) && id.is_none_or(|id| key.id.as_deref() == Some(id))
        });
        let found = fit.next()?;
        // Which of several is meant nobody can tell.
        fit.next().is_none().then(|| found.decoding.clone())
    }
}

/// Whether a provider may be reached there: over https, or on this very machine.
pub(crate) fn is_allowed(url: &str) -> bool {
    let Ok(url) = url.parse::<http::Uri>() else { return false };
    let host = url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let here = host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    match url.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => here,
        _ => false,
    }
}

/// A key that signs, and the algorithms that it is for.
fn usable(document: &Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(document.clone()).ok()?;
    if jwk.common.public_key_use.as_ref().is_some_and(|is| *is != PublicKeyUse::Signature) {
        return None;
    }
    let of_kind: &[Algorithm] = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => &super::ALGORITHMS[..6],
        AlgorithmParameters::EllipticCurve(curve) => match curve.curve {
            EllipticCurve::P256 => &[Algorithm::ES256],
            EllipticCurve::P384 => &[Algorithm::ES384],
            _ => return None,
        },
        AlgorithmParameters::OctetKeyPair(_) => &[Algorithm::EdDSA],
        _ => return None,
    };
    // A key may say which algorithm it is for; then it is for no other.
    let said = document.get("alg").and_then(Value::as_str);
    let is_said = |algorithm: &&Algorithm| said.is_none_or(|said| format!("{algorithm:?}") == said);
    let algorithms: Vec<_> = of_kind.iter().filter(is_said).copied().collect();
    let decoding = DecodingKey::from_jwk(&jwk).ok()?;
    (!algorithms.is_empty()).then_some(Key { id: jwk.common.key_id, algorithms, decoding })
}
