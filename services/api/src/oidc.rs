//! Tokens of an identity provider (`OpenID` Connect): checked with the keys that it publishes.
//!
//! The keys are fetched when they are first needed, again every hour, and for a token whose key is
//! not known, but never more often than every five seconds, whatever is sent. While the provider does
//! not answer, the keys that are known go on counting for a day.

mod keys;
mod sign_in;

use auditrelay_api_core::oidc::{Client, Person, Rules, judge};
use auditrelay_model::Timestamp;
use auditrelay_runtime::problem::Problem;
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header};
use serde_json::{Map, Value};

use keys::Keys;

pub(crate) use keys::is_allowed;
pub(crate) use sign_in::{BACK, Challenge, SignIn};

use crate::problems;

/// Signatures with a public key; the others are made with what everybody knows, or not at all.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// One provider.
pub(crate) struct Oidc {
    rules: Rules,
    keys: Keys,
    sign_in: Option<SignIn>,
}

impl Oidc {
    /// Nothing is fetched yet.
    pub(crate) fn new(rules: Rules, client: Option<Client>) -> anyhow::Result<Self> {
        let (http, issuer) = (keys::client()?, rules.issuer.clone());
        let keys = Keys::new(issuer.clone(), http.clone());
        let sign_in = client.map(|client| SignIn::new(client, issuer, http));
        Ok(Self { rules, keys, sign_in })
    }

    /// Where people sign in, if the console may lead them there.
    pub(crate) const fn sign_in(&self) -> Option<&SignIn> {
        self.sign_in.as_ref()
    }

    /// Whether the credential can only be a token of a provider.
    pub(crate) fn is_meant(credential: &str) -> bool {
        credential.split('.').count() == 3
    }

    /// Somebody for whom the provider vouches now; none for a token that does not count.
    pub(crate) async fn verify(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Option<Person>, Problem> {
        self.judged(token, &self.rules, None, now).await
    }

    /// The same for an ID token, which is meant for the console and for one sign-in.
    pub(crate) async fn verify_id(
        &self,
        token: &str,
        nonce: &str,
        now: Timestamp,
    ) -> Result<Option<Person>, Problem> {
        let Some(sign_in) = &self.sign_in else { return Ok(None) };
        let rules = Rules { audience: sign_in.audience().to_owned(), ..self.rules.clone() };
        self.judged(token, &rules, Some(nonce), now).await
    }

    async fn judged(
        &self,
        token: &str,
        rules: &Rules,
        nonce: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<Person>, Problem> {
        let Ok(header) = decode_header(token) else { return Ok(refused("form")) };
        if !ALGORITHMS.contains(&header.alg) {
            return Ok(refused("algorithm"));
        }
        let kid = header.kid.as_deref();
        let found = self.keys.find(kid, header.alg).await;
        let found = found.map_err(|error| problems::no_provider(&error))?;
        let Some(key) = found else { return Ok(refused("key")) };
        let Some(claims) = claims(token, &header, &key) else { return Ok(refused("signature")) };
        if nonce.is_some() && claims.get("nonce").and_then(Value::as_str) != nonce {
            return Ok(refused("nonce"));
        }
        match judge(&claims, rules, now) {
            Ok(person) => Ok(Some(person)),
            Err(why) => Ok(refused(why.name())),
        }
    }
}

/// The claims, if the key made the signature. What they mean is judged elsewhere.
fn claims(
    token: &str,
    header: &Header,
    key: &jsonwebtoken::DecodingKey,
) -> Option<Map<String, Value>> {
    let mut validation = Validation::new(header.alg);
    validation.required_spec_claims.clear();
    (validation.validate_exp, validation.validate_nbf) = (false, false);
    validation.validate_aud = false;
    decode(token, key, &validation).ok().map(|decoded| decoded.claims)
}

fn refused(why: &'static str) -> Option<Person> {
    tracing::info!(why, "a token of an identity provider does not count");
    None
}
