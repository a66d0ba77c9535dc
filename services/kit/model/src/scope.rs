//! The owner of a log.

use std::fmt;

use crate::id::{OrgId, PortalId};

/// The owner of a webhook, of its log and of its replay jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// An organization's own log.
    Organization(OrgId),
    /// The log of one of an organization's developer portals.
    Portal(OrgId, PortalId),
}

/// How many groups the scopes are hashed into; fixed for ever, because subjects carry the group.
pub const GROUPS: u64 = 64;

impl Scope {
    /// The organization that the log belongs to.
    pub const fn org(self) -> OrgId {
        match self {
            Self::Organization(org) | Self::Portal(org, _) => org,
        }
    }

    /// The portal, unless this is the organization's own log.
    pub const fn portal(self) -> Option<PortalId> {
        match self {
            Self::Organization(_) => None,
            Self::Portal(_, portal) => Some(portal),
        }
    }

    /// The scope's token in subjects: `org`, or the portal's id.
    pub fn token(self) -> String {
        match self {
            Self::Organization(_) => "org".to_owned(),
            Self::Portal(_, portal) => portal.to_string(),
        }
    }

    /// The scope of `org` that [`Scope::token`] named.
    pub fn from_token(org: OrgId, token: &str) -> Option<Self> {
        if token == "org" {
            return Some(Self::Organization(org));
        }
        token.parse().ok().map(|portal| Self::Portal(org, portal))
    }

    /// The group of the scope, below [`GROUPS`]: XXH3-64 of `<org>.<token>`.
    pub fn group(self) -> u64 {
        xxhash_rust::xxh3::xxh3_64(format!("{}.{}", self.org(), self.token()).as_bytes()) % GROUPS
    }
}

/// `<org>` or `<org>/<portal>`.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Organization(org) => org.fmt(f),
            Self::Portal(org, portal) => write!(f, "{org}/{portal}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stored subjects carry the group: these values may never change.
    #[test]
    fn groups_are_fixed_for_ever() {
        let org: OrgId = "998db3e4-5cb7-4dd5-b51c-9878096a6999".parse().unwrap();
        let portal = "3e551b39-227d-4297-b911-e68fd5d77c17".parse().unwrap();
        assert_eq!(Scope::Organization(org).group(), ORG_GROUP);
        assert_eq!(Scope::Portal(org, portal).group(), PORTAL_GROUP);
    }
    const ORG_GROUP: u64 = 58;
    const PORTAL_GROUP: u64 = 28;

    #[test]
    fn a_token_leads_back_to_its_scope() {
        let org = OrgId::from_uuid(uuid::Uuid::nil());
        let portal = Scope::Portal(org, PortalId::from_uuid(uuid::Uuid::max()));
        assert_eq!(Scope::from_token(org, &portal.token()), Some(portal));
        assert_eq!(Scope::from_token(org, "org"), Some(Scope::Organization(org)));
        assert_eq!(Scope::from_token(org, "other"), None);
    }
}
