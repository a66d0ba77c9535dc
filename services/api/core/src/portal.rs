//! Developer portals, as far as their audit logs and the clients that manage them need.

mod draft;
mod labels;

use auditrelay_model::Timestamp;
use auditrelay_model::config::{ConfigChange, OrgConfig};
use auditrelay_model::id::PortalId;
use auditrelay_model::portal::Portal;
use serde_json::{Map, Value, json};

pub use draft::{Draft, PortalPatch};

use crate::command::{Decided, Denial, check_room};
use crate::fault::Wrong;
use crate::filter::Filter;

/// Fields that lists can be filtered by.
pub const FILTER_FIELDS: &[&str] = &[
    "id",
    "name",
    "display_name",
    "description",
    "authentication_enabled",
    "rbac_enabled",
    "auto_approve_developers",
    "auto_approve_applications",
];

/// Decides on a new portal.
pub(crate) fn create(config: &OrgConfig, at: Timestamp, new: &Portal) -> Decided {
    if config.portals.contains_key(&new.id) {
        return Ok(Vec::new());
    }
    check_room(config.portals.len())?;
    if is_taken(config, new.id, &new.name) {
        let taken = Wrong::Invalid("is already the name of another portal");
        return Err(Denial::fault("name", taken));
    }
    let portal = Portal { created_at: at, updated_at: at, ..new.clone() };
    Ok(vec![ConfigChange::PortalCreated(portal)])
}

/// Decides on a changed portal.
pub(crate) fn update(
    config: &OrgConfig,
    at: Timestamp,
    id: PortalId,
    patch: &PortalPatch,
) -> Decided {
    let old = config.portals.get(&id).ok_or(Denial::NotFound)?;
    let new = patch.applied(old)?;
    if new == *old {
        return Ok(Vec::new());
    }
    if is_taken(config, id, &new.name) {
        return Err(Denial::Conflict("A portal with this name already exists"));
    }
    Ok(vec![ConfigChange::PortalUpdated(Portal { updated_at: at, ..new })])
}

/// Decides on the end of a portal; its webhook goes with it.
pub(crate) fn delete(config: &OrgConfig, id: PortalId) -> Decided {
    if !config.portals.contains_key(&id) {
        return Err(Denial::NotFound);
    }
    let mut changes = vec![ConfigChange::PortalDeleted(id)];
    let webhook = config.webhooks.iter().find(|(scope, _)| scope.portal() == Some(id));
    if let Some((scope, webhook)) = webhook {
        let unused = crate::webhook::unused_implicit(config, *scope, webhook.destination, None);
        changes.extend(unused);
    }
    Ok(changes)
}

fn is_taken(config: &OrgConfig, id: PortalId, name: &str) -> bool {
    config.portals.values().any(|other| other.id != id && other.name == name)
}

/// A portal on the wire: every key, every time.
pub fn view(portal: &Portal) -> Map<String, Value> {
    let mut view = draft::defaults();
    view.extend(attributes(portal));
    let domain = domain(portal.id);
    let own = [
        ("id", json!(portal.id.to_string())),
        ("name", json!(portal.name)),
        ("display_name", json!(portal.display_name)),
        ("created_at", json!(portal.created_at.to_string())),
        ("updated_at", json!(portal.updated_at.to_string())),
        ("default_domain", json!(domain)),
        ("canonical_domain", json!(domain)),
        ("labels", json!(portal.labels)),
    ];
    view.extend(own.map(|(key, value)| (key.to_owned(), value)));
    view
}

/// The portals that a filter wants: by name if `sort` says so (`name`, `-name`, `name desc`), else
/// in the order in which they were made.
pub fn list(config: &OrgConfig, filter: &Filter, sort: Option<&str>) -> Vec<Map<String, Value>> {
    let views = config.portals.values().map(view);
    let wanted = views.filter(|view| filter.admits(|field| view.get(field).and_then(word)));
    let mut portals: Vec<_> = wanted.collect();
    let sort = sort.unwrap_or_default();
    let field = sort.trim_start_matches('-').split(' ').next().unwrap_or_default();
    if field == "name" {
        let name = |view: &Map<String, Value>| view.get(field).and_then(word).map(str::to_owned);
        portals.sort_by_cached_key(name);
    }
    if sort.starts_with('-') || sort.ends_with(" desc") {
        portals.reverse();
    }
    portals
}

fn word(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        Value::Bool(true) => Some("true"),
        Value::Bool(false) => Some("false"),
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The attributes that are kept as they came; nothing else was ever stored.
fn attributes(portal: &Portal) -> Map<String, Value> {
    serde_json::from_str(&portal.attributes_json).unwrap_or_default()
}

/// A host name that clients can show. Portals are served elsewhere; `.internal` never resolves
/// publicly.
fn domain(id: PortalId) -> String {
    let text = id.to_string();
    let tail = text.rsplit('-').next().unwrap_or_default();
    format!("{tail}.portals.auditrelay.internal")
}

#[cfg(test)]
mod tests;
