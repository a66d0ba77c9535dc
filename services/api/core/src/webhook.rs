//! Webhooks: a scope's switch, and which destination it leads to.

pub mod inline;

use auditrelay_model::config::{ConfigChange, OrgConfig};
use auditrelay_model::id::DestinationId;
use auditrelay_model::scope::Scope;
use auditrelay_model::webhook::Webhook;
use serde::Serialize;

use crate::body::{Given, Reader, Unknown};
use crate::command::{Decided, Denial};
use crate::fault::{Fault, Wrong};

/// What is to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WebhookPatch {
    /// Which destination; null takes it away.
    pub destination: Given<DestinationId>,
    /// The switch.
    pub enabled: Option<bool>,
}

const DESTINATION: &str = "audit_log_destination_id";

impl WebhookPatch {
    /// Reads the body of a request to change a webhook.
    pub fn parse(body: &[u8]) -> Result<Self, Vec<Fault>> {
        let mut reader = Reader::parse(body)?;
        let destination = match reader.text(DESTINATION).map(|text| text.parse()) {
            Given::Absent => Given::Absent,
            Given::Null => Given::Null,
            Given::Value(Ok(id)) => Given::Value(id),
            Given::Value(Err(_)) => {
                reader.fault(DESTINATION, Wrong::DestinationId);
                Given::Absent
            }
        };
        let enabled = reader.flag("enabled").value();
        reader.finish(Unknown::Ignored)?;
        Ok(Self { destination, enabled })
    }
}

/// Decides on a changed webhook.
pub(crate) fn patch(config: &OrgConfig, scope: Scope, patch: WebhookPatch) -> Decided {
    check_scope(config, scope)?;
    let old = config.webhooks.get(&scope);
    let destination = match patch.destination {
        Given::Absent => old.and_then(|webhook| webhook.destination),
        Given::Null => None,
        Given::Value(id) if config.destinations.contains_key(&id) => Some(id),
        Given::Value(_) => return Err(Denial::NotFound),
    };
    let enabled = match patch.enabled {
        Some(true) if destination.is_none() => {
            return Err(Denial::fault(DESTINATION, Wrong::Required));
        }
        Some(enabled) => enabled,
        // Without a destination there is nothing to switch on.
        None => destination.is_some() && old.is_some_and(|webhook| webhook.enabled),
    };
    Ok(change(config, scope, destination, enabled))
}

/// Decides on the end of a webhook.
pub(crate) fn remove(config: &OrgConfig, scope: Scope) -> Decided {
    check_scope(config, scope)?;
    let old = config.webhooks.get(&scope).ok_or(Denial::NotFound)?;
    let mut changes = vec![ConfigChange::WebhookRemoved(scope)];
    changes.extend(unused_implicit(config, scope, old.destination, None));
    Ok(changes)
}

/// The changes that lead to this webhook; none when it is so already.
fn change(
    config: &OrgConfig,
    scope: Scope,
    destination: Option<DestinationId>,
    enabled: bool,
) -> Vec<ConfigChange> {
    let old = config.webhooks.get(&scope);
    let before = old.map_or((None, false), |webhook| (webhook.destination, webhook.enabled));
    if before == (destination, enabled) {
        return Vec::new();
    }
    let mut changes = vec![ConfigChange::WebhookChanged { scope, destination, enabled }];
    changes.extend(unused_implicit(config, scope, before.0, destination));
    changes
}

/// The end of a destination that was only made for this webhook and that nobody names any more.
pub(crate) fn unused_implicit(
    config: &OrgConfig,
    scope: Scope,
    before: Option<DestinationId>,
    after: Option<DestinationId>,
) -> Option<ConfigChange> {
    let id = before.filter(|id| Some(*id) != after)?;
    let implicit = config.destinations.get(&id).is_some_and(|destination| destination.implicit);
    let mut others = config.webhooks.iter().filter(|(other, _)| **other != scope);
    let used = others.any(|(_, webhook)| webhook.destination == Some(id));
    (implicit && !used).then_some(ConfigChange::DestinationDeleted(id))
}

fn check_scope(config: &OrgConfig, scope: Scope) -> Result<(), Denial> {
    match scope.portal() {
        Some(portal) if !config.portals.contains_key(&portal) => Err(Denial::NotFound),
        Some(_) | None => Ok(()),
    }
}

/// A webhook on the wire.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct View {
    /// Which destination.
    pub audit_log_destination_id: Option<String>,
    /// The switch.
    pub enabled: bool,
}

impl View {
    /// A scope's webhook; one that is not there reads as switched off.
    pub fn of(webhook: Option<&Webhook>) -> Self {
        let id = webhook.and_then(|webhook| webhook.destination);
        Self {
            audit_log_destination_id: id.map(|id| id.to_string()),
            enabled: webhook.is_some_and(|webhook| webhook.enabled),
        }
    }
}

#[cfg(test)]
mod tests;
