//! API tokens: `art_` and 43 characters for 32 random bytes, stored only as their SHA-256.

use std::time::Duration;

use auditrelay_model::Timestamp;
use auditrelay_model::config::{ConfigChange, OrgConfig};
use auditrelay_model::id::TokenId;
use auditrelay_model::secret::Secret;
use auditrelay_model::token::{Role, Token};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::body::{Given, Reader, Unknown};
use crate::command::{Decided, Denial, check_room};
use crate::fault::{Fault, Wrong};
use crate::text;

/// Characters of a token that are kept to recognise it.
const PREFIX_LENGTH: usize = 12;
/// No longer credential is even looked at.
const TEXT_LENGTH_MAX: usize = 8192;
/// A token that shall end has to end within somebody's memory.
const LIFE_MAX: Duration = Duration::from_hours(24 * 3_653);
const ROLES: &[&str] = &["admin", "viewer", "producer"];

/// SHA-256 of a whole token.
pub type TokenDigest = [u8; 32];

/// What is asked of a new token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

impl Draft {
    /// Reads the body that asks for a token.
    pub fn parse(body: &[u8], now: Timestamp) -> Result<Self, Vec<Fault>> {
        let mut reader = Reader::parse(body)?;
        let name = reader.required("name");
        let name = reader.name("name", name);
        let role = reader.choice("role", ROLES, Role::from_name).value();
        if role.is_none() && matches!(reader.value("role"), Given::Absent | Given::Null) {
            reader.fault("role", Wrong::Required);
        }
        let expires_at = expiry(&mut reader, now);
        reader.finish(Unknown::Refused)?;
        let role = role.unwrap_or(Role::Producer);
        Ok(Self { name: name.unwrap_or_default(), role, expires_at })
    }

    /// Makes the token of 32 random bytes: its text, to be shown once, and what is stored of it.
    pub fn issue(self, id: TokenId, random: &[u8; 32]) -> (Secret, Token) {
        let text = Secret::new(format!("art_{}", URL_SAFE_NO_PAD.encode(random)));
        let token = Token {
            id,
            name: self.name,
            sha256: digest(text.expose()),
            prefix: prefix(text.expose()),
            role: self.role,
            expires_at: self.expires_at,
        };
        (text, token)
    }
}

fn expiry(reader: &mut Reader, now: Timestamp) -> Option<Timestamp> {
    let text = reader.text("expires_at").value()?;
    match Timestamp::parse_rfc3339(&text) {
        Ok(at) if at > now + LIFE_MAX => {
            reader.fault("expires_at", Wrong::Invalid("must be within ten years"));
        }
        Ok(at) if at > now => return Some(at),
        Ok(_) => reader.fault("expires_at", Wrong::Invalid("must be in the future")),
        Err(_) => reader.fault("expires_at", Wrong::DateTime),
    }
    None
}

/// The credential of an `Authorization: Bearer …` header.
pub fn bearer(header: &str) -> Option<&str> {
    let (scheme, credential) = header.split_once(' ')?;
    let credential = credential.trim();
    let fits = !credential.is_empty() && credential.len() <= TEXT_LENGTH_MAX;
    (scheme.eq_ignore_ascii_case("bearer") && fits).then_some(credential)
}

/// What a token is known by.
pub fn digest(text: &str) -> TokenDigest {
    Sha256::digest(text.as_bytes()).into()
}

/// What a token, or a text that resembles one, begins with.
pub fn prefix(text: &str) -> String {
    text::cut(text, PREFIX_LENGTH)
}

/// Compares a credential with the platform's, in constant time.
pub fn is_same(digest_of_given: &TokenDigest, secret: &Secret) -> bool {
    digest_of_given.ct_eq(&digest(secret.expose())).into()
}

/// Whether the token still counts at `now`.
pub fn is_valid(token: &Token, now: Timestamp) -> bool {
    token.expires_at.is_none_or(|end| now < end)
}

/// Decides on a new token.
pub(crate) fn issue(config: &OrgConfig, token: &Token) -> Decided {
    if config.tokens.contains_key(&token.id) {
        return Ok(Vec::new());
    }
    check_room(config.tokens.len())?;
    Ok(vec![ConfigChange::TokenIssued(token.clone())])
}

/// Decides on the end of a token.
pub(crate) fn revoke(config: &OrgConfig, id: TokenId) -> Decided {
    if config.tokens.contains_key(&id) {
        Ok(vec![ConfigChange::TokenRevoked(id)])
    } else {
        Err(Denial::NotFound)
    }
}

/// A token on the wire; its text only in the answer that makes it.
#[derive(Debug, Serialize)]
pub struct View {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub role: &'static str,
    /// Its first characters.
    pub prefix: String,
    /// When it ends.
    pub expires_at: Option<String>,
}

impl From<&Token> for View {
    fn from(token: &Token) -> Self {
        Self {
            id: token.id.to_string(),
            name: token.name.clone(),
            role: token.role.name(),
            prefix: token.prefix.clone(),
            expires_at: token.expires_at.map(|at| at.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::command::Action;
    use crate::command::fixture::Org;

    fn draft(body: &str) -> Result<Draft, Vec<Fault>> {
        Draft::parse(body.as_bytes(), Timestamp::from_nanos(1_000))
    }

    #[test]
    fn a_token_is_stored_as_its_digest() {
        let draft = draft(r#"{"name":"ci","role":"producer","expires_at":null}"#).unwrap();
        let (text, token) = draft.issue(TokenId::from_uuid(Uuid::from_u128(1)), &[7; 32]);
        assert_eq!(text.expose().len(), 47);
        assert!(text.expose().starts_with(&token.prefix));
        assert_eq!(token.prefix.len(), 12, "enough to recognise it, too little to guess the rest");
        assert_eq!(token.sha256, digest(text.expose()));
        assert!(is_same(&digest(text.expose()), &text));
        assert!(!is_same(&digest("other"), &text));
        let shown = serde_json::to_string(&View::from(&token)).unwrap();
        assert!(!shown.contains(text.expose()), "{shown}");
    }

    #[test]
    fn mistakes_in_a_token_request_are_told() {
        let faults = draft(r#"{"role":"root","expires_at":"1969-01-01T00:00:00Z","scope":1}"#);
        let expected = [
            Fault::body("name", Wrong::Required),
            Fault::body("role", Wrong::Choices(ROLES)),
            Fault::body("expires_at", Wrong::Invalid("must be in the future")),
            Fault::body("scope", Wrong::Unknown),
        ];
        assert_eq!(faults, Err(expected.to_vec()));
        let far = draft(r#"{"name":"a","role":"admin","expires_at":"1980-01-05T00:00:00Z"}"#);
        let bound = Wrong::Invalid("must be within ten years");
        assert_eq!(far, Err(vec![Fault::body("expires_at", bound)]));
        for (end, allowed) in [
            ("1970-01-01T00:00:00.000001Z", false),
            ("1970-01-01T00:00:00.000001001Z", true),
            ("1980-01-02T00:00:00.000001Z", true),
            ("1980-01-02T00:00:00.000001001Z", false),
        ] {
            let body = format!(r#"{{"name":"a","role":"admin","expires_at":"{end}"}}"#);
            assert_eq!(draft(&body).is_ok(), allowed, "{end}");
        }
        let faults = draft(r#"{"name":"a","expires_at":"tomorrow"}"#).unwrap_err();
        assert_eq!(faults[0], Fault::body("role", Wrong::Required));
        assert_eq!(faults[1], Fault::body("expires_at", Wrong::DateTime));
    }

    #[test]
    fn only_bearer_credentials_of_a_sane_length_count() {
        assert_eq!(bearer("Bearer art_x"), Some("art_x"));
        assert_eq!(bearer("bearer  art_x "), Some("art_x"));
        for header in ["", "Bearer", "Bearer ", "Basic abc", "art_x"] {
            assert_eq!(bearer(header), None, "{header}");
        }
        assert_eq!(bearer(&format!("Bearer {}", "x".repeat(8193))), None);
    }

    #[test]
    fn tokens_end_when_they_say_or_when_revoked() {
        let mut org = Org::new();
        let draft = draft(r#"{"name":"a","role":"admin","expires_at":"1976-01-01T00:00:00Z"}"#);
        let (_, token) = draft.unwrap().issue(TokenId::from_uuid(Uuid::from_u128(1)), &[1; 32]);
        let end = token.expires_at.unwrap();
        assert!(!is_valid(&token, end));
        assert!(is_valid(&token, Timestamp::from_nanos(end.nanos() - 1)));
        assert_eq!(org.run(Action::IssueToken(token.clone())), Ok(1));
        assert_eq!(org.run(Action::IssueToken(token.clone())), Ok(0), "decided again");
        assert_eq!(org.run(Action::RevokeToken(token.id)), Ok(1));
        assert_eq!(org.run(Action::RevokeToken(token.id)), Err(Denial::NotFound));
    }
}
