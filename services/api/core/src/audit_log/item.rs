//! How an event reads in the pull API: other names than on a webhook's lines, and signed alone.

use std::collections::BTreeMap;

use auditrelay_model::Scope;
use auditrelay_model::event::{AuditEvent, Detail};
use serde_json::Value;

/// An event as a JSON object, its keys in order.
pub type Item = BTreeMap<&'static str, Value>;

/// The event with its `signature`: what `sign` makes of the compact JSON of everything else.
pub fn signed(scope: Scope, event: &AuditEvent, sign: impl Fn(&[u8]) -> String) -> Item {
    let mut item = unsigned(scope, event);
    // A map of texts and numbers can always be written.
    let text = serde_json::to_vec(&item).unwrap_or_default();
    item.insert("signature", sign(&text).into());
    item
}

fn unsigned(scope: Scope, event: &AuditEvent) -> Item {
    let mut item = Item::from([
        ("type", event.kind().name().into()),
        ("ts", event.ts.to_string().into()),
        ("org_id", scope.org().to_string().into()),
    ]);
    if let Some(portal) = scope.portal() {
        item.insert("portal_id", portal.to_string().into());
    }
    let client_ip = event.client_ip.map(|ip| ip.to_string()).unwrap_or_default();
    let [principal, actor, ip, uri, agent, trace] = [
        ("principal_id", event.principal_id.as_str()),
        ("actor_id", event.actor_id.as_str()),
        ("client_ip", client_ip.as_str()),
        ("uri", event.uri.as_str()),
        ("user_agent", event.user_agent.as_str()),
        ("trace_id", event.trace_id.as_str()),
    ];
    match &event.detail {
        Detail::Authentication(detail) => {
            always(&mut item, &[ip, uri, agent, trace]);
            if_said(&mut item, &[principal]);
            item.insert("successful", detail.success.into());
            item.insert("outcome", detail.outcome.name().into());
            item.insert("authentication_type", detail.method.name().into());
        }
        Detail::Authorization(detail) => {
            always(&mut item, &[principal]);
            if_said(&mut item, &[actor, ip, uri, agent, trace]);
            item.insert("service", detail.service.as_str().into());
            item.insert("resource", detail.resource.as_str().into());
            item.insert("action", detail.action.as_str().into());
            item.insert("granted", detail.granted.into());
        }
        Detail::Access(detail) => {
            always(&mut item, &[principal, actor, ip, uri, agent, trace]);
            item.insert("method", detail.method.as_str().into());
            item.insert("query", detail.query.as_str().into());
            item.insert("status_code", detail.status_code.into());
        }
    }
    item
}

/// Members that clients demand: empty where there is nothing to say.
fn always(item: &mut Item, members: &[(&'static str, &str)]) {
    item.extend(members.iter().map(|(name, value)| (*name, Value::from(*value))));
}

fn if_said(item: &mut Item, members: &[(&'static str, &str)]) {
    let said = members.iter().filter(|(_, value)| !value.is_empty());
    item.extend(said.map(|(name, value)| (*name, Value::from(*value))));
}
