//! Who is asking: the bearer token, looked up by its digest, or one of an identity provider.

use std::collections::{BTreeMap, HashMap};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use auditrelay_api_core::authz::{Ask, Caller, Refusal, named_organization, own_organization};
use auditrelay_api_core::oidc::{Grant, Person};
use auditrelay_api_core::token::{self, TokenDigest};
use auditrelay_model::access::{Principal, Reason};
use auditrelay_model::id::{OrgId, TokenId};
use auditrelay_model::origin::Origin;
use auditrelay_model::secret::Secret;
use auditrelay_model::token::{Role, Token};
use auditrelay_runtime::http::origin;
use auditrelay_runtime::problem::Problem;
use axum::extract::FromRequestParts;
use http::header::AUTHORIZATION;
use http::request::Parts;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::api::{Api, CATCH_UP};
use crate::oidc::Oidc;
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
    by_prefix: HashMap<String, (OrgId, TokenId)>,
}

/// A caller who is known, with all that handlers need.
pub(crate) struct Signed {
    pub(crate) api: Api,
    pub(crate) caller: Caller,
    /// Who that is, unless it is the operator.
    pub(crate) principal: Option<Principal>,
    /// The request.
    pub(crate) origin: Origin,
}

impl Signed {
    /// A token's holder.
    pub(crate) fn member(api: Api, org: OrgId, token: &Token, origin: Origin) -> Self {
        let caller = Caller::Member { org, token: token.id, role: token.role };
        let origin = Origin { principal_name: token.name.clone(), ..origin };
        Self { api, caller, principal: Some(Principal::Token(token.id)), origin }
    }

    /// Somebody for whom an identity provider vouched when the session began.
    pub(crate) fn person(
        api: Api,
        (org, role): (OrgId, Role),
        subject: String,
        origin: Origin,
    ) -> Self {
        let principal = Some(Principal::Federated(subject));
        Self { api, caller: Caller::Federated { org, role }, principal, origin }
    }

    /// The caller's own organization, if it may ask this there.
    pub(crate) fn own(&self, ask: Ask) -> Result<OrgId, Problem> {
        own_organization(self.caller, ask).map_err(|refusal| self.refuse(refusal))
    }

    /// Checks that the caller may ask this about the organization in the path.
    pub(crate) fn of(&self, ask: Ask, org: OrgId) -> Result<(), Problem> {
        named_organization(self.caller, ask, org).map_err(|refusal| self.refuse(refusal))
    }

    /// Refuses, and notes it for the caller's own organization.
    pub(crate) fn refuse(&self, refusal: Refusal) -> Problem {
        self.api.telemetry.refused("permission");
        if let Some((org, principal)) = self.caller.org().zip(self.principal.clone()) {
            let reason = match refusal {
                Refusal::Forbidden => Reason::Forbidden,
                Refusal::NotFound => Reason::Foreign,
            };
            self.api.log.denied(org, principal, reason, &self.origin);
        }
        problems::refused(refusal)
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
        self.principal.as_ref().map_or_else(|| "platform".to_owned(), ToString::to_string)
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
        let origin = origin(parts, &api.config.proxies);
        let signed = identify(api, credential, origin).await?;
        signed.ok_or_else(|| {
            api.telemetry.refused("unknown_token");
            Problem::unauthorized()
        })
    }
}

/// Who shows this credential. A known one that does not count any more is noted for its
/// organization.
pub(crate) async fn identify(
    api: &Api,
    credential: &str,
    origin: Origin,
) -> Result<Option<Signed>, Problem> {
    let holder = match &api.oidc {
        Some(oidc) if Oidc::is_meant(credential) => vouched(api, oidc, credential).await?,
        Some(_) | None => holder(api, credential).await?,
    };
    let signed = |caller, principal, name: String| {
        let origin = Origin { principal_name: name, ..origin.clone() };
        Some(Signed { api: api.clone(), caller, principal, origin })
    };
    Ok(match holder {
        Holder::Nobody => None,
        Holder::Person { caller, subject, name } => {
            signed(caller, Some(Principal::Federated(subject)), name)
        }
        Holder::Platform => signed(Caller::Platform, None, "platform".to_owned()),
        Holder::Member { org, token } => {
            api.log.used(org, token.id);
            let caller = Caller::Member { org, token: token.id, role: token.role };
            signed(caller, Some(Principal::Token(token.id)), token.name)
        }
        Holder::Refused { org, token, reason } => {
            let origin = Origin { principal_name: token.name, ..origin };
            api.log.denied(org, Principal::Token(token.id), reason, &origin);
            None
        }
    })
}

/// Whose credential it is.
enum Holder {
    Nobody,
    Platform,
    Member {
        org: OrgId,
        token: Token,
    },
    /// Somebody for whom an identity provider vouches.
    Person {
        caller: Caller,
        subject: String,
        name: String,
    },
    /// Somebody's once, or nearly.
    Refused {
        org: OrgId,
        token: Token,
        reason: Reason,
    },
}

/// For whom the identity provider vouches, where the organization that it names exists.
async fn vouched(api: &Api, oidc: &Oidc, token: &str) -> Result<Holder, Problem> {
    match oidc.verify(token, api.now()).await? {
        Some(person) => holder_of(api, person).await,
        None => Ok(Holder::Nobody),
    }
}

async fn holder_of(api: &Api, person: Person) -> Result<Holder, Problem> {
    let Person { subject, name, grant } = person;
    let caller = match grant {
        Grant::Operator => Some(Caller::Platform),
        Grant::Member { organization, role } => {
            let org = named(api, &organization).await?;
            org.map(|org| Caller::Federated { org, role })
        }
    };
    Ok(caller.map_or(Holder::Nobody, |caller| Holder::Person { caller, subject, name }))
}

/// Who comes back from the identity provider with this ID token.
pub(crate) async fn vouched_for(
    api: &Api,
    token: &str,
    nonce: &str,
    origin: Origin,
) -> Result<Option<Signed>, Problem> {
    let Some(oidc) = &api.oidc else { return Ok(None) };
    let Some(person) = oidc.verify_id(token, nonce, api.now()).await? else { return Ok(None) };
    let Holder::Person { caller, subject, name } = holder_of(api, person).await? else {
        return Ok(None);
    };
    let principal = Some(Principal::Federated(subject));
    let origin = Origin { principal_name: name, ..origin };
    Ok(Some(Signed { api: api.clone(), caller, principal, origin }))
}

/// The organization by its id or its name.
async fn named(api: &Api, organization: &str) -> Result<Option<OrgId>, Problem> {
    if let Ok(org) = organization.parse() {
        return Ok(api.read(org).await?.name.as_ref().map(|_| org));
    }
    let of_name = |api: &Api| {
        let mut all = api.configs.all().into_iter();
        all.find(|(_, config)| config.name.as_deref() == Some(organization)).map(|(org, _)| org)
    };
    if let Some(org) = of_name(api) {
        return Ok(Some(org));
    }
    catch_up(api).await?;
    Ok(of_name(api))
}

async fn holder(api: &Api, credential: &str) -> Result<Holder, Problem> {
    let digest = token::digest(credential);
    if is_platform(api.config.platform_token.as_ref(), &digest) {
        return Ok(Holder::Platform);
    }
    let mut candidate = api.tokens.candidate(api, &digest);
    if candidate.is_none() {
        catch_up(api).await?;
        candidate = api.tokens.candidate(api, &digest);
    }
    match candidate {
        Some((org, id)) => member(api, &digest, org, id).await,
        None => Ok(resembling(api, credential)),
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
) -> Result<Holder, Problem> {
    let config = api.read(org).await?;
    let find = |tokens: &BTreeMap<TokenId, Token>| {
        tokens.get(&id).filter(|token| token.sha256 == *digest).cloned()
    };
    Ok(match (find(&config.tokens), find(&config.revoked)) {
        (Some(token), _) if token::is_valid(&token, api.now()) => Holder::Member { org, token },
        (Some(token), _) => Holder::Refused { org, token, reason: Reason::TokenExpired },
        (None, Some(token)) => Holder::Refused { org, token, reason: Reason::TokenRevoked },
        (None, None) => Holder::Nobody,
    })
}

/// Somebody tries a text that begins like one of our tokens.
fn resembling(api: &Api, credential: &str) -> Holder {
    let found = api.tokens.resembling(credential);
    let token = found.and_then(|(org, id)| {
        let config = api.configs.get(&org).state;
        Some((org, config.tokens.get(&id)?.clone()))
    });
    token.map_or(Holder::Nobody, |(org, token)| Holder::Refused {
        org,
        token,
        reason: Reason::WrongSecret,
    })
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

    fn resembling(&self, credential: &str) -> Option<(OrgId, TokenId)> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        index.by_prefix.get(&token::prefix(credential)).copied()
    }

    /// Builds the index anew if anything changed since it was built.
    fn refresh(&self, api: &Api) {
        let sequence = *api.configs.changes().borrow();
        let built = self.index.read().unwrap_or_else(PoisonError::into_inner).sequence;
        if built == sequence {
            return;
        }
        let (mut by_digest, mut by_prefix) = (HashMap::new(), HashMap::new());
        for (org, config) in api.configs.all() {
            let all = config.tokens.values().chain(config.revoked.values());
            by_digest.extend(all.map(|token| (token.sha256, (org, token.id))));
            let known = config.tokens.values();
            by_prefix.extend(known.map(|token| (token.prefix.clone(), (org, token.id))));
        }
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        if index.sequence < sequence {
            *index = Index { sequence, by_digest, by_prefix };
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
