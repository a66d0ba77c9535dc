//! What services that check credentials notice: that a token is used, and calls they deny.

mod tally;

pub use tally::Tally;

use crate::Timestamp;
use crate::id::{OrgId, TokenId};
use crate::origin::Origin;

/// Something that was noticed about a caller of an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessEvent {
    /// When; for several calls the first of them.
    pub at: Timestamp,
    /// Whose caller.
    pub org: OrgId,
    /// Who called.
    pub principal: Principal,
    /// What was noticed.
    pub fact: AccessFact,
}

/// Who calls, as far as a service knows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Principal {
    /// The holder of a token.
    Token(TokenId),
    /// Somebody an identity provider vouches for, by the name it has there.
    Federated(String),
}

impl std::fmt::Display for Principal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Token(id) => id.fmt(f),
            Self::Federated(name) => write!(f, "oidc:{name}"),
        }
    }
}

/// What was noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessFact {
    /// The token was used.
    Used,
    /// Calls were refused because of who asked.
    Denied(Denied),
}

/// Calls that were refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// Why.
    pub reason: Reason,
    /// How many.
    pub count: u64,
    /// The last of them.
    pub origin: Origin,
}

crate::event::named! {
    /// Why a call was refused.
    Reason {
        /// The token's time is over.
        TokenExpired = "token_expired",
        /// The token was revoked.
        TokenRevoked = "token_revoked",
        /// A text that begins like the token and goes on otherwise.
        WrongSecret = "wrong_secret",
        /// The role does not allow it.
        Forbidden = "forbidden",
        /// It is about another organization.
        Foreign = "foreign",
    }
}
