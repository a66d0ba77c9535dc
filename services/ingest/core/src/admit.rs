//! Admission: a draft becomes an event, or everything that is wrong with it is named.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use auditrelay_model::event::{
    Access, AuditEvent, Authentication, AuthenticationOutcome, AuthenticationType, Authorization,
    Detail, EventKind,
};
use auditrelay_model::id::{EventId, OrgId, PortalId};
use auditrelay_model::portal::Portal;
use auditrelay_model::timestamp::TimestampError;
use auditrelay_model::{Scope, Timestamp};

use crate::draft::{Draft, Field};
use crate::rejection::{Place, Rejection, RejectionKind, Rejections};
use crate::request::{self, Media};

mod form;

use form::Form;

/// What an event may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Events of one request.
    pub max_events: usize,
    /// Bytes of one event as compact JSON.
    pub max_event_bytes: usize,
    /// How far `ts` may be ahead of now.
    pub max_future: Duration,
    /// How far `ts` may be behind now: producers buffer through outages.
    pub max_lateness: Duration,
}

/// Ids and names.
const SHORT: usize = 256;
/// HTTP methods.
const METHOD: usize = 64;
/// What clients of the producer chose themselves: paths, agents, queries.
const LONG: usize = 16_384;

/// Whose events these are.
#[derive(Debug, Clone, Copy)]
pub struct Tenant<'t> {
    /// The organization of the token.
    pub org: OrgId,
    /// Its portals.
    pub portals: &'t BTreeMap<PortalId, Portal>,
}

/// An event that may be stored, and where it belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// Whose log.
    pub scope: Scope,
    /// The event.
    pub event: AuditEvent,
    /// The producer named the id itself, so it may come again.
    pub supplied_id: bool,
}

/// The circumstances in which one request's drafts are admitted.
#[derive(Debug, Clone, Copy)]
pub struct Admission<'t> {
    /// The time now.
    pub now: Timestamp,
    /// What an event may be.
    pub limits: &'t Limits,
    /// Whose events these are.
    pub tenant: Tenant<'t>,
    /// W3C `traceparent` of the request; may be empty.
    pub traceparent: &'t str,
}

impl Admission<'_> {
    /// Admits every event of a body, or none: then the list names what is wrong (the first
    /// [`crate::rejection::MAX_REJECTIONS`] things). `next_id` gives ids to events without one.
    pub fn admit_all(
        &self,
        body: &[u8],
        media: Media,
        next_id: &mut dyn FnMut() -> EventId,
    ) -> Result<Vec<Admitted>, Vec<Rejection>> {
        let mut admitted = Vec::new();
        let mut rejections = Rejections::default();
        let mut ids = HashSet::new();
        let read =
            request::read(body, media, self.limits.max_events, &mut |place, draft| match self
                .admit(place, draft, next_id)
            {
                Ok(one) if one.supplied_id && !ids.insert(one.event.id) => {
                    let kind = RejectionKind::Invalid("is repeated in this request".into());
                    rejections.push(Rejection { field: place.property("id"), kind });
                }
                Ok(one) => admitted.push(one),
                Err(wrong) => rejections.extend(wrong),
            })
            .into_vec();
        if request::is_syntax(&read) {
            return Err(read);
        }
        let mut all = Rejections::default();
        all.extend(read);
        all.extend(rejections.into_vec());
        if all.is_empty() { Ok(admitted) } else { Err(all.into_vec()) }
    }

    /// Admits one draft, or names everything that is wrong with it.
    pub fn admit(
        &self,
        place: Place,
        draft: Draft<'_>,
        next_id: &mut dyn FnMut() -> EventId,
    ) -> Result<Admitted, Vec<Rejection>> {
        if draft.size > self.limits.max_event_bytes {
            let kind = RejectionKind::MaxLength(self.limits.max_event_bytes as u64);
            return Err(vec![Rejection::at(place, kind)]);
        }
        let mut form = Form::new(place, draft);
        let kind = form.choice(Field::Type, EventKind::ALL, EventKind::name);
        let supplied = form.parsed(Field::Id, |text| text.parse().map_err(|_| not_a_uuid()));
        let ts = form.required_parsed(Field::Ts, |text| self.ts(text));
        let scope = self.scope(&mut form);
        let common = common(&mut form, kind);
        let detail = kind.and_then(|kind| detail(&mut form, kind));
        match (ts, detail, form.finish(kind.is_some())) {
            (Some(ts), Some(detail), Ok(())) => Ok(Admitted {
                scope,
                supplied_id: supplied.is_some(),
                event: common.event(
                    supplied.unwrap_or_else(next_id),
                    ts,
                    self.traceparent.to_owned(),
                    detail,
                ),
            }),
            (_, _, rejections) => Err(rejections.err().unwrap_or_default()),
        }
    }

    fn ts(&self, text: &str) -> Result<Timestamp, RejectionKind> {
        let ts = Timestamp::parse_rfc3339(text).map_err(|error| match error {
            TimestampError::NotADateTime => RejectionKind::DateTime,
            TimestampError::OutOfRange => {
                RejectionKind::Invalid("is outside the accepted range".into())
            }
        })?;
        let Limits { max_future, max_lateness, .. } = *self.limits;
        if ts > self.now + max_future {
            let seconds = max_future.as_secs();
            let reason = format!("is more than {seconds} seconds in the future");
            return Err(RejectionKind::Invalid(reason.into()));
        }
        if ts < self.now - max_lateness {
            let reason = format!("is older than {}", hours(max_lateness));
            return Err(RejectionKind::Invalid(reason.into()));
        }
        Ok(ts)
    }

    fn scope(&self, form: &mut Form<'_>) -> Scope {
        let org = self.tenant.org;
        form.parsed(Field::OrgId, |text| match text.parse::<OrgId>() {
            Ok(named) if named == org => Ok(()),
            Ok(_) | Err(_) => Err(RejectionKind::Invalid("does not belong to this token".into())),
        });
        let portal = form.parsed(Field::PortalId, |text| {
            let portal = text.parse::<PortalId>().map_err(|_| not_a_uuid())?;
            let known = self.tenant.portals.contains_key(&portal);
            known.then_some(portal).ok_or(RejectionKind::Reference)
        });
        portal.map_or(Scope::Organization(org), |portal| Scope::Portal(org, portal))
    }
}

/// What every kind of event may have.
struct Common {
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
    fn event(self, id: EventId, ts: Timestamp, traceparent: String, detail: Detail) -> AuditEvent {
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

fn common(form: &mut Form<'_>, kind: Option<EventKind>) -> Common {
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
fn detail(form: &mut Form<'_>, kind: EventKind) -> Option<Detail> {
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

fn not_a_uuid() -> RejectionKind {
    RejectionKind::Invalid("must be a UUID".into())
}

fn hours(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds.is_multiple_of(3_600) {
        format!("{} hours", seconds / 3_600)
    } else {
        format!("{seconds} seconds")
    }
}

#[cfg(test)]
pub(crate) mod tests;
