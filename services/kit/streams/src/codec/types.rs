//! Words that several packages use.

use auditrelay_model::origin::Origin;
use auditrelay_model::{Scope, Timestamp, Window};
use auditrelay_proto::types::v1 as wire;

use super::{DecodeError, parse, required};

pub(super) fn scope(scope: Scope) -> wire::Scope {
    wire::Scope {
        org_id: scope.org().to_string(),
        portal_id: scope.portal().map(|portal| portal.to_string()).unwrap_or_default(),
    }
}

pub(super) fn read_scope(scope: Option<wire::Scope>) -> Result<Scope, DecodeError> {
    let scope = required(scope, "scope")?;
    let org = parse(&scope.org_id, "scope.org_id")?;
    if scope.portal_id.is_empty() {
        return Ok(Scope::Organization(org));
    }
    Ok(Scope::Portal(org, parse(&scope.portal_id, "scope.portal_id")?))
}

pub(super) fn window(window: Window) -> wire::Window {
    wire::Window { start_ns: window.start().nanos(), end_ns: window.end().nanos() }
}

pub(super) fn read_window(window: Option<wire::Window>) -> Result<Window, DecodeError> {
    let window = required(window, "window")?;
    Ok(Window::stored(Timestamp::from_nanos(window.start_ns), Timestamp::from_nanos(window.end_ns)))
}

pub(super) fn origin(origin: &Origin) -> wire::Origin {
    wire::Origin {
        principal_name: origin.principal_name.clone(),
        client_ip: origin.client_ip.map(|address| address.to_string()).unwrap_or_default(),
        user_agent: origin.user_agent.clone(),
        method: origin.method.clone(),
        uri: origin.uri.clone(),
        traceparent: origin.traceparent.clone(),
    }
}

pub(super) fn read_origin(origin: wire::Origin) -> Origin {
    Origin {
        principal_name: origin.principal_name,
        client_ip: origin.client_ip.parse().ok(),
        user_agent: origin.user_agent,
        method: origin.method,
        uri: origin.uri,
        traceparent: origin.traceparent,
    }
}
