//! `auditrelay.delivery.v1`: quarantine.

use std::time::Duration;

use auditrelay_model::Timestamp;
use auditrelay_model::delivery::Lane;
use auditrelay_model::quarantine::{
    Parked, QuarantineAction, QuarantineCommand, Release, Released, Resent,
};
use auditrelay_proto::delivery::v1 as wire;
use prost::Message;

use super::delivery::{lane_from_wire, lane_to_wire, position, read_position, status};
use super::{DecodeError, parse, required, types};
use crate::command::QuarantineReply;

pub(crate) fn encode_parked(parked: &Parked) -> Vec<u8> {
    wire::Parked {
        at_ns: parked.at.nanos(),
        scope: Some(types::scope(parked.scope)),
        job_id: lane_to_wire(parked.lane),
        sender: parked.sender.clone(),
        position: Some(position(parked.position)),
        event_id: parked.event.to_string(),
        destination_id: parked.destination.to_string(),
        status: u32::from(parked.status),
        message: parked.message.clone(),
    }
    .encode_to_vec()
}

pub(crate) fn decode_parked(bytes: &[u8]) -> Result<Parked, DecodeError> {
    let parked = wire::Parked::decode(bytes).map_err(|_| DecodeError::Malformed("parked event"))?;
    let lane: Lane = lane_from_wire(&parked.job_id)?;
    Ok(Parked {
        at: Timestamp::from_nanos(parked.at_ns),
        scope: types::read_scope(parked.scope)?,
        lane,
        sender: parked.sender,
        position: read_position(required(parked.position, "position")?),
        event: parse(&parked.event_id, "event_id")?,
        destination: parse(&parked.destination_id, "destination_id")?,
        status: status(parked.status).unwrap_or_default(),
        message: parked.message,
    })
}

pub(crate) fn encode_released(released: &Released) -> Vec<u8> {
    released_to_wire(released).encode_to_vec()
}

pub(crate) fn decode_released(bytes: &[u8]) -> Result<Released, DecodeError> {
    let released = wire::Released::decode(bytes).map_err(|_| DecodeError::Malformed("release"))?;
    released_from_wire(released)
}

fn released_to_wire(released: &Released) -> wire::Released {
    use wire::released::What;
    wire::Released {
        at_ns: released.at.nanos(),
        scope: Some(types::scope(released.scope)),
        parked: released.parked,
        actor: released.actor.clone(),
        sender: released.sender.clone(),
        what: Some(match &released.what {
            Release::Resent(resent) => What::Resent(wire::Resent {
                destination_id: resent.destination.to_string(),
                delivered: resent.delivered,
                status: resent.status.map(u32::from).unwrap_or_default(),
                message: resent.message.clone(),
                duration_ms: u64::try_from(resent.duration.as_millis()).unwrap_or(u64::MAX),
                trace_id: resent.trace_id.clone(),
            }),
            Release::Discarded { reason } => {
                What::Discarded(wire::Discarded { reason: reason.clone() })
            }
        }),
    }
}

fn released_from_wire(released: wire::Released) -> Result<Released, DecodeError> {
    use wire::released::What;
    Ok(Released {
        at: Timestamp::from_nanos(released.at_ns),
        scope: types::read_scope(released.scope)?,
        parked: released.parked,
        actor: released.actor,
        sender: released.sender,
        what: match required(released.what, "what")? {
            What::Resent(resent) => Release::Resent(Resent {
                destination: parse(&resent.destination_id, "destination_id")?,
                delivered: resent.delivered,
                status: status(resent.status),
                message: resent.message,
                duration: Duration::from_millis(resent.duration_ms),
                trace_id: resent.trace_id,
            }),
            What::Discarded(discarded) => Release::Discarded { reason: discarded.reason },
        },
    })
}

pub(crate) fn encode_command(command: &QuarantineCommand) -> Vec<u8> {
    use wire::quarantine_command::Command;
    wire::QuarantineCommand {
        scope: Some(types::scope(command.scope)),
        parked: command.parked,
        actor: command.actor.clone(),
        traceparent: command.traceparent.clone().unwrap_or_default(),
        command: Some(match &command.action {
            QuarantineAction::Resend => Command::Resend(wire::Resend {}),
            QuarantineAction::Discard { reason } => {
                Command::Discard(wire::Discard { reason: reason.clone() })
            }
        }),
    }
    .encode_to_vec()
}

pub(crate) fn decode_command(bytes: &[u8]) -> Result<QuarantineCommand, DecodeError> {
    use wire::quarantine_command::Command;
    let command = wire::QuarantineCommand::decode(bytes)
        .map_err(|_| DecodeError::Malformed("quarantine command"))?;
    Ok(QuarantineCommand {
        scope: types::read_scope(command.scope)?,
        parked: command.parked,
        actor: command.actor,
        traceparent: Some(command.traceparent).filter(|text| !text.is_empty()),
        action: match required(command.command, "command")? {
            Command::Resend(_) => QuarantineAction::Resend,
            Command::Discard(discard) => QuarantineAction::Discard { reason: discard.reason },
        },
    })
}

pub(crate) fn encode_reply(reply: &QuarantineReply) -> Vec<u8> {
    use wire::quarantine_reply::Result;
    let result = match reply {
        QuarantineReply::Released(released) => Result::Released(released_to_wire(released)),
        QuarantineReply::Denied { code, detail } => {
            Result::Denied(wire::QuarantineDenied { code: code.clone(), detail: detail.clone() })
        }
        QuarantineReply::Unavailable(reason) => Result::Unavailable(reason.clone()),
    };
    wire::QuarantineReply { result: Some(result) }.encode_to_vec()
}

pub(crate) fn decode_reply(bytes: &[u8]) -> Result<QuarantineReply, DecodeError> {
    use wire::quarantine_reply::Result;
    let reply = wire::QuarantineReply::decode(bytes)
        .map_err(|_| DecodeError::Malformed("quarantine reply"))?;
    Ok(match required(reply.result, "result")? {
        Result::Released(released) => {
            QuarantineReply::Released(Box::new(released_from_wire(released)?))
        }
        Result::Denied(denied) => {
            QuarantineReply::Denied { code: denied.code, detail: denied.detail }
        }
        Result::Unavailable(reason) => QuarantineReply::Unavailable(reason),
    })
}
