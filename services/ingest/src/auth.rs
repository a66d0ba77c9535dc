//! Whose request is it?
//!
//! Tokens are looked up by their SHA-256 in the projected configurations, so no request costs a
//! round trip. An unknown token may have been issued a moment ago on another replica: before it is
//! refused, the projection catches up with the stream, at most ten times a second for all requests
//! together. Who is refused although the token is known is noted for the organization's own log.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use auditrelay_ingest_core::quota::Payer;
use auditrelay_model::Timestamp;
use auditrelay_model::access::{Principal, Reason};
use auditrelay_model::config::OrgConfig;
use auditrelay_model::id::{OrgId, TokenId};
use auditrelay_model::origin::Origin;
use auditrelay_model::token::{Role, Token};
use auditrelay_runtime::http::{Proxies, origin};
use auditrelay_runtime::problem::Problem;
use auditrelay_streams::{AccessLog, ConfigFold, Projection};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

/// Catching up happens at most this often.
const INTERVAL: Duration = Duration::from_millis(100);
/// How long a request waits for the projection.
const PATIENCE: Duration = Duration::from_secs(3);

/// Knows who may send events.
pub(crate) struct Producers {
    projection: Projection<ConfigFold>,
    index: RwLock<Index>,
    caught_up: tokio::sync::Mutex<Option<Instant>>,
    log: AccessLog,
    proxies: Proxies,
}

/// Where each token was found. What it may do is always read from the projection itself.
#[derive(Default)]
struct Index {
    sequence: u64,
    tokens: HashMap<[u8; 32], (OrgId, TokenId)>,
    revoked: HashMap<[u8; 32], (OrgId, TokenId)>,
}

/// Somebody who may send events.
#[derive(Debug, Clone)]
pub(crate) struct Producer {
    pub(crate) org: OrgId,
    pub(crate) token: TokenId,
    pub(crate) config: Arc<OrgConfig>,
}

impl Producer {
    /// Whose quotas its requests use.
    pub(crate) const fn payer(&self) -> Payer {
        Payer { org: self.org, token: self.token }
    }
}

impl Producers {
    pub(crate) fn new(
        projection: Projection<ConfigFold>,
        log: AccessLog,
        proxies: Proxies,
    ) -> Self {
        let caught_up = tokio::sync::Mutex::new(None);
        Self { projection, index: RwLock::default(), caught_up, log, proxies }
    }

    /// The producer that the request's token belongs to.
    pub(crate) async fn authenticate(
        &self,
        head: &Parts,
        now: Timestamp,
    ) -> Result<Producer, Problem> {
        let sha256 = bearer(&head.headers).map(hash).ok_or_else(Problem::unauthorized)?;
        let mut found = self.find(sha256);
        if found.is_none() {
            self.catch_up().await?;
            found = self.find(sha256);
        }
        let Some((producer, token)) = found else {
            if let Some((org, id)) = self.revoked(sha256) {
                self.refused(org, id, "", Reason::TokenRevoked, head);
            }
            return Err(Problem::unauthorized());
        };
        let refuse = |reason| self.refused(producer.org, token.id, &token.name, reason, head);
        if token.expires_at.is_some_and(|end| end <= now) {
            refuse(Reason::TokenExpired);
            return Err(Problem::unauthorized());
        }
        match token.role {
            Role::Producer | Role::Admin => {
                self.log.used(producer.org, token.id);
                Ok(producer)
            }
            Role::Viewer => {
                refuse(Reason::Forbidden);
                Err(Problem::forbidden())
            }
        }
    }

    /// Notes for the organization's own log that a call was refused.
    fn refused(&self, org: OrgId, id: TokenId, name: &str, reason: Reason, head: &Parts) {
        let origin = Origin { principal_name: name.to_owned(), ..origin(head, &self.proxies) };
        self.log.denied(org, Principal::Token(id), reason, &origin);
    }

    fn revoked(&self, sha256: [u8; 32]) -> Option<(OrgId, TokenId)> {
        self.index.read().unwrap_or_else(PoisonError::into_inner).revoked.get(&sha256).copied()
    }

    /// The organization as it is now, with everything that was configured before the call.
    pub(crate) async fn refreshed(&self, producer: &Producer) -> Result<Producer, Problem> {
        self.catch_up().await?;
        let config = self.projection.get(&producer.org).state;
        Ok(Producer { org: producer.org, token: producer.token, config })
    }

    fn find(&self, sha256: [u8; 32]) -> Option<(Producer, Token)> {
        self.lookup(sha256).or_else(|| {
            self.rebuild();
            self.lookup(sha256)
        })
    }

    fn lookup(&self, sha256: [u8; 32]) -> Option<(Producer, Token)> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        let (org, id) = *index.tokens.get(&sha256)?;
        drop(index);
        let config = self.projection.get(&org).state;
        let token = config.tokens.get(&id).filter(|token| token.sha256 == sha256)?.clone();
        Some((Producer { org, token: id, config }, token))
    }

    /// Indexes every token, unless nothing was configured since the last time.
    fn rebuild(&self) {
        let sequence = *self.projection.changes().borrow();
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        if index.sequence >= sequence {
            return;
        }
        index.sequence = sequence;
        index.tokens.clear();
        index.revoked.clear();
        for (org, config) in self.projection.all() {
            index
                .tokens
                .extend(config.tokens.values().map(|token| (token.sha256, (org, token.id))));
            index
                .revoked
                .extend(config.revoked.values().map(|token| (token.sha256, (org, token.id))));
        }
    }

    /// Waits until the projection has everything that was stored when this was called. Those who
    /// wait together are served by one look at the stream.
    async fn catch_up(&self) -> Result<(), Problem> {
        let called = Instant::now();
        let caught_up = async {
            let mut last = self.caught_up.lock().await;
            if last.is_some_and(|begun| begun >= called) {
                return Ok(());
            }
            if let Some(begun) = *last {
                tokio::time::sleep_until(begun + INTERVAL).await;
            }
            let begun = Instant::now();
            let reached = self.projection.caught_up(PATIENCE).await;
            if reached.is_ok() {
                *last = Some(begun);
            }
            reached.map_err(|error| {
                tracing::warn!(%error, "configuration cannot be read");
            })
        };
        match tokio::time::timeout(PATIENCE, caught_up).await {
            Ok(Ok(())) => Ok(()),
            // Nobody can tell whether the token is known.
            Ok(Err(())) | Err(_) => Err(crate::http::not_reachable()),
        }
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// The token of the request's one `Authorization: Bearer` header.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().filter(|_| values.next().is_none())?;
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let token = token.trim_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_bearer_token_is_a_credential() {
        let token = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, value.parse().unwrap());
            }
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(token(&["Bearer abc"]).as_deref(), Some("abc"));
        assert_eq!(token(&["bearer  abc"]).as_deref(), Some("abc"));
        for bad in [
            &[][..],
            &[""],
            &["Bearer"],
            &["Bearer "],
            &["Basic abc"],
            &["abc"],
            &["Bearer a", "Bearer a"],
        ] {
            assert_eq!(token(bad), None, "{bad:?}");
        }
    }
}
