//! Commands on an organization's configuration, and the one decision on them.

use auditrelay_model::Timestamp;
use auditrelay_model::config::{ConfigChange, ConfigEvent, OrgConfig};
use auditrelay_model::id::{CommandId, DestinationId, PortalId, SessionId, TokenId};
use auditrelay_model::origin::Origin;
use auditrelay_model::portal::Portal;
use auditrelay_model::privacy::Privacy;
use auditrelay_model::scope::Scope;
use auditrelay_model::token::Token;

use crate::destination::{DestinationPatch, NewDestination};
use crate::fault::{Fault, Wrong};
use crate::portal::PortalPatch;
use crate::webhook::WebhookPatch;
use crate::webhook::inline::InlinePatch;
use crate::{destination, organization, portal, privacy, summary, token, webhook};

/// A request to change an organization's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// When it came.
    pub at: Timestamp,
    /// Who sent it.
    pub actor: String,
    /// The request behind it.
    pub origin: Option<Origin>,
    /// Its id, the same however often it is decided.
    pub id: CommandId,
    /// What is to be done.
    pub action: Action,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Begin the organization.
    CreateOrganization {
        /// Its name.
        name: String,
    },
    /// Let a token in.
    IssueToken(Token),
    /// Let a token in no more.
    RevokeToken(TokenId),
    /// Ends a session of the console before its time.
    EndSession {
        /// Which.
        session: SessionId,
        /// When it would have ended by itself.
        until: Timestamp,
    },
    /// Make a destination.
    CreateDestination(NewDestination),
    /// Change a destination.
    UpdateDestination(DestinationId, DestinationPatch),
    /// Delete a destination.
    DeleteDestination(DestinationId),
    /// Change a scope's webhook.
    PatchWebhook(Scope, WebhookPatch),
    /// Change the organization's webhook together with its own destination (version 2).
    PatchInlineWebhook(Scope, InlinePatch),
    /// Remove a scope's webhook.
    RemoveWebhook(Scope),
    /// Make a portal; its two times are set by the decision.
    CreatePortal(Portal),
    /// Change a portal.
    UpdatePortal(PortalId, PortalPatch),
    /// Delete a portal and its webhook.
    DeletePortal(PortalId),
    /// Treat events otherwise from here on.
    ChangePrivacy(Privacy),
}

/// A lawful refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denial {
    /// The request cannot be right, whatever happens meanwhile.
    Invalid(Vec<Fault>),
    /// What it names does not exist.
    NotFound,
    /// It would be right if something else were not as it is.
    Conflict(&'static str),
}

impl Denial {
    /// One fault of a property.
    pub fn fault(field: &str, wrong: Wrong) -> Self {
        Self::Invalid(vec![Fault::body(field, wrong)])
    }
}

/// The changes of one decision; none when everything already is as it should be.
pub(crate) type Decided = Result<Vec<ConfigChange>, Denial>;

/// Most destinations, portals or tokens of an organization: its whole configuration is held in
/// memory by every replica.
pub const ITEMS_MAX: usize = 1000;

/// Refuses one more of a kind when the organization has [`ITEMS_MAX`].
pub(crate) fn check_room(count: usize) -> Result<(), Denial> {
    if count < ITEMS_MAX {
        return Ok(());
    }
    Err(Denial::fault("body", Wrong::MaxItems(1000)))
}

/// Chooses the facts that a command leads to: one event with all its changes, or none when
/// nothing would change.
pub fn decide(config: &OrgConfig, command: &Command) -> Result<Vec<ConfigEvent>, Denial> {
    let changes = changes(config, command)?;
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    let Command { at, actor, origin, id, .. } = command;
    let summary = summary::of(config, &changes);
    let (actor, origin) = (actor.clone(), origin.clone());
    Ok(vec![ConfigEvent { at: *at, actor, command: *id, changes, origin, summary }])
}

fn changes(config: &OrgConfig, command: &Command) -> Decided {
    let begins = matches!(command.action, Action::CreateOrganization { .. });
    if config.name.is_none() && !begins {
        return Err(Denial::NotFound);
    }
    let at = command.at;
    match &command.action {
        Action::CreateOrganization { name } => Ok(organization::create(config, name)),
        Action::IssueToken(new) => token::issue(config, new),
        Action::RevokeToken(id) => token::revoke(config, *id),
        Action::EndSession { session, until } => Ok(end_session(config, *session, *until)),
        Action::CreateDestination(new) => destination::create(config, at, new),
        Action::UpdateDestination(id, patch) => destination::update(config, at, *id, patch),
        Action::DeleteDestination(id) => destination::delete(config, *id),
        Action::PatchWebhook(scope, patch) => webhook::patch(config, *scope, *patch),
        Action::PatchInlineWebhook(scope, patch) => {
            webhook::inline::patch(config, at, *scope, patch)
        }
        Action::RemoveWebhook(scope) => webhook::remove(config, *scope),
        Action::CreatePortal(new) => portal::create(config, at, new),
        Action::UpdatePortal(id, patch) => portal::update(config, at, *id, patch),
        Action::DeletePortal(id) => portal::delete(config, *id),
        Action::ChangePrivacy(new) => Ok(privacy::change(config, new)),
    }
}

/// Decides on the end of a session; one that has ended cannot end again.
fn end_session(config: &OrgConfig, session: SessionId, until: Timestamp) -> Vec<ConfigChange> {
    if config.ended_sessions.contains_key(&session) {
        return Vec::new();
    }
    vec![ConfigChange::SessionEnded { session, until }]
}

#[cfg(test)]
pub(crate) mod fixture {
    //! A configuration that commands are tried on.

    use auditrelay_model::id::OrgId;
    use uuid::Uuid;

    use super::*;

    pub(crate) const ORG: OrgId = OrgId::from_uuid(Uuid::from_u128(1));

    /// A configuration, moved on by commands.
    #[derive(Default)]
    pub(crate) struct Org {
        pub(crate) config: OrgConfig,
        pub(crate) events: usize,
    }

    impl Org {
        pub(crate) fn new() -> Self {
            let mut org = Self::default();
            org.run(Action::CreateOrganization { name: "Acme".to_owned() }).unwrap();
            org
        }

        /// Decides and applies; how many changes there were.
        pub(crate) fn run(&mut self, action: Action) -> Result<usize, Denial> {
            let at = Timestamp::from_nanos(i64::try_from(self.events).unwrap() * 1_000_000_000);
            let id = CommandId::from_uuid(Uuid::from_u128(5));
            let command = Command { at, actor: "platform".to_owned(), origin: None, id, action };
            let events = decide(&self.config, &command)?;
            self.events += 1;
            let mut count = 0;
            for event in &events {
                count += event.changes.len();
                self.config.evolve(event).unwrap();
            }
            Ok(count)
        }
    }
}
