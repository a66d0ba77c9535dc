//! What happens to an organization itself, as events of its own log: every change of its
//! configuration, the beginning and the end of every replay job, every call that was denied.
//!
//! An event is made of a stored fact and of nothing else, its id too: however often a fact is read,
//! it is the same event.

use std::time::Duration;

use auditrelay_model::access::{AccessEvent, AccessFact, Denied, Principal, Reason};
use auditrelay_model::config::ConfigEvent;
use auditrelay_model::event::{Access, AuditEvent, Detail};
use auditrelay_model::id::{EventId, OrgId};
use auditrelay_model::origin::Origin;
use auditrelay_model::replay::{Progress, ReplayEvent, ReplayFact};
use auditrelay_model::{Scope, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::admit::{LONG, METHOD, SHORT};

/// The method of what no request asked for.
const NO_METHOD: &str = "END";

/// The place of a fact: no two have the same.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The organization that it is about.
    pub org: OrgId,
    /// Its stream.
    pub stream: &'a str,
    /// Where it is in it.
    pub sequence: u64,
}

/// A change of configuration.
pub fn of_config(place: Place<'_>, fact: &ConfigEvent) -> AuditEvent {
    let made = Made { place, at: fact.at, principal: &fact.actor, query: fact.summary.clone() };
    match &fact.origin {
        Some(origin) => made.asked_for(origin, answered(origin)),
        None => made.unasked(String::new(), 200),
    }
}

/// What somebody did with a replay job, and its end; how far it comes is not told.
pub fn of_replay(place: Place<'_>, fact: &ReplayEvent) -> Option<AuditEvent> {
    let (status, told) = match &fact.fact {
        ReplayFact::Scheduled(_) | ReplayFact::Started { .. } | ReplayFact::Advanced(_) => {
            return None;
        }
        ReplayFact::Accepted { window, .. } => (
            202,
            json!({"start_at": window.start().to_string(), "end_at": window.end().to_string()}),
        ),
        ReplayFact::Paused { reason } => (200, json!({"reason": cut(reason, SHORT)})),
        ReplayFact::Resumed => (200, json!({})),
        ReplayFact::Completed(progress) => (200, counts(progress)),
        ReplayFact::Cancelled { reason, progress } => (200, with_reason(reason, progress)),
        ReplayFact::Failed { failure, progress } => {
            let mut told = with_reason(&failure.reason, progress);
            put(&mut told, "code", failure.code.as_str().into());
            (500, told)
        }
    };
    let mut query = json!({"replay_job": fact.job.to_string(), "state": fact.fact.to_string()});
    for (name, value) in told.as_object().into_iter().flatten() {
        put(&mut query, name, value.clone());
    }
    if let Some(portal) = fact.scope.portal() {
        put(&mut query, "portal_id", portal.to_string().into());
    }
    let made = Made { place, at: fact.at, principal: &fact.actor, query: query.to_string() };
    let was_asked = matches!(
        fact.fact,
        ReplayFact::Accepted { .. }
            | ReplayFact::Paused { .. }
            | ReplayFact::Resumed
            | ReplayFact::Cancelled { .. }
    );
    Some(match fact.origin.as_ref().filter(|_| was_asked) {
        Some(origin) => made.asked_for(origin, status),
        None => made.unasked(job_path(fact.scope), status),
    })
}

/// Calls that were denied; uses of tokens are no events.
pub fn of_access(place: Place<'_>, fact: &AccessEvent) -> Option<AuditEvent> {
    let AccessFact::Denied(Denied { reason, count, origin }) = &fact.fact else { return None };
    let status = match reason {
        Reason::TokenExpired | Reason::TokenRevoked | Reason::WrongSecret => 401,
        Reason::Forbidden => 403,
        Reason::Foreign => 404,
    };
    let mut query = json!({"denied": reason.name()});
    if *count > 1 {
        put(&mut query, "count", (*count).into());
    }
    let principal = match &fact.principal {
        // Nobody knows who that was.
        Principal::Token(_) if *reason == Reason::WrongSecret => String::new(),
        principal => principal.to_string(),
    };
    let made = Made { place, at: fact.at, principal: &principal, query: query.to_string() };
    Some(made.asked_for(origin, status))
}

/// Brings an event that comes very late to where windows over its log still find it.
pub fn in_reach(mut event: AuditEvent, now: Timestamp, max_lateness: Duration) -> AuditEvent {
    event.ts = event.ts.max(now - max_lateness);
    event
}

/// What the API answered, by how it was asked.
fn answered(origin: &Origin) -> u16 {
    match origin.method.as_str() {
        "POST" if origin.uri.starts_with("/console") => 303,
        "POST" => 201,
        "DELETE" => 204,
        _ => 200,
    }
}

fn job_path(scope: Scope) -> String {
    match scope.portal() {
        None => "/v3/audit-log-replay-job".to_owned(),
        Some(portal) => format!("/v3/portals/{portal}/audit-log-replay-job"),
    }
}

fn counts(progress: &Progress) -> Value {
    json!({
        "events_sent": progress.events_sent,
        "events_quarantined": progress.events_quarantined,
        "events_expired": progress.events_expired,
    })
}

fn with_reason(reason: &str, progress: &Progress) -> Value {
    let mut told = counts(progress);
    put(&mut told, "reason", cut(reason, SHORT).into());
    told
}

fn put(object: &mut Value, name: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

fn cut(text: &str, max: usize) -> String {
    text.chars().take(max).collect()
}

/// What every event of the trail is made of.
struct Made<'a> {
    place: Place<'a>,
    at: Timestamp,
    principal: &'a str,
    query: String,
}

impl Made<'_> {
    /// Somebody's request led to it.
    fn asked_for(self, origin: &Origin, status_code: u16) -> AuditEvent {
        let access = Access {
            method: cut(&origin.method, METHOD),
            status_code,
            query: cut(&self.query, LONG),
        };
        AuditEvent {
            id: self.id(),
            ts: self.at,
            principal_id: cut(self.principal, SHORT),
            principal_name: cut(&origin.principal_name, SHORT),
            actor_id: String::new(),
            client_ip: origin.client_ip,
            uri: cut(&origin.uri, LONG),
            user_agent: cut(&origin.user_agent, LONG),
            trace_id: origin.trace_id().to_owned(),
            platform_initiated: false,
            traceparent: origin.traceparent.clone(),
            detail: Detail::Access(access),
        }
    }

    /// A service did it by itself.
    fn unasked(self, uri: String, status_code: u16) -> AuditEvent {
        let origin = Origin { method: NO_METHOD.to_owned(), uri, ..Origin::default() };
        AuditEvent { platform_initiated: true, ..self.asked_for(&origin, status_code) }
    }

    fn id(&self) -> EventId {
        let digest: [u8; 32] = Sha256::new()
            .chain_update(b"auditrelay trail\0")
            .chain_update(self.place.org.uuid().as_bytes())
            .chain_update(self.place.stream)
            .chain_update(self.place.sequence.to_be_bytes())
            .chain_update(self.at.nanos().to_be_bytes())
            .finalize()
            .into();
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        EventId::from_uuid(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }
}

#[cfg(test)]
mod tests;
