//! Who is asking: the bearer token, looked up by its digest.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use auditrelay_api_core::authz::{Ask, Caller, named_organization, own_organization};
use auditrelay_api_core::token::{self, TokenDigest};
use auditrelay_model::id::{OrgId, TokenId};
use auditrelay_model::secret::Secret;
use auditrelay_runtime::problem::Problem;
use axum::extract::FromRequestParts;
use http::header::AUTHORIZATION;
use http::request::Parts;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::api::{Api, CATCH_UP};
use crate::problems;

/// Unknown tokens make us ask the broker whether we missed one: at most this often, whoever sends
/// them.
const CATCH_UP_INTERVAL: Duration = Duration::from_millis(50);

/// Where every known token is. The index only finds candidates: what counts is the organization's
/// configuration, so a revoked token ends at once.
#[derive(Default)]
pub(crate) struct Tokens {
    index: RwLock<Index>,
    caught_up_at: Mutex<Option<Instant>>,
}

#[derive(Default)]
struct Index {
    sequence: u64,
    by_digest: HashMap<TokenDigest, (OrgId, TokenId)>,
}

/// A caller whose token is known, with all that handlers need.
pub(crate) struct Signed {
    pub(crate) api: Api,
    pub(crate) caller: Caller,
}

impl Signed {
    /// The caller's own organization, if it may ask this there.
    pub(crate) fn own(&self, ask: Ask) -> Result<OrgId, Problem> {
        own_organization(self.caller, ask).map_err(|refusal| {
            self.api.telemetry.refused("permission");
            problems::refused(refusal)
        })
    }

    /// Checks that the caller may ask this about the organization in the path.
    pub(crate) fn of(&self, ask: Ask, org: OrgId) -> Result<(), Problem> {
        named_organization(self.caller, ask, org).map_err(|refusal| {
            self.api.telemetry.refused("permission");
            problems::refused(refusal)
        })
    }

    /// Whether the caller's token counts still, as far as is known here: for what lasts longer than
    /// a request.
    pub(crate) fn still_may(&self) -> bool {
        let Caller::Member { org, token, .. } = self.caller else { return true };
        let config = self.api.configs.get(&org).state;
        config.tokens.get(&token).is_some_and(|token| token::is_valid(token, self.api.now()))
    }

    /// How the caller is named in stored facts.
    pub(crate) fn actor(&self) -> String {
        self.caller.actor()
    }
}

impl FromRequestParts<Api> for Signed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let Some(credential) = header.and_then(token::bearer) else {
            api.telemetry.refused("no_token");
            return Err(Problem::unauthorized());
        };
        let digest = token::digest(credential);
        let Some(caller) = find(api, &digest).await? else {
            api.telemetry.refused("unknown_token");
            return Err(Problem::unauthorized());
        };
        Ok(Self { api: api.clone(), caller })
    }
}

/// Who holds the token with this digest.
pub(crate) async fn find(api: &Api, digest: &TokenDigest) -> Result<Option<Caller>, Problem> {
    if is_platform(api.config.platform_token.as_ref(), digest) {
        return Ok(Some(Caller::Platform));
    }
    let mut candidate = api.tokens.candidate(api, digest);
    if candidate.is_none() {
        catch_up(api).await?;
        candidate = api.tokens.candidate(api, digest);
    }
    match candidate {
        Some((org, id)) => member(api, digest, org, id).await,
        None => Ok(None),
    }
}

fn is_platform(token: Option<&Secret>, digest: &TokenDigest) -> bool {
    token.is_some_and(|token| token::is_same(digest, token))
}

/// The token's holder, if it counts now: a revocation that was answered anywhere counts here.
async fn member(
    api: &Api,
    digest: &TokenDigest,
    org: OrgId,
    id: TokenId,
) -> Result<Option<Caller>, Problem> {
    let config = api.read(org).await?;
    let token = config.tokens.get(&id).filter(|token| token.sha256 == *digest);
    let valid = token.filter(|token| token::is_valid(token, api.now()));
    Ok(valid.map(|token| Caller::Member { org, token: id, role: token.role }))
}

impl Tokens {
    fn candidate(&self, api: &Api, digest: &TokenDigest) -> Option<(OrgId, TokenId)> {
        if let Some(found) = self.look_up(digest) {
            return Some(found);
        }
        self.refresh(api);
        self.look_up(digest)
    }

    fn look_up(&self, digest: &TokenDigest) -> Option<(OrgId, TokenId)> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        index.by_digest.get(digest).copied()
    }

    /// Builds the index anew if anything changed since it was built.
    fn refresh(&self, api: &Api) {
        let sequence = *api.configs.changes().borrow();
        let built = self.index.read().unwrap_or_else(PoisonError::into_inner).sequence;
        if built == sequence {
            return;
        }
        let mut by_digest = HashMap::new();
        for (org, config) in api.configs.all() {
            by_digest.extend(config.tokens.values().map(|token| (token.sha256, (org, token.id))));
        }
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        if index.sequence < sequence {
            *index = Index { sequence, by_digest };
        }
    }
}

/// Waits until everything is known that the broker has now. Callers that come while one waits
/// share the next one.
async fn catch_up(api: &Api) -> Result<(), Problem> {
    let asked_at = Instant::now();
    let mut caught_up_at = api.tokens.caught_up_at.lock().await;
    if let Some(begun) = *caught_up_at {
        if begun > asked_at {
            return Ok(());
        }
        tokio::time::sleep_until(begun + CATCH_UP_INTERVAL).await;
    }
    let begun = Instant::now();
    api.configs.caught_up(CATCH_UP).await.map_err(|error| problems::unread(&error))?;
    *caught_up_at = Some(begun);
    Ok(())
}
