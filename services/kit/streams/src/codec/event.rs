//! `auditrelay.event.v1`.

use auditrelay_model::Timestamp;
use auditrelay_model::event::{
    Access, AuditEvent, Authentication, AuthenticationOutcome, AuthenticationType, Authorization,
    Detail,
};
use auditrelay_model::record::{Digest, Record};
use auditrelay_proto::event::v1 as wire;
use prost::Message;

use super::{DecodeError, parse, required, types};

mod encode;

pub(crate) use encode::length;

/// The events are written in place behind the rest: their field has the highest number.
pub(crate) fn encode_record(record: &Record) -> Vec<u8> {
    let head = wire::Record {
        record_id: record.id.to_string(),
        scope: Some(types::scope(record.scope)),
        epoch: record.epoch,
        first_number: record.first_number,
        previous_digest: record.previous_digest.map(Vec::from).unwrap_or_default(),
        accepted_ns: record.accepted_at.nanos(),
        idempotency_key: record.idempotency_key.clone().unwrap_or_default(),
        events: Vec::new(),
    };
    let events: usize = record.events.iter().map(length).sum();
    let mut bytes = Vec::with_capacity(head.encoded_len() + events);
    bytes.extend(head.encode_to_vec());
    record.events.iter().for_each(|event| encode::write(event, &mut bytes));
    bytes
}

pub(crate) fn decode_record(bytes: &[u8]) -> Result<Record, DecodeError> {
    let record = wire::Record::decode(bytes).map_err(|_| DecodeError::Malformed("record"))?;
    if record.events.is_empty() {
        return Err(DecodeError::Field("events"));
    }
    let previous_digest = match record.previous_digest.as_slice() {
        [] => None,
        bytes => Some(Digest::try_from(bytes).map_err(|_| DecodeError::Field("previous_digest"))?),
    };
    Ok(Record {
        id: parse(&record.record_id, "record_id")?,
        scope: types::read_scope(record.scope)?,
        epoch: record.epoch,
        first_number: record.first_number,
        previous_digest,
        accepted_at: Timestamp::from_nanos(record.accepted_ns),
        idempotency_key: Some(record.idempotency_key).filter(|key| !key.is_empty()),
        events: record.events.into_iter().map(from_wire).collect::<Result<_, _>>()?,
    })
}

/// What the bytes are compared with.
#[cfg(test)]
fn to_wire(event: &AuditEvent) -> wire::AuditEvent {
    wire::AuditEvent {
        id: event.id.to_string(),
        ts_ns: event.ts.nanos(),
        principal_id: event.principal_id.clone(),
        principal_name: event.principal_name.clone(),
        actor_id: event.actor_id.clone(),
        client_ip: event.client_ip.map(|ip| ip.to_string()).unwrap_or_default(),
        uri: event.uri.clone(),
        user_agent: event.user_agent.clone(),
        trace_id: event.trace_id.clone(),
        platform_initiated: event.platform_initiated,
        traceparent: event.traceparent.clone(),
        detail: Some(detail_to_wire(&event.detail)),
    }
}

#[cfg(test)]
fn detail_to_wire(detail: &Detail) -> wire::audit_event::Detail {
    use wire::audit_event::Detail as Wire;
    match detail {
        Detail::Authentication(detail) => Wire::Authentication(wire::Authentication {
            r#type: number_of(AuthenticationType::ALL, detail.method),
            outcome: number_of(AuthenticationOutcome::ALL, detail.outcome),
            success: detail.success,
        }),
        Detail::Authorization(detail) => Wire::Authorization(wire::Authorization {
            service: detail.service.clone(),
            resource: detail.resource.clone(),
            action: detail.action.clone(),
            granted: detail.granted,
        }),
        Detail::Access(detail) => Wire::Access(wire::Access {
            method: detail.method.clone(),
            status_code: u32::from(detail.status_code),
            query: detail.query.clone(),
        }),
    }
}

fn from_wire(event: wire::AuditEvent) -> Result<AuditEvent, DecodeError> {
    let client_ip = match event.client_ip.as_str() {
        "" => None,
        text => Some(parse(text, "client_ip")?),
    };
    Ok(AuditEvent {
        id: parse(&event.id, "id")?,
        ts: Timestamp::from_nanos(event.ts_ns),
        principal_id: event.principal_id,
        principal_name: event.principal_name,
        actor_id: event.actor_id,
        client_ip,
        uri: event.uri,
        user_agent: event.user_agent,
        trace_id: event.trace_id,
        platform_initiated: event.platform_initiated,
        traceparent: event.traceparent,
        detail: detail_from_wire(required(event.detail, "detail")?)?,
    })
}

fn detail_from_wire(detail: wire::audit_event::Detail) -> Result<Detail, DecodeError> {
    use wire::audit_event::Detail as Wire;
    Ok(match detail {
        Wire::Authentication(detail) => Detail::Authentication(Authentication {
            method: value_of(AuthenticationType::ALL, detail.r#type, "authentication.type")?,
            outcome: value_of(
                AuthenticationOutcome::ALL,
                detail.outcome,
                "authentication.outcome",
            )?,
            success: detail.success,
        }),
        Wire::Authorization(detail) => Detail::Authorization(Authorization {
            service: detail.service,
            resource: detail.resource,
            action: detail.action,
            granted: detail.granted,
        }),
        Wire::Access(detail) => Detail::Access(Access {
            method: detail.method,
            status_code: u16::try_from(detail.status_code)
                .map_err(|_| DecodeError::Field("access.status_code"))?,
            query: detail.query,
        }),
    })
}

/// Closed sets stand in the contract in the order of `ALL`, from 1 on.
pub(super) fn number_of<T: PartialEq + Copy>(all: &[T], value: T) -> i32 {
    let index = all.iter().position(|candidate| *candidate == value);
    index.and_then(|index| i32::try_from(index + 1).ok()).unwrap_or_default()
}

/// The value of a number, by the same rule.
pub(super) fn value_of<T: Copy>(
    all: &[T],
    number: i32,
    field: &'static str,
) -> Result<T, DecodeError> {
    let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
    let index = index.ok_or(DecodeError::Field(field))?;
    all.get(index).copied().ok_or(DecodeError::Newer(field))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `ALL` and the contract's numbers must stay in step.
    #[test]
    fn names_and_numbers_agree() {
        for method in AuthenticationType::ALL {
            let wire =
                wire::AuthenticationType::try_from(number_of(AuthenticationType::ALL, *method))
                    .unwrap();
            assert_eq!(
                wire.as_str_name().trim_start_matches("AUTHENTICATION_TYPE_").to_lowercase(),
                method.name()
            );
        }
        for outcome in AuthenticationOutcome::ALL {
            let wire = wire::AuthenticationOutcome::try_from(number_of(
                AuthenticationOutcome::ALL,
                *outcome,
            ))
            .unwrap();
            assert_eq!(
                wire.as_str_name().trim_start_matches("AUTHENTICATION_OUTCOME_").to_lowercase(),
                outcome.name()
            );
        }
    }
}
