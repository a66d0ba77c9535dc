//! The public keys that lines are checked with, fetched when they are first needed and again
//! when a signature does not hold: the key may have been rotated meanwhile.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use auditrelay_signing::{Jwks, Verifier, line};
use tokio::time::Instant;
use url::Url;

/// What a line's signature is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signature {
    /// It holds.
    Verified,
    /// It is missing or made with another key.
    Wrong,
    /// Nobody looked.
    Unchecked,
}

const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
const FETCH_PAUSE: Duration = Duration::from_secs(2);
const JWKS_MAX: usize = 64 * 1024;

/// Verifies against a JWKS.
#[derive(Debug)]
pub(crate) struct Keys {
    source: Url,
    http: reqwest::Client,
    held: Mutex<Option<Held>>,
}

#[derive(Clone)]
struct Held {
    verifier: Arc<Verifier>,
    fetched: Instant,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
    }
}

impl Keys {
    /// Keys that are published at `source`.
    pub(crate) fn at(source: Url) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .timeout(FETCH_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self { source, http, held: Mutex::new(None) })
    }

    /// One verdict a line; an error when no keys can be had.
    pub(crate) async fn verify(&self, lines: &[String]) -> Result<Vec<Signature>, String> {
        let held = match self.held() {
            Some(held) => held,
            None => self.fetch().await?,
        };
        let verdicts = check(&held.verifier, lines);
        let stale = held.fetched.elapsed() > FETCH_PAUSE;
        if stale && verdicts.contains(&Signature::Wrong) {
            let fresh = self.fetch().await?;
            return Ok(check(&fresh.verifier, lines));
        }
        Ok(verdicts)
    }

    /// The keys as they are published now.
    pub(crate) async fn verifier(&self) -> Result<Arc<Verifier>, String> {
        Ok(self.fetch().await?.verifier)
    }

    fn held(&self) -> Option<Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn fetch(&self) -> Result<Held, String> {
        let text = self.download().await?;
        let jwks: Jwks = serde_json::from_str(&text)
            .map_err(|error| format!("{} is not a JWKS: {error}", self.source))?;
        let held = Held { verifier: Arc::new(jwks.verifier()), fetched: Instant::now() };
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(held.clone());
        Ok(held)
    }

    async fn download(&self) -> Result<String, String> {
        let failed = |error: reqwest::Error| error.without_url().to_string();
        let response = self.http.get(self.source.clone()).send().await.map_err(failed)?;
        let mut response = response.error_for_status().map_err(failed)?;
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if bytes.len() + chunk.len() > JWKS_MAX {
                return Err(format!("{} is too long for a JWKS", self.source));
            }
            bytes.extend_from_slice(&chunk);
        }
        String::from_utf8(bytes).map_err(|error| error.to_string())
    }
}

fn check(verifier: &Verifier, lines: &[String]) -> Vec<Signature> {
    let one = |text: &String| match line::split(text) {
        Some((signed, signature)) if verifier.verify(signed.as_bytes(), signature) => {
            Signature::Verified
        }
        _ => Signature::Wrong,
    };
    lines.iter().map(one).collect()
}
