//! API tokens.

use crate::Timestamp;
use crate::id::TokenId;

crate::event::named! {
    /// What a token may do in its organization.
    Role {
        /// Configures destinations, webhooks, portals and replay jobs.
        Admin = "admin",
        /// Reads what an admin may change.
        Viewer = "viewer",
        /// Sends audit events and nothing else.
        Producer = "producer",
    }
}

/// A token as it is known after it was issued; its text is stored nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// What people call it.
    pub name: String,
    /// SHA-256 of the whole token.
    pub sha256: [u8; 32],
    /// Its first characters, to recognise it in a list.
    pub prefix: String,
    /// What it may do.
    pub role: Role,
    /// When it ends; none for a token that stays until it is revoked.
    pub expires_at: Option<Timestamp>,
}
