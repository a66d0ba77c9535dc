//! Signing in at the provider (authorization code with PKCE): where a browser is led to, and what
//! the code that it comes back with is worth.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use auditrelay_api_core::oidc::Client;
use auditrelay_api_core::query::Query;
use auditrelay_model::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::keys::{document, is_allowed};

/// Where the provider is found is asked for again after this time.
const FRESH: Duration = Duration::from_hours(1);
/// It is asked at most this often, whoever wants to sign in.
const ASK_AGAIN: Duration = Duration::from_secs(5);
/// Where the provider sends browsers back to.
pub(crate) const BACK: &str = "/console/sign-in/callback";

/// Texts that only the browser that begins and the provider know.
pub(crate) struct Challenge<'a> {
    pub(crate) state: &'a str,
    pub(crate) nonce: &'a str,
    pub(crate) verifier: &'a str,
}

/// Where the provider is asked.
#[derive(Clone, Deserialize)]
struct Endpoints {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
}

/// One client at one provider.
pub(crate) struct SignIn {
    client: Client,
    issuer: String,
    http: reqwest::Client,
    known: RwLock<Option<(Instant, Endpoints)>>,
    asked: Mutex<Option<Instant>>,
}

impl SignIn {
    pub(super) fn new(client: Client, issuer: String, http: reqwest::Client) -> Self {
        let (known, asked) = (RwLock::default(), Mutex::default());
        Self { client, issuer, http, known, asked }
    }

    /// Whom ID tokens must be meant for.
    pub(super) fn audience(&self) -> &str {
        &self.client.id
    }

    /// Whether browsers reach the console over https.
    pub(crate) fn is_secure(&self) -> bool {
        self.client.public_url.starts_with("https://")
    }

    fn back(&self) -> String {
        format!("{}{BACK}", self.client.public_url)
    }

    /// Where to lead a browser.
    pub(crate) async fn begin(&self, challenge: &Challenge<'_>) -> anyhow::Result<String> {
        let endpoint = self.endpoints().await?.authorization_endpoint;
        let proof = URL_SAFE_NO_PAD.encode(Sha256::digest(challenge.verifier));
        let query = Query::parse(None).with(
            &[],
            &[
                ("response_type", "code"),
                ("client_id", &self.client.id),
                ("redirect_uri", &self.back()),
                ("scope", "openid profile email"),
                ("state", challenge.state),
                ("nonce", challenge.nonce),
                ("code_challenge", &proof),
                ("code_challenge_method", "S256"),
            ],
        );
        let joint = if endpoint.contains('?') { '&' } else { '?' };
        Ok(format!("{endpoint}{joint}{query}"))
    }

    /// The ID token that a code is worth; none if the provider does not take the code.
    pub(crate) async fn redeem(
        &self,
        code: &str,
        verifier: &str,
    ) -> anyhow::Result<Option<String>> {
        let endpoint = self.endpoints().await?.token_endpoint;
        let back = self.back();
        let body = Query::parse(None).with(
            &[],
            &[
                ("grant_type", "authorization_code"),
                ("code", code),
                ("redirect_uri", &back),
                ("client_id", &self.client.id),
                ("code_verifier", verifier),
            ],
        );
        let request = self.http.post(endpoint).body(body).header(ACCEPT, "application/json");
        let mut request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(secret) = &self.client.secret {
            request = request.header(AUTHORIZATION, basic(&self.client.id, secret));
        }
        let response = request.send().await?;
        if response.status().is_client_error() {
            tracing::info!(status = %response.status(), "the identity provider takes no such code");
            return Ok(None);
        }
        ensure!(response.status().is_success(), "answered {}", response.status());
        let answer = document(response).await?;
        Ok(answer.get("id_token").and_then(Value::as_str).map(ToOwned::to_owned))
    }

    async fn endpoints(&self) -> anyhow::Result<Endpoints> {
        let mut asked = self.asked.lock().await;
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, endpoints)) = known
            && at.elapsed() < FRESH
        {
            return Ok(endpoints);
        }
        let soon = asked.is_some_and(|at| at.elapsed() < ASK_AGAIN);
        ensure!(!soon, "asked a moment ago without success");
        *asked = Some(Instant::now());
        let endpoints = self.discover().await.context("its configuration")?;
        *self.known.write().unwrap_or_else(PoisonError::into_inner) =
            Some((Instant::now(), endpoints.clone()));
        Ok(endpoints)
    }

    async fn discover(&self) -> anyhow::Result<Endpoints> {
        let base = self.issuer.trim_end_matches('/');
        let url = format!("{base}/.well-known/openid-configuration");
        let response = self.http.get(url).send().await?;
        ensure!(response.status() == http::StatusCode::OK, "answered {}", response.status());
        let endpoints: Endpoints = serde_json::from_value(document(response).await?)?;
        ensure!(endpoints.issuer == self.issuer, "it calls itself {}", endpoints.issuer);
        for url in [&endpoints.authorization_endpoint, &endpoints.token_endpoint] {
            ensure!(is_allowed(url), "an endpoint of it is not behind https");
        }
        Ok(endpoints)
    }
}

/// RFC 6749, 2.3.1: both are encoded as in a form first.
fn basic(id: &str, secret: &Secret) -> String {
    let encoded = |text: &str| {
        let pair = Query::parse(None).with(&[], &[("", text)]);
        pair.trim_start_matches('=').to_owned()
    };
    let pair = format!("{}:{}", encoded(id), encoded(secret.expose()));
    format!("Basic {}", STANDARD.encode(pair))
}
