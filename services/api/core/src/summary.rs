//! What a command changed, old and new, as the organization's own log tells it: never a secret.

use auditrelay_model::config::{ConfigChange, OrgConfig};
use auditrelay_model::destination::Destination;
use auditrelay_model::id::{DestinationId, PortalId, TokenId};
use auditrelay_model::scope::Scope;
use serde_json::{Map, Value, json};

use crate::{destination, portal, privacy, text, token, webhook};

/// Characters of the whole text; the log's own limit lies a little above.
const LENGTH_MAX: usize = 16_000;
/// Characters of one value where the whole would be too long.
const VALUE_MAX: usize = 200;
/// Stands for what was left out.
const MORE: &str = "…";

type Members = Map<String, Value>;

/// A JSON object that says what the changes do to the configuration.
pub fn of(config: &OrgConfig, changes: &[ConfigChange]) -> String {
    let mut told: Vec<Value> = changes.iter().map(|change| change_of(config, change)).collect();
    for shorten in [leave, cut_values, drop_values] {
        told.iter_mut().for_each(shorten);
        let summary = json!({ "changes": told }).to_string();
        if summary.chars().count() <= LENGTH_MAX {
            return summary;
        }
    }
    json!({ "changes": changes.len() }).to_string()
}

const fn leave(_: &mut Value) {}

fn cut_values(told: &mut Value) {
    for side in ["old", "new"] {
        for value in told.get_mut(side).and_then(Value::as_object_mut).into_iter().flatten() {
            let text = value.1.as_str().map_or_else(|| value.1.to_string(), ToOwned::to_owned);
            if text::longer(&text, VALUE_MAX as u64) {
                *value.1 = format!("{}{MORE}", text::cut(&text, VALUE_MAX)).into();
            }
        }
    }
}

fn drop_values(told: &mut Value) {
    for side in ["old", "new"] {
        if let Some(value) = told.get_mut(side) {
            *value = MORE.into();
        }
    }
}

fn change_of(config: &OrgConfig, change: &ConfigChange) -> Value {
    match change {
        ConfigChange::OrganizationCreated { name } => {
            told("organization", None, (None, Some(members(&json!({ "name": name })))))
        }
        ConfigChange::DestinationCreated(new) | ConfigChange::DestinationUpdated(new) => {
            let old = config.destinations.get(&new.id);
            let mut after = destination_of(new);
            if old.is_none_or(|old| old.authorization != new.authorization) {
                let word = if old.is_some() { "changed" } else { "set" };
                after.insert("authorization".to_owned(), word.into());
            }
            let id = Some(new.id.to_string());
            told("destination", id, (old.map(destination_of), Some(after)))
        }
        ConfigChange::DestinationDeleted(id) => gone_destination(config, *id),
        ConfigChange::WebhookChanged { scope, destination, enabled } => {
            let after = json!({
                "audit_log_destination_id": destination.map(|id| id.to_string()),
                "enabled": enabled,
            });
            told(
                "webhook",
                Some(scope.token()),
                (webhook_of(config, *scope), Some(members(&after))),
            )
        }
        ConfigChange::WebhookRemoved(scope) => {
            told("webhook", Some(scope.token()), (webhook_of(config, *scope), None))
        }
        ConfigChange::PortalCreated(new) | ConfigChange::PortalUpdated(new) => {
            let old = config.portals.get(&new.id).map(portal::view);
            told("portal", Some(new.id.to_string()), (old, Some(portal::view(new))))
        }
        ConfigChange::PortalDeleted(id) => gone_portal(config, *id),
        ConfigChange::TokenIssued(new) => {
            let after = members(&json!(token::View::from(new)));
            told("token", Some(new.id.to_string()), (None, Some(after)))
        }
        ConfigChange::TokenRevoked(id) => gone_token(config, *id),
        ConfigChange::SessionEnded { .. } => {
            told("session", None, (None, Some(members(&json!({ "ended": true })))))
        }
        ConfigChange::PrivacyChanged(new) => {
            let shown = |privacy| Some(members(&json!(privacy::View::from(privacy))));
            told("privacy", None, (shown(&config.privacy), shown(new)))
        }
    }
}

fn gone_destination(config: &OrgConfig, id: DestinationId) -> Value {
    let old = config.destinations.get(&id).map(destination_of);
    told("destination", Some(id.to_string()), (old, None))
}

fn gone_portal(config: &OrgConfig, id: PortalId) -> Value {
    told("portal", Some(id.to_string()), (config.portals.get(&id).map(portal::view), None))
}

fn gone_token(config: &OrgConfig, id: TokenId) -> Value {
    let old = config.tokens.get(&id).map(|token| members(&json!(token::View::from(token))));
    told("token", Some(id.to_string()), (old, None))
}

fn webhook_of(config: &OrgConfig, scope: Scope) -> Option<Members> {
    config.webhooks.get(&scope).map(|webhook| members(&json!(webhook::View::of(Some(webhook)))))
}

/// What anybody of the organization may see of it, but for the endpoint's query: receivers put
/// secrets there.
fn destination_of(destination: &Destination) -> Members {
    let mut shown = members(&json!(destination::View::from(destination)));
    if let Some((endpoint, _)) = destination.endpoint.split_once('?') {
        shown.insert("endpoint".to_owned(), format!("{endpoint}?{MORE}").into());
    }
    shown
}

/// Of something that was there before, only what differs.
fn told(what: &str, id: Option<String>, sides: (Option<Members>, Option<Members>)) -> Value {
    let (old, new) = match sides {
        (Some(old), Some(new)) => {
            let differs = |name: &String| old.get(name) != new.get(name);
            let pick = |from: &Members| -> Members {
                let picked = from.iter().filter(|(name, _)| differs(name) && *name != "updated_at");
                picked.map(|(name, value)| (name.clone(), value.clone())).collect()
            };
            (Some(pick(&old)), Some(pick(&new)))
        }
        sides => sides,
    };
    let mut told = Members::new();
    told.insert("what".to_owned(), what.into());
    told.extend(id.map(|id| ("id".to_owned(), id.into())));
    told.extend(old.map(|old| ("old".to_owned(), old.into())));
    told.extend(new.map(|new| ("new".to_owned(), new.into())));
    told.into()
}

fn members(document: &Value) -> Members {
    document.as_object().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests;
