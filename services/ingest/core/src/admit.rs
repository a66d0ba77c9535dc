//! Admission: a draft becomes an event, or everything that is wrong with it is named.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use auditrelay_model::event::{AuditEvent, EventKind};
use auditrelay_model::id::{EventId, OrgId, PortalId};
use auditrelay_model::portal::Portal;
use auditrelay_model::timestamp::TimestampError;
use auditrelay_model::{Scope, Timestamp};
use sha2::{Digest, Sha256};

use crate::draft::{Draft, Field};
use crate::rejection::{Place, Rejection, RejectionKind, Rejections};
use crate::request::{self, Bounds, Media};

mod detail;
mod form;

use detail::{common, detail};
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
pub(crate) const SHORT: usize = 256;
/// HTTP methods.
pub(crate) const METHOD: usize = 64;
/// What clients of the producer chose themselves: paths, agents, queries.
pub(crate) const LONG: usize = 16_384;

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

/// A body's events.
#[derive(Debug, Default)]
pub struct Sorted {
    /// Those that may be stored.
    pub admitted: Vec<Admitted>,
    /// What is wrong with the others, and with the body itself.
    pub rejections: Vec<Rejection>,
    /// How many are not admitted.
    pub refused: usize,
    /// The body itself is wrong: none of its events counts.
    pub unreadable: bool,
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
    /// Sorts the events of a body into those that are admitted and those that are not, naming what
    /// is wrong (the first [`crate::rejection::MAX_REJECTIONS`] things). `next_id` gives ids to
    /// events without one.
    pub fn sort(&self, body: &[u8], media: &Media, next_id: &mut dyn FnMut() -> EventId) -> Sorted {
        let Limits { max_events, max_event_bytes, .. } = *self.limits;
        let bounds = Bounds { events: max_events, event_bytes: max_event_bytes };
        let mut sorted = Sorted::default();
        let mut rejections = Rejections::default();
        let mut ids = HashSet::new();
        let body = readable(body, media);
        let read = request::read(&body, media, bounds, &mut |place, draft| {
            let id_name = draft.name(Field::Id);
            match self.admit(place, draft, next_id) {
                Ok(one) if one.supplied_id && !ids.insert(one.event.id) => {
                    let kind = RejectionKind::Invalid("is repeated in this request".into());
                    rejections.push(Rejection { field: place.property(id_name), kind });
                    sorted.refused += 1;
                }
                Ok(one) => sorted.admitted.push(one),
                Err(wrong) => {
                    rejections.extend(wrong);
                    sorted.refused += 1;
                }
            }
        });
        let read = read.into_vec();
        sorted.unreadable = !read.is_empty();
        let syntax = request::is_syntax(&read);
        let mut all = Rejections::default();
        all.extend(read);
        if !syntax {
            all.extend(rejections.into_vec());
        }
        sorted.rejections = all.into_vec();
        sorted
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
        if form.is_hopeless() {
            return Err(form.finish(false).err().unwrap_or_default());
        }
        let kind = form.choice(Field::Type, EventKind::ALL, EventKind::name);
        let supplied = form.parsed(Field::Id, |text| text.parse().map_err(|_| not_a_uuid()));
        let supplied = supplied.or_else(|| form.foreign_id().map(|key| self.id_for(key)));
        let ts = form.required_time(Field::Ts, parse_ts, |ts| self.check_ts(ts));
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

    /// The id of what the sender calls by another name than a UUID: the same for the same name.
    fn id_for(&self, key: &str) -> EventId {
        let hash = Sha256::digest(format!("auditrelay\n{}\n{key}", self.tenant.org));
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        EventId::from_uuid(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    fn check_ts(&self, ts: Timestamp) -> Result<(), RejectionKind> {
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
        Ok(())
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

fn parse_ts(text: &str) -> Result<Timestamp, RejectionKind> {
    Timestamp::parse_rfc3339(text).map_err(|error| match error {
        TimestampError::NotADateTime => RejectionKind::DateTime,
        TimestampError::OutOfRange => {
            RejectionKind::Invalid("is outside the accepted range".into())
        }
    })
}

/// Gateways log what clients send them, also where that is no UTF-8; it must not hide the rest.
fn readable<'b>(body: &'b [u8], media: &Media) -> Cow<'b, [u8]> {
    if *media != Media::HttpLog {
        return Cow::Borrowed(body);
    }
    match String::from_utf8_lossy(body) {
        Cow::Borrowed(_) => Cow::Borrowed(body),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
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
