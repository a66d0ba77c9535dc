//! What belongs to an event: to any, and to one of each kind.

use std::net::IpAddr;

use auditrelay_model::Timestamp;
use auditrelay_model::event::{
    Access, AuditEvent, Authentication, AuthenticationOutcome, AuthenticationType, Authorization,
    Detail, EventKind,
};
use auditrelay_model::id::EventId;

use super::form::Form;
use super::{LONG, METHOD, SHORT};
use crate::draft::Field;
use crate::rejection::RejectionKind;

/// What every kind of event may have.
pub(super) struct Common {
    principal_id: String,
    principal_name: String,
    actor_id: String,
    client_ip: Option<IpAddr>,
    uri: String,
    user_agent: String,
    trace_id: String,
    platform_initiated: bool,
}

impl Common {
    pub(super) fn event(
        self,
        id: EventId,
        ts: Timestamp,
        traceparent: String,
        detail: Detail,
    ) -> AuditEvent {
        AuditEvent {
            id,
            ts,
            principal_id: self.principal_id,
            principal_name: self.principal_name,
            actor_id: self.actor_id,
            client_ip: self.client_ip,
            uri: self.uri,
            user_agent: self.user_agent,
            trace_id: self.trace_id,
            platform_initiated: self.platform_initiated,
            traceparent,
            detail,
        }
    }
}

pub(super) fn common(form: &mut Form<'_>, kind: Option<EventKind>) -> Common {
    Common {
        principal_id: form.text(Field::PrincipalId, SHORT),
        principal_name: form.text(Field::PrincipalName, SHORT),
        actor_id: form.text(Field::ActorId, SHORT),
        client_ip: form.parsed(Field::ClientIp, client_ip),
        uri: match kind {
            Some(EventKind::Access) => form.required_text(Field::Uri, LONG),
            Some(EventKind::Authentication | EventKind::Authorization) | None => {
                form.text(Field::Uri, LONG)
            }
        },
        user_agent: form.text(Field::UserAgent, LONG),
        trace_id: form.text(Field::TraceId, SHORT),
        platform_initiated: form.flag(Field::KongInitiated).unwrap_or(false),
    }
}

/// What the kind asks for; `None` when any of it is wrong.
pub(super) fn detail(form: &mut Form<'_>, kind: EventKind) -> Option<Detail> {
    match kind {
        EventKind::Authentication => {
            let (types, outcomes) = (AuthenticationType::ALL, AuthenticationOutcome::ALL);
            let method = form.choice(Field::AuthenticationType, types, AuthenticationType::name);
            let outcome = form.choice(Field::Outcome, outcomes, AuthenticationOutcome::name);
            let success = form.flag(Field::Successful);
            let (method, outcome) = (method?, outcome?);
            let success = success.unwrap_or(outcome == AuthenticationOutcome::Success);
            Some(Detail::Authentication(Authentication { method, outcome, success }))
        }
        EventKind::Authorization => {
            let service = form.required_text(Field::Service, SHORT);
            let resource = form.required_text(Field::Resource, LONG);
            let action = form.required_text(Field::Action, SHORT);
            let granted = form.required_flag(Field::Granted)?;
            Some(Detail::Authorization(Authorization { service, resource, action, granted }))
        }
        EventKind::Access => {
            let method = form.required_text(Field::Method, METHOD);
            let status_code = form.required_integer(Field::StatusCode, 100, 599);
            let query = form.text(Field::Query, LONG);
            Some(Detail::Access(Access { method, status_code: status_code?, query }))
        }
    }
}

/// An IPv4 address in IPv6 clothes is stored as what it is.
fn client_ip(text: &str) -> Result<IpAddr, RejectionKind> {
    let address: Result<IpAddr, _> = text.parse();
    address
        .map(|address| address.to_canonical())
        .map_err(|_| RejectionKind::Invalid("must be an IP address".into()))
}
