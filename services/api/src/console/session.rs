//! Who is signed in: a sealed cookie that any replica opens, and that says nothing to others.

use std::time::Duration;

use auditrelay_model::Timestamp;
use auditrelay_model::id::{OrgId, SessionId, TokenId};
use auditrelay_model::token::Role;
use auditrelay_runtime::problem::Problem;
use auditrelay_signing::random_nonce;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::api::Api;

/// Without a page asked for, a session ends after this time.
const IDLE: Duration = Duration::from_mins(30);
/// However busy, nobody stays signed in longer.
const LONGEST: Duration = Duration::from_hours(12);
/// The cookie is written again when it is older than this.
const REFRESH: Duration = Duration::from_mins(1);
/// What the cookie is sealed for; no destination has this id.
const PURPOSE: &[u8] = b"auditrelay console session";
/// What a form's token is sealed for.
const FORM: &[u8] = b"auditrelay console form";

/// What the cookie holds. A visitor who is not signed in has one too, for the form that signs in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Session {
    /// New with each sign-in; forms carry it, sealed anew each time.
    id: [u8; 16],
    began: i64,
    seen: i64,
    member: Option<Member>,
}

/// Who is signed in, as the cookie says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Member {
    /// The holder of an organization's token.
    Token { org: String, token: String },
    /// Somebody for whom an identity provider vouched.
    Person(Vouched),
}

/// What an identity provider vouched for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Vouched {
    /// The organization.
    pub(super) org: String,
    /// What the claims allow.
    pub(super) role: String,
    /// The provider's name for the person.
    pub(super) subject: String,
    /// The person's own name.
    pub(super) name: String,
    /// When the provider's token ends, in nanoseconds.
    pub(super) until: i64,
}

/// Who is signed in.
pub(super) enum Who {
    /// The holder of an organization's token.
    Token(OrgId, TokenId),
    /// Somebody for whom an identity provider vouched.
    Person(OrgId, Role, Vouched),
}

impl Session {
    /// Somebody who is not signed in.
    pub(super) fn visitor(api: &Api) -> Result<Self, Problem> {
        let mut id = [0; 16];
        id.iter_mut().zip(api.random()?).for_each(|(to, from)| *to = from);
        let now = api.now().nanos();
        Ok(Self { id, began: now, seen: now, member: None })
    }

    /// The holder of a token; everything about the session is new.
    pub(super) fn member(api: &Api, org: OrgId, token: TokenId) -> Result<Self, Problem> {
        let member = Some(Member::Token { org: org.to_string(), token: token.to_string() });
        Ok(Self { member, ..Self::visitor(api)? })
    }

    /// Somebody for whom an identity provider vouches; the same.
    pub(super) fn person(api: &Api, vouched: Vouched) -> Result<Self, Problem> {
        Ok(Self { member: Some(Member::Person(vouched)), ..Self::visitor(api)? })
    }

    /// Who it is, if anybody is signed in.
    pub(super) fn who(&self) -> Option<Who> {
        match self.member.as_ref()? {
            Member::Token { org, token } => {
                Some(Who::Token(org.parse().ok()?, token.parse().ok()?))
            }
            Member::Person(vouched) => {
                let role = Role::from_name(&vouched.role)?;
                Some(Who::Person(vouched.org.parse().ok()?, role, vouched.clone()))
            }
        }
    }

    /// Its name among those that were ended.
    pub(super) fn id(&self) -> SessionId {
        SessionId::from_uuid(Uuid::from_bytes(self.id))
    }

    /// When it ends however busy it is.
    pub(super) fn until(&self) -> Timestamp {
        Timestamp::from_nanos(self.began) + LONGEST
    }

    /// Whether it still counts.
    pub(super) fn is_alive(&self, now: Timestamp) -> bool {
        let began = Timestamp::from_nanos(self.began);
        let seen = Timestamp::from_nanos(self.seen);
        let vouched = match &self.member {
            Some(Member::Person(vouched)) => now.nanos() < vouched.until,
            Some(Member::Token { .. }) | None => true,
        };
        vouched && now.since(seen) < IDLE && now.since(began) < LONGEST
    }

    /// The same, seen now, if it is time to say so.
    pub(super) fn refreshed(&self, now: Timestamp) -> Option<Self> {
        let due = now.since(Timestamp::from_nanos(self.seen)) >= REFRESH;
        due.then(|| Self { seen: now.nanos(), ..self.clone() })
    }

    /// The cookie's value.
    pub(super) fn seal(&self, api: &Api) -> Result<String, Problem> {
        seal(api, PURPOSE, self)
    }

    /// What [`Self::seal`] wrote, if we wrote it; whether it still counts is another question.
    pub(super) fn open(api: &Api, cookie: &str) -> Option<Self> {
        open(api, PURPOSE, cookie)
    }

    /// A text that only a page of this session can hold; another one each time.
    pub(super) fn form_token(&self, api: &Api) -> Result<String, Problem> {
        seal(api, FORM, &self.id)
    }

    /// Whether a form came from a page of this session.
    pub(super) fn wrote(&self, api: &Api, form_token: &str) -> bool {
        open::<[u8; 16]>(api, FORM, form_token).is_some_and(|id| id == self.id)
    }
}

pub(super) fn seal(api: &Api, purpose: &[u8], what: &impl Serialize) -> Result<String, Problem> {
    let plain = serde_json::to_vec(what).map_err(|_| Problem::internal())?;
    let nonce = random_nonce(&api.random).map_err(|_| Problem::internal())?;
    let sealed = api.sealing.seal(&plain, purpose, nonce).map_err(|_| Problem::internal())?;
    let parts = [sealed.key_id.as_bytes(), &sealed.nonce, &sealed.ciphertext];
    Ok(parts.map(|part| URL_SAFE_NO_PAD.encode(part)).join("."))
}

pub(super) fn open<T: DeserializeOwned>(api: &Api, purpose: &[u8], text: &str) -> Option<T> {
    let mut parts = text.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let (key, nonce, sealed) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() {
        return None;
    }
    let key = String::from_utf8(key).ok()?;
    let plain = api.sealing.open(&key, &nonce, &sealed, purpose).ok()?;
    serde_json::from_slice(&plain).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_when_idle_and_at_last() {
        let at = |minutes: u64| Timestamp::from_nanos(0) + Duration::from_mins(minutes);
        let session = Session { id: [1; 16], began: 0, seen: 0, member: None };
        assert!(session.is_alive(at(29)) && !session.is_alive(at(30)));
        assert_eq!(session.refreshed(at(0)), None);
        let mut busy = session;
        for minutes in (0..720).step_by(20) {
            assert!(busy.is_alive(at(minutes)), "{minutes}");
            busy = busy.refreshed(at(minutes)).unwrap_or(busy);
        }
        assert!(!busy.is_alive(at(720)));
    }

    #[test]
    fn a_persons_session_ends_with_what_vouched_for_it() {
        let at = |minutes: u64| Timestamp::from_nanos(0) + Duration::from_mins(minutes);
        let org = OrgId::from_uuid(Uuid::nil()).to_string();
        let [role, subject, name] = ["viewer", "ada", "Ada"].map(ToOwned::to_owned);
        let vouched = Vouched { org, role, subject, name, until: at(5).nanos() };
        let member = Some(Member::Person(vouched));
        let session = Session { id: [1; 16], began: 0, seen: 0, member };
        assert!(session.is_alive(at(4)) && !session.is_alive(at(5)));
        assert!(matches!(session.who(), Some(Who::Person(_, Role::Viewer, _))));
    }
}
