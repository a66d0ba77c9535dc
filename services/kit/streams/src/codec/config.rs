//! `auditrelay.config.v1`.

use auditrelay_model::Timestamp;
use auditrelay_model::config::{ConfigChange, ConfigEvent};
use auditrelay_model::destination::{Destination, LogFormat, SealedSecret, TlsPolicy};
use auditrelay_model::id::OrgId;
use auditrelay_model::portal::Portal;
use auditrelay_model::privacy::{Privacy, PrivateField, Treatment};
use auditrelay_model::token::{Role, Token};
use auditrelay_proto::config::v1 as wire;
use prost::Message;
use wire::config_change::Change;

use super::event::{number_of, value_of};
use super::{DecodeError, known, parse, required, types};

pub(crate) fn encode(org: OrgId, event: &ConfigEvent) -> Vec<u8> {
    let changes = event
        .changes
        .iter()
        .map(|change| wire::ConfigChange { change: Some(change_to_wire(org, change)) });
    wire::ConfigEvent {
        at_ns: event.at.nanos(),
        actor: event.actor.clone(),
        command_id: event.command.to_string(),
        changes: changes.collect(),
        origin: event.origin.as_ref().map(types::origin),
        summary_json: event.summary.clone(),
        min_writer: 0,
    }
    .encode_to_vec()
}

pub(crate) fn decode(bytes: &[u8]) -> Result<ConfigEvent, DecodeError> {
    let event =
        wire::ConfigEvent::decode(bytes).map_err(|_| DecodeError::Malformed("config event"))?;
    let changes =
        event.changes.into_iter().map(|change| change_from_wire(known(change.change, "change")?));
    Ok(ConfigEvent {
        at: Timestamp::from_nanos(event.at_ns),
        actor: event.actor,
        command: parse(&event.command_id, "command_id")?,
        changes: changes.collect::<Result<_, _>>()?,
        origin: event.origin.map(types::read_origin),
        summary: event.summary_json,
    })
}

fn change_to_wire(org: OrgId, change: &ConfigChange) -> Change {
    match change {
        ConfigChange::OrganizationCreated { name } => {
            Change::OrganizationCreated(wire::OrganizationCreated {
                org_id: org.to_string(),
                name: name.clone(),
            })
        }
        ConfigChange::DestinationCreated(destination) => {
            Change::DestinationCreated(destination_to_wire(destination))
        }
        ConfigChange::DestinationUpdated(destination) => {
            Change::DestinationUpdated(destination_to_wire(destination))
        }
        ConfigChange::DestinationDeleted(id) => {
            Change::DestinationDeleted(wire::DestinationDeleted { destination_id: id.to_string() })
        }
        ConfigChange::WebhookChanged { scope, destination, enabled } => {
            Change::WebhookChanged(wire::WebhookChanged {
                scope: Some(types::scope(*scope)),
                destination_id: destination.map(|id| id.to_string()).unwrap_or_default(),
                enabled: *enabled,
            })
        }
        ConfigChange::WebhookRemoved(scope) => {
            Change::WebhookRemoved(wire::WebhookRemoved { scope: Some(types::scope(*scope)) })
        }
        ConfigChange::PortalCreated(portal) => Change::PortalCreated(portal_to_wire(portal)),
        ConfigChange::PortalUpdated(portal) => Change::PortalUpdated(portal_to_wire(portal)),
        ConfigChange::PortalDeleted(id) => {
            Change::PortalDeleted(wire::PortalDeleted { portal_id: id.to_string() })
        }
        ConfigChange::TokenIssued(token) => Change::TokenIssued(token_to_wire(token)),
        ConfigChange::TokenRevoked(id) => {
            Change::TokenRevoked(wire::TokenRevoked { token_id: id.to_string() })
        }
        ConfigChange::SessionEnded { session, until } => Change::SessionEnded(wire::SessionEnded {
            session_id: session.to_string(),
            until_ns: until.nanos(),
        }),
        ConfigChange::PrivacyChanged(privacy) => Change::PrivacyChanged(privacy_to_wire(privacy)),
    }
}

fn change_from_wire(change: Change) -> Result<ConfigChange, DecodeError> {
    Ok(match change {
        Change::OrganizationCreated(fact) => ConfigChange::OrganizationCreated { name: fact.name },
        Change::DestinationCreated(fact) => {
            ConfigChange::DestinationCreated(destination_from_wire(fact)?)
        }
        Change::DestinationUpdated(fact) => {
            ConfigChange::DestinationUpdated(destination_from_wire(fact)?)
        }
        Change::DestinationDeleted(fact) => {
            ConfigChange::DestinationDeleted(parse(&fact.destination_id, "destination_id")?)
        }
        Change::WebhookChanged(fact) => ConfigChange::WebhookChanged {
            scope: types::read_scope(fact.scope)?,
            destination: match fact.destination_id.as_str() {
                "" => None,
                id => Some(parse(id, "destination_id")?),
            },
            enabled: fact.enabled,
        },
        Change::WebhookRemoved(fact) => {
            ConfigChange::WebhookRemoved(types::read_scope(fact.scope)?)
        }
        Change::PortalCreated(fact) => ConfigChange::PortalCreated(portal_from_wire(fact)?),
        Change::PortalUpdated(fact) => ConfigChange::PortalUpdated(portal_from_wire(fact)?),
        Change::PortalDeleted(fact) => {
            ConfigChange::PortalDeleted(parse(&fact.portal_id, "portal_id")?)
        }
        Change::TokenIssued(fact) => ConfigChange::TokenIssued(token_from_wire(fact)?),
        Change::TokenRevoked(fact) => {
            ConfigChange::TokenRevoked(parse(&fact.token_id, "token_id")?)
        }
        Change::SessionEnded(fact) => ConfigChange::SessionEnded {
            session: parse(&fact.session_id, "session_id")?,
            until: Timestamp::from_nanos(fact.until_ns),
        },
        Change::PrivacyChanged(fact) => ConfigChange::PrivacyChanged(privacy_from_wire(&fact)?),
    })
}

pub(super) fn destination_to_wire(destination: &Destination) -> wire::Destination {
    let sealed = &destination.authorization;
    wire::Destination {
        destination_id: destination.id.to_string(),
        name: destination.name.clone(),
        endpoint: destination.endpoint.clone(),
        authorization: Some(wire::SealedSecret {
            key_id: sealed.key_id.clone(),
            nonce: sealed.nonce.clone(),
            ciphertext: sealed.ciphertext.clone(),
        }),
        log_format: number_of(LogFormat::ALL, destination.log_format),
        skip_ssl_verification: destination.tls.skips(),
        created_ns: destination.created_at.nanos(),
        updated_ns: destination.updated_at.nanos(),
        implicit: destination.implicit,
    }
}

pub(super) fn destination_from_wire(
    destination: wire::Destination,
) -> Result<Destination, DecodeError> {
    let sealed = required(destination.authorization, "authorization")?;
    Ok(Destination {
        id: parse(&destination.destination_id, "destination_id")?,
        name: destination.name,
        endpoint: destination.endpoint,
        authorization: SealedSecret {
            key_id: sealed.key_id,
            nonce: sealed.nonce,
            ciphertext: sealed.ciphertext,
        },
        log_format: value_of(LogFormat::ALL, destination.log_format, "log_format")?,
        tls: TlsPolicy::from_skip(destination.skip_ssl_verification),
        created_at: Timestamp::from_nanos(destination.created_ns),
        updated_at: Timestamp::from_nanos(destination.updated_ns),
        implicit: destination.implicit,
    })
}

fn portal_to_wire(portal: &Portal) -> wire::Portal {
    wire::Portal {
        portal_id: portal.id.to_string(),
        name: portal.name.clone(),
        display_name: portal.display_name.clone(),
        attributes_json: portal.attributes_json.clone(),
        labels: portal.labels.clone(),
        created_ns: portal.created_at.nanos(),
        updated_ns: portal.updated_at.nanos(),
    }
}

fn portal_from_wire(portal: wire::Portal) -> Result<Portal, DecodeError> {
    Ok(Portal {
        id: parse(&portal.portal_id, "portal_id")?,
        name: portal.name,
        display_name: portal.display_name,
        attributes_json: portal.attributes_json,
        labels: portal.labels,
        created_at: Timestamp::from_nanos(portal.created_ns),
        updated_at: Timestamp::from_nanos(portal.updated_ns),
    })
}

fn token_to_wire(token: &Token) -> wire::TokenIssued {
    wire::TokenIssued {
        token_id: token.id.to_string(),
        name: token.name.clone(),
        sha256: token.sha256.to_vec(),
        prefix: token.prefix.clone(),
        role: number_of(Role::ALL, token.role),
        expires_ns: token.expires_at.map(Timestamp::nanos).unwrap_or_default(),
    }
}

fn token_from_wire(token: wire::TokenIssued) -> Result<Token, DecodeError> {
    Ok(Token {
        id: parse(&token.token_id, "token_id")?,
        name: token.name,
        sha256: token.sha256.try_into().map_err(|_| DecodeError::Field("sha256"))?,
        prefix: token.prefix,
        role: value_of(Role::ALL, token.role, "role")?,
        expires_at: (token.expires_ns != 0).then(|| Timestamp::from_nanos(token.expires_ns)),
    })
}

fn privacy_to_wire(privacy: &Privacy) -> wire::PrivacyChanged {
    let fields = privacy.0.iter().map(|(field, treatment)| wire::PrivateField {
        field: number_of(PrivateField::ALL, *field),
        treatment: number_of(Treatment::ALL, *treatment),
    });
    wire::PrivacyChanged { fields: fields.collect() }
}

fn privacy_from_wire(fact: &wire::PrivacyChanged) -> Result<Privacy, DecodeError> {
    let fields = fact.fields.iter().map(|one| {
        let field = value_of(PrivateField::ALL, one.field, "field")?;
        Ok((field, value_of(Treatment::ALL, one.treatment, "treatment")?))
    });
    fields.collect::<Result<_, _>>().map(Privacy)
}
