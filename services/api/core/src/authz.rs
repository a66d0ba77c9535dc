//! Who may do what.

use auditrelay_model::id::{OrgId, TokenId};
use auditrelay_model::token::Role;

/// Who is asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// The operator of the deployment; belongs to no organization.
    Platform,
    /// The holder of an organization's token.
    Member {
        /// The organization.
        org: OrgId,
        /// The token.
        token: TokenId,
        /// What the token may do.
        role: Role,
    },
    /// Somebody of an organization for whom an identity provider vouches.
    Federated {
        /// The organization.
        org: OrgId,
        /// What the provider's claims allow.
        role: Role,
    },
}

impl Caller {
    /// Whose caller it is; the operator is nobody's.
    pub const fn org(self) -> Option<OrgId> {
        match self {
            Self::Platform => None,
            Self::Member { org, .. } | Self::Federated { org, .. } => Some(org),
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// See destinations, webhooks, portals, replay jobs and their progress.
    ReadConfig,
    /// Read the stored events.
    ReadEvents,
    /// Change destinations, webhooks and portals.
    ChangeConfig,
    /// Start or cancel a replay job.
    Replay,
    /// See an organization's tokens.
    ReadTokens,
    /// Issue and revoke an organization's tokens.
    ChangeTokens,
    /// Who am I?
    Identity,
    /// See and make organizations.
    Organizations,
}

/// Why the answer is no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The caller may see that the thing exists, but not do this.
    Forbidden,
    /// Another organization's; whether it exists is not told.
    NotFound,
}

/// The table: may this caller ask for this?
pub const fn permits(caller: Caller, ask: Ask) -> bool {
    match (caller, ask) {
        (Caller::Platform, Ask::Organizations | Ask::ReadTokens | Ask::ChangeTokens) => true,
        (
            Caller::Platform,
            Ask::ReadConfig | Ask::ReadEvents | Ask::ChangeConfig | Ask::Replay | Ask::Identity,
        )
        | (Caller::Member { .. } | Caller::Federated { .. }, Ask::Organizations) => false,
        (Caller::Member { role, .. } | Caller::Federated { role, .. }, ask) => match (role, ask) {
            (Role::Admin, _)
            | (Role::Viewer, Ask::ReadConfig | Ask::ReadEvents | Ask::ReadTokens)
            | (_, Ask::Identity) => true,
            (
                Role::Viewer,
                Ask::ChangeConfig | Ask::Replay | Ask::ChangeTokens | Ask::Organizations,
            )
            | (Role::Producer, _) => false,
        },
    }
}

/// The organization that the caller may ask this about: its own.
pub fn own_organization(caller: Caller, ask: Ask) -> Result<OrgId, Refusal> {
    caller.org().filter(|_| permits(caller, ask)).ok_or(Refusal::Forbidden)
}

/// Whether the caller may ask this about the organization named in the path.
pub fn named_organization(caller: Caller, ask: Ask, named: OrgId) -> Result<(), Refusal> {
    if !permits(caller, ask) {
        return Err(Refusal::Forbidden);
    }
    if caller.org().is_none_or(|org| org == named) { Ok(()) } else { Err(Refusal::NotFound) }
}

#[cfg(test)]
mod tests {
    use auditrelay_model::id::{OrgId, TokenId};
    use uuid::Uuid;

    use super::*;

    fn member(role: Role) -> Caller {
        let org = OrgId::from_uuid(Uuid::from_u128(1));
        Caller::Member { org, token: TokenId::from_uuid(Uuid::from_u128(2)), role }
    }

    #[test]
    fn roles_and_what_they_may_do() {
        use Ask::{
            ChangeConfig, ChangeTokens, Identity, Organizations, ReadConfig, ReadEvents,
            ReadTokens, Replay,
        };
        let asks = [
            ReadConfig,
            ReadEvents,
            ChangeConfig,
            Replay,
            ReadTokens,
            ChangeTokens,
            Organizations,
            Identity,
        ];
        let Caller::Member { org, .. } = member(Role::Viewer) else { panic!("a member") };
        let viewer = [true, true, false, false, true, false, false, true];
        let table = [
            (member(Role::Admin), [true, true, true, true, true, true, false, true]),
            (member(Role::Viewer), viewer),
            (Caller::Federated { org, role: Role::Viewer }, viewer),
            (member(Role::Producer), [false, false, false, false, false, false, false, true]),
            (Caller::Platform, [false, false, false, false, true, true, true, false]),
        ];
        for (caller, expected) in table {
            for (ask, expected) in asks.into_iter().zip(expected) {
                assert_eq!(permits(caller, ask), expected, "{caller:?} {ask:?}");
            }
        }
    }

    #[test]
    fn another_organization_is_not_found() {
        let other = OrgId::from_uuid(Uuid::from_u128(9));
        let admin = member(Role::Admin);
        let refused = Err(Refusal::NotFound);
        assert_eq!(named_organization(admin, Ask::ReadTokens, other), refused);
        assert_eq!(named_organization(Caller::Platform, Ask::ReadTokens, other), Ok(()));
        let viewer = member(Role::Viewer);
        let forbidden = Err(Refusal::Forbidden);
        assert_eq!(named_organization(viewer, Ask::ChangeTokens, other), forbidden);
        assert_eq!(own_organization(Caller::Platform, Ask::ReadConfig), Err(Refusal::Forbidden));
    }
}
