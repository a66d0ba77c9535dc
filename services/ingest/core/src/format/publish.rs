//! `PublishRequest` of `proto/auditrelay/event/v1/publish.proto`, read in place.
//!
//! A field that the contract does not list is refused as an unknown JSON property is: it may be
//! part of what happened.

use std::borrow::Cow;

use auditrelay_model::Timestamp;
use auditrelay_model::event::{AuthenticationOutcome, AuthenticationType, EventKind};

use super::wire::{Fields, Malformed, Wire};
use crate::draft::{Draft, Field, Value};
use crate::rejection::{Place, Rejection, RejectionKind};
use crate::request::Reading;

/// How a field is read.
#[derive(Clone, Copy)]
enum Read {
    Text,
    Flag,
    Integer,
    Nanos,
    /// A number that stands for the value of that place, from 1 on.
    Name(fn(usize) -> Option<&'static str>),
}

/// How the contract names what a draft must have.
fn name(field: Field) -> &'static str {
    match field {
        Field::Type => "detail",
        Field::Ts => "ts_ns",
        Field::KongInitiated => "platform_initiated",
        Field::AuthenticationType => "authentication.type",
        Field::Outcome => "authentication.outcome",
        Field::Successful => "authentication.successful",
        Field::Service => "authorization.service",
        Field::Resource => "authorization.resource",
        Field::Action => "authorization.action",
        Field::Granted => "authorization.granted",
        Field::Method => "access.method",
        Field::StatusCode => "access.status_code",
        Field::Query => "access.query",
        other => other.name(),
    }
}

fn of_event(number: u64) -> Option<(Field, Read)> {
    Some(match number {
        1 => (Field::Id, Read::Text),
        2 => (Field::Ts, Read::Nanos),
        3 => (Field::PrincipalId, Read::Text),
        4 => (Field::PrincipalName, Read::Text),
        5 => (Field::ActorId, Read::Text),
        6 => (Field::ClientIp, Read::Text),
        7 => (Field::Uri, Read::Text),
        8 => (Field::UserAgent, Read::Text),
        9 => (Field::TraceId, Read::Text),
        10 => (Field::KongInitiated, Read::Flag),
        11 => (Field::PortalId, Read::Text),
        12 => (Field::OrgId, Read::Text),
        _ => return None,
    })
}

fn of_detail(kind: EventKind, number: u64) -> Option<(Field, Read)> {
    let method = |at| AuthenticationType::ALL.get(at).copied().map(AuthenticationType::name);
    let outcome = |at| AuthenticationOutcome::ALL.get(at).copied().map(AuthenticationOutcome::name);
    Some(match (kind, number) {
        (EventKind::Authentication, 1) => (Field::AuthenticationType, Read::Name(method)),
        (EventKind::Authentication, 2) => (Field::Outcome, Read::Name(outcome)),
        (EventKind::Authentication, 3) => (Field::Successful, Read::Flag),
        (EventKind::Authorization, 1) => (Field::Service, Read::Text),
        (EventKind::Authorization, 2) => (Field::Resource, Read::Text),
        (EventKind::Authorization, 3) => (Field::Action, Read::Text),
        (EventKind::Authorization, 4) => (Field::Granted, Read::Flag),
        (EventKind::Access, 1) => (Field::Method, Read::Text),
        (EventKind::Access, 2) => (Field::StatusCode, Read::Integer),
        (EventKind::Access, 3) => (Field::Query, Read::Text),
        _ => return None,
    })
}

const fn kind_of(number: u64) -> Option<EventKind> {
    match number {
        20 => Some(EventKind::Authentication),
        21 => Some(EventKind::Authorization),
        22 => Some(EventKind::Access),
        _ => None,
    }
}

/// `application/x-protobuf` at `/v1/audit-events`.
pub(crate) fn read<'a>(body: &'a [u8], reading: &mut Reading<'_, 'a>) {
    for field in Fields(body) {
        match field {
            Ok((1, Wire::Bytes(event))) => event_of(event, reading),
            Ok((1, _)) | Err(Malformed) => return reading.unreadable(Place::Body),
            Ok((number, _)) => {
                let field = format!("field {number}");
                reading.wrong(Rejection { field, kind: RejectionKind::Unknown });
            }
        }
    }
    reading.at_least_one();
}

fn event_of<'a>(event: &'a [u8], reading: &mut Reading<'_, 'a>) {
    let place = reading.item();
    if !reading.takes(event.len()) {
        return reading.pass_over(place, event.len());
    }
    let mut draft = Draft::of_size(event.len());
    draft.names_are(name);
    match message(event, None, &mut draft) {
        Ok(()) => reading.draft(place, Some(draft)),
        Err(Malformed) => reading.unreadable(place),
    }
}

/// Reads an event, or its detail of that kind.
fn message<'a>(
    bytes: &'a [u8],
    detail: Option<EventKind>,
    draft: &mut Draft<'a>,
) -> Result<(), Malformed> {
    for field in Fields(bytes) {
        let (number, wire) = field?;
        let known = detail.map_or_else(|| of_event(number), |kind| of_detail(kind, number));
        let kind = kind_of(number).filter(|_| detail.is_none());
        match (known, kind, wire) {
            (Some((field, read)), _, wire) => give(field, read, wire, draft)?,
            (None, Some(kind), Wire::Bytes(bytes)) => {
                draft.give(Field::Type, Value::Text(Cow::Borrowed(kind.name())));
                message(bytes, Some(kind), draft)?;
            }
            (None, Some(_), _) => return Err(Malformed),
            (None, None, _) => {
                let prefix = detail.map_or(String::new(), |kind| format!("{}.", of(kind)));
                draft.is_wrong_at(&format!("{prefix}field {number}"), RejectionKind::Unknown);
            }
        }
    }
    Ok(())
}

/// The contract's name of a detail.
const fn of(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Authentication => "authentication",
        EventKind::Authorization => "authorization",
        EventKind::Access => "access",
    }
}

fn give<'a>(
    field: Field,
    read: Read,
    wire: Wire<'a>,
    draft: &mut Draft<'a>,
) -> Result<(), Malformed> {
    let value = match (read, wire) {
        (Read::Text, Wire::Bytes([])) | (Read::Nanos, Wire::Varint(0)) => return Ok(()),
        (Read::Text, Wire::Bytes(bytes)) => match std::str::from_utf8(bytes) {
            Ok(text) => Value::Text(Cow::Borrowed(text)),
            Err(_) => return Err(Malformed),
        },
        (Read::Flag, Wire::Varint(flag)) => Value::Flag(flag != 0),
        (Read::Integer, Wire::Varint(number)) => Value::Integer(number.into()),
        (Read::Nanos, Wire::Varint(nanos)) => {
            Value::Time(Timestamp::from_nanos(nanos.cast_signed()))
        }
        (Read::Name(name), Wire::Varint(number)) => {
            let at = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
            at.and_then(name).map_or(Value::Other, |name| Value::Text(Cow::Borrowed(name)))
        }
        (Read::Text | Read::Flag | Read::Integer | Read::Nanos | Read::Name(_), _) => {
            return Err(Malformed);
        }
    };
    draft.give(field, value);
    Ok(())
}

#[cfg(test)]
mod tests;
