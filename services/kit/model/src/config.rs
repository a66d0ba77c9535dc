//! One organization's configuration, folded from `audit.config.<org>`.

use std::collections::BTreeMap;

use crate::Timestamp;
use crate::aggregate::Corrupt;
use crate::destination::Destination;
use crate::id::{CommandId, DestinationId, PortalId, SessionId, TokenId};
use crate::origin::Origin;
use crate::portal::Portal;
use crate::privacy::Privacy;
use crate::scope::Scope;
use crate::token::Token;
use crate::webhook::Webhook;

/// Everything that is configured in one organization; one aggregate, so that what holds across
/// its parts ("destination is in use") is decided in one place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrgConfig {
    /// The organization's name; none until it exists.
    pub name: Option<String>,
    /// Where its SIEMs listen.
    pub destinations: BTreeMap<DestinationId, Destination>,
    /// Its developer portals.
    pub portals: BTreeMap<PortalId, Portal>,
    /// One webhook a scope.
    pub webhooks: BTreeMap<Scope, Webhook>,
    /// Who may call.
    pub tokens: BTreeMap<TokenId, Token>,
    /// Who may not call any more, the newest [`REVOKED_MAX`]: who still tries is recognised.
    pub revoked: BTreeMap<TokenId, Token>,
    /// When the organization began.
    pub created_at: Option<Timestamp>,
    /// Sessions of the console that were signed out, each with when it would have ended by
    /// itself: until then a copy of its cookie could be used.
    pub ended_sessions: BTreeMap<SessionId, Timestamp>,
    /// What of its events is not stored as it came.
    pub privacy: Privacy,
}

/// Revoked tokens that are remembered.
pub const REVOKED_MAX: usize = 1_000;

/// The facts of one command, stored together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigEvent {
    /// When.
    pub at: Timestamp,
    /// Who: a token's id, or `platform`.
    pub actor: String,
    /// The command that caused it.
    pub command: CommandId,
    /// What changed.
    pub changes: Vec<ConfigChange>,
    /// The request behind it; none in facts that are older than this.
    pub origin: Option<Origin>,
    /// What changed, old and new, for the organization's own log: a JSON object without secrets.
    pub summary: String,
}

/// One change of an organization's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigChange {
    /// The organization exists from here on.
    OrganizationCreated {
        /// Its name.
        name: String,
    },
    /// A destination was made.
    DestinationCreated(Destination),
    /// A destination is as given from here on.
    DestinationUpdated(Destination),
    /// A destination is gone.
    DestinationDeleted(DestinationId),
    /// The scope's webhook is as given from here on.
    WebhookChanged {
        /// Whose webhook.
        scope: Scope,
        /// Where to send.
        destination: Option<DestinationId>,
        /// Whether to send.
        enabled: bool,
    },
    /// The scope has no webhook from here on; its lane's cursor goes with it.
    WebhookRemoved(Scope),
    /// A portal was made.
    PortalCreated(Portal),
    /// A portal is as given from here on.
    PortalUpdated(Portal),
    /// A portal is gone, with its webhook.
    PortalDeleted(PortalId),
    /// A token may be used from here on.
    TokenIssued(Token),
    /// A token may not be used any more.
    TokenRevoked(TokenId),
    /// Somebody signed out of the console.
    SessionEnded {
        /// Which session counts no more.
        session: SessionId,
        /// When it would have ended by itself.
        until: Timestamp,
    },
    /// Events that are admitted from here on are treated so.
    PrivacyChanged(Privacy),
}

impl OrgConfig {
    /// The scope's webhook and its destination, if it has both and is switched on.
    pub fn enabled_destination(&self, scope: Scope) -> Option<(&Webhook, &Destination)> {
        let webhook = self.webhooks.get(&scope).filter(|webhook| webhook.enabled)?;
        Some((webhook, self.destinations.get(&webhook.destination?)?))
    }

    /// Applies the facts of one command; what cannot follow leaves everything as it was. In place:
    /// an organization may have thousands of portals, and a fact changes one.
    pub fn evolve(&mut self, event: &ConfigEvent) -> Result<(), Corrupt> {
        if let [change] = event.changes.as_slice() {
            return self.apply(change, event.at);
        }
        let mut next = self.clone();
        for change in &event.changes {
            next.apply(change, event.at)?;
        }
        *self = next;
        Ok(())
    }

    /// Applies a change, or leaves everything as it was.
    fn apply(&mut self, change: &ConfigChange, at: Timestamp) -> Result<(), Corrupt> {
        match change {
            ConfigChange::OrganizationCreated { name } => {
                (self.name, self.created_at) = (Some(name.clone()), Some(at));
            }
            ConfigChange::DestinationCreated(destination)
            | ConfigChange::DestinationUpdated(destination) => {
                self.destinations.insert(destination.id, destination.clone());
            }
            ConfigChange::DestinationDeleted(id) => {
                self.destinations.remove(id).ok_or_else(|| unknown("destination", id))?;
            }
            ConfigChange::WebhookChanged { scope, destination, enabled } => {
                self.change_webhook(*scope, *destination, *enabled, at);
            }
            ConfigChange::WebhookRemoved(scope) => {
                self.webhooks.remove(scope).ok_or_else(|| unknown("webhook", scope))?;
            }
            ConfigChange::PortalCreated(portal) | ConfigChange::PortalUpdated(portal) => {
                self.portals.insert(portal.id, portal.clone());
            }
            ConfigChange::PortalDeleted(id) => {
                self.portals.remove(id).ok_or_else(|| unknown("portal", id))?;
                self.webhooks.retain(|scope, _| scope.portal() != Some(*id));
            }
            ConfigChange::TokenIssued(token) => {
                self.tokens.insert(token.id, token.clone());
            }
            ConfigChange::TokenRevoked(id) => {
                let token = self.tokens.remove(id).ok_or_else(|| unknown("token", id))?;
                self.revoked.insert(*id, token);
                if self.revoked.len() > REVOKED_MAX {
                    self.revoked.pop_first();
                }
            }
            ConfigChange::SessionEnded { session, until } => {
                self.end_session(*session, *until, at);
            }
            ConfigChange::PrivacyChanged(privacy) => self.privacy = privacy.clone(),
        }
        Ok(())
    }

    /// Those that are over anyway are forgotten.
    fn end_session(&mut self, session: SessionId, until: Timestamp, at: Timestamp) {
        self.ended_sessions.retain(|_, until| *until > at);
        self.ended_sessions.insert(session, until);
    }

    fn change_webhook(
        &mut self,
        scope: Scope,
        destination: Option<DestinationId>,
        enabled: bool,
        at: Timestamp,
    ) {
        let can_send = (enabled && destination.is_some()).then_some(at);
        let since = self.webhooks.get(&scope).and_then(|webhook| webhook.since).or(can_send);
        self.webhooks.insert(scope, Webhook { destination, enabled, since, updated_at: at });
    }
}

fn unknown(kind: &str, id: impl std::fmt::Display) -> Corrupt {
    Corrupt::new(
        format_args!("a configuration without {kind} {id}"),
        format_args!("end of {kind} {id}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::destination::{LogFormat, SealedSecret, TlsPolicy};
    use crate::id::OrgId;
    use crate::token::Role;
    use uuid::Uuid;

    fn changed(at: i64, destination: Option<DestinationId>, enabled: bool) -> ConfigEvent {
        let scope = Scope::Organization(OrgId::from_uuid(Uuid::nil()));
        ConfigEvent {
            at: Timestamp::from_nanos(at),
            actor: "test".to_owned(),
            command: CommandId::from_uuid(Uuid::nil()),
            changes: vec![ConfigChange::WebhookChanged { scope, destination, enabled }],
            origin: None,
            summary: String::new(),
        }
    }

    #[test]
    fn a_webhook_keeps_the_time_it_first_could_send() {
        let scope = Scope::Organization(OrgId::from_uuid(Uuid::nil()));
        let destination = Some(DestinationId::from_uuid(Uuid::nil()));
        let since = |config: &OrgConfig| config.webhooks[&scope].since.map(Timestamp::nanos);
        let mut config = OrgConfig::default();
        for (cannot_send, enabled) in [(None, false), (None, true), (destination, false)] {
            config.evolve(&changed(1, cannot_send, enabled)).unwrap();
            assert_eq!(since(&config), None, "{cannot_send:?} {enabled}");
        }
        config.evolve(&changed(2, destination, true)).unwrap();
        config.evolve(&changed(3, destination, false)).unwrap();
        config.evolve(&changed(4, destination, true)).unwrap();
        assert_eq!(since(&config), Some(2));
    }

    #[test]
    fn only_what_is_switched_on_and_there_is_sent_to() {
        let scope = Scope::Organization(OrgId::from_uuid(Uuid::nil()));
        let there = destination();
        let gone = DestinationId::from_uuid(Uuid::max());
        for (bound, enabled, sent_to) in [
            (Some(there.id), true, true),
            (Some(there.id), false, false),
            (Some(gone), true, false),
            (None, true, false),
        ] {
            let mut config = OrgConfig::default();
            config.destinations.insert(there.id, there.clone());
            config.evolve(&changed(1, bound, enabled)).unwrap();
            let found = config.enabled_destination(scope).map(|(_, found)| found);
            assert_eq!(found, sent_to.then_some(&there), "{bound:?} {enabled}");
        }
        assert_eq!(OrgConfig::default().enabled_destination(scope), None);
    }

    fn destination() -> Destination {
        Destination {
            id: DestinationId::from_uuid(Uuid::nil()),
            name: "SIEM".to_owned(),
            endpoint: "https://siem.example".to_owned(),
            authorization: SealedSecret {
                key_id: String::new(),
                nonce: vec![],
                ciphertext: vec![],
            },
            log_format: LogFormat::Cef,
            tls: TlsPolicy::Verify,
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
            implicit: false,
        }
    }

    #[test]
    fn of_revoked_tokens_the_newest_are_remembered() {
        let id = |number: usize| TokenId::from_uuid(Uuid::from_u128(number as u128));
        let mut config = OrgConfig::default();
        for number in 0..=REVOKED_MAX {
            assert_eq!(config.revoked.len(), number);
            config.tokens.insert(id(number), token(id(number)));
            let changes = vec![ConfigChange::TokenRevoked(id(number))];
            config.evolve(&ConfigEvent { changes, ..changed(1, None, false) }).unwrap();
        }
        assert_eq!(config.revoked.len(), REVOKED_MAX);
        assert!(!config.revoked.contains_key(&id(0)) && config.revoked.contains_key(&id(1)));
        assert!(config.tokens.is_empty());
    }

    fn token(id: TokenId) -> Token {
        Token {
            id,
            name: "deploy".to_owned(),
            sha256: [0; 32],
            prefix: String::new(),
            role: Role::Admin,
            expires_at: None,
        }
    }

    #[test]
    fn sessions_are_remembered_until_they_are_over_anyway() {
        let ended = |id: u128, at: i64| {
            let until = Timestamp::from_nanos(at + 10);
            let session = SessionId::from_uuid(Uuid::from_u128(id));
            let changes = vec![ConfigChange::SessionEnded { session, until }];
            ConfigEvent { changes, ..changed(at, None, false) }
        };
        let mut config = OrgConfig::default();
        config.evolve(&ended(1, 0)).unwrap();
        config.evolve(&ended(2, 9)).unwrap();
        assert_eq!(config.ended_sessions.len(), 2);
        config.evolve(&ended(3, 10)).unwrap();
        let left: Vec<u128> =
            config.ended_sessions.keys().map(|session| session.uuid().as_u128()).collect();
        assert_eq!(left, [2, 3]);
    }

    #[test]
    fn the_end_of_something_unknown_is_corrupt_and_changes_nothing() {
        let revoked = ConfigChange::TokenRevoked(TokenId::from_uuid(Uuid::nil()));
        let named = ConfigChange::OrganizationCreated { name: "Acme".to_owned() };
        for changes in [vec![revoked.clone()], vec![named, revoked]] {
            let mut config = OrgConfig::default();
            let event = ConfigEvent { changes, ..changed(1, None, false) };
            assert!(config.evolve(&event).is_err());
            assert_eq!(config, OrgConfig::default());
        }
    }
}
