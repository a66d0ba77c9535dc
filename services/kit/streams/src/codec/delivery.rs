//! `auditrelay.delivery.v1`.

use std::time::Duration;

use auditrelay_model::delivery::{
    Attempt, Behind, DeliveryEvent, DeliveryFact, Hold, Lane, LaneState, LastAttempt, Quarantined,
    Totals,
};
use auditrelay_model::destination::LogFormat;
use auditrelay_model::record::Position;
use auditrelay_model::replay::SentIds;
use auditrelay_model::{Scope, Timestamp};
use auditrelay_proto::delivery::v1 as wire;
use prost::Message;
use wire::delivery_event::Fact;

use super::event::{number_of, value_of};
use super::{DecodeError, known, parse, required, types};

pub(crate) fn encode(event: &DeliveryEvent) -> Vec<u8> {
    wire::DeliveryEvent {
        at_ns: event.at.nanos(),
        scope: Some(types::scope(event.scope)),
        job_id: lane_to_wire(event.lane),
        sender: event.sender.clone(),
        state: Some(state_to_wire(&event.state)),
        fact: Some(fact_to_wire(&event.fact)),
    }
    .encode_to_vec()
}

/// When a fact of this lane was stored and how the lane stood after it, whatever kind of fact it is.
pub(crate) fn decode_state(
    bytes: &[u8],
    lane: (Scope, Lane),
) -> Result<(Timestamp, LaneState), DecodeError> {
    let event =
        wire::DeliveryEvent::decode(bytes).map_err(|_| DecodeError::Malformed("delivery event"))?;
    if (types::read_scope(event.scope)?, lane_from_wire(&event.job_id)?) != lane {
        return Err(DecodeError::Malformed("fact of this lane"));
    }
    Ok((Timestamp::from_nanos(event.at_ns), state_from_wire(required(event.state, "state")?)))
}

pub(crate) fn decode(bytes: &[u8]) -> Result<DeliveryEvent, DecodeError> {
    let event =
        wire::DeliveryEvent::decode(bytes).map_err(|_| DecodeError::Malformed("delivery event"))?;
    Ok(DeliveryEvent {
        at: Timestamp::from_nanos(event.at_ns),
        scope: types::read_scope(event.scope)?,
        lane: lane_from_wire(&event.job_id)?,
        sender: event.sender,
        fact: fact_from_wire(known(event.fact, "fact")?)?,
        state: state_from_wire(required(event.state, "state")?),
    })
}

pub(super) fn lane_to_wire(lane: Lane) -> String {
    match lane {
        Lane::Live => String::new(),
        Lane::Replay(job) => job.to_string(),
    }
}

pub(super) fn lane_from_wire(job_id: &str) -> Result<Lane, DecodeError> {
    match job_id {
        "" => Ok(Lane::Live),
        job => Ok(Lane::Replay(parse(job, "job_id")?)),
    }
}

fn fact_to_wire(fact: &DeliveryFact) -> Fact {
    match fact {
        DeliveryFact::Attempt(attempt) => Fact::Attempt(attempt_to_wire(attempt)),
        DeliveryFact::FellBehind { cursor, reason } => Fact::FellBehind(wire::FellBehind {
            cursor: Some(position(*cursor)),
            reason: reason.clone(),
        }),
        DeliveryFact::CaughtUp => Fact::CaughtUp(wire::CaughtUp {}),
        DeliveryFact::Held(hold) => Fact::Held(hold_to_wire(hold)),
        DeliveryFact::Resumed => Fact::Resumed(wire::Resumed {}),
        DeliveryFact::Quarantined(quarantined) => Fact::Quarantined(wire::Quarantined {
            at: Some(position(quarantined.at)),
            event_id: quarantined.event.to_string(),
            status: u32::from(quarantined.status),
            message: quarantined.message.clone(),
        }),
        DeliveryFact::Passed { to, events } => {
            Fact::Passed(wire::Passed { to: Some(position(*to)), events: *events })
        }
        DeliveryFact::Expired { to, events, early } => {
            Fact::Expired(wire::Expired { to: Some(position(*to)), events: *events, early: *early })
        }
        DeliveryFact::Yielded => Fact::Yielded(wire::Yielded {}),
        DeliveryFact::WentOn => Fact::WentOn(wire::WentOn {}),
        DeliveryFact::Stopped { code, reason } => {
            Fact::Stopped(wire::Stopped { code: code.clone(), reason: reason.clone() })
        }
    }
}

fn fact_from_wire(fact: Fact) -> Result<DeliveryFact, DecodeError> {
    Ok(match fact {
        Fact::Attempt(attempt) => DeliveryFact::Attempt(Box::new(attempt_from_wire(attempt)?)),
        Fact::FellBehind(fact) => DeliveryFact::FellBehind {
            cursor: read_position(required(fact.cursor, "cursor")?),
            reason: fact.reason,
        },
        Fact::CaughtUp(_) => DeliveryFact::CaughtUp,
        Fact::Held(hold) => DeliveryFact::Held(hold_from_wire(hold)),
        Fact::Resumed(_) => DeliveryFact::Resumed,
        Fact::Quarantined(fact) => DeliveryFact::Quarantined(Quarantined {
            at: read_position(required(fact.at, "at")?),
            event: parse(&fact.event_id, "event_id")?,
            status: status(fact.status).unwrap_or_default(),
            message: fact.message,
        }),
        Fact::Passed(fact) => DeliveryFact::Passed {
            to: read_position(required(fact.to, "to")?),
            events: fact.events,
        },
        Fact::Expired(fact) => DeliveryFact::Expired {
            to: read_position(required(fact.to, "to")?),
            events: fact.events,
            early: fact.early,
        },
        Fact::Yielded(_) => DeliveryFact::Yielded,
        Fact::WentOn(_) => DeliveryFact::WentOn,
        Fact::Stopped(fact) => DeliveryFact::Stopped { code: fact.code, reason: fact.reason },
    })
}

fn attempt_to_wire(attempt: &Attempt) -> wire::Attempt {
    wire::Attempt {
        batch_id: attempt.batch.to_string(),
        attempt: attempt.number,
        first: Some(position(attempt.first)),
        last: Some(position(attempt.last)),
        events: attempt.events,
        body_bytes: attempt.body_bytes,
        started_ns: attempt.started_at.nanos(),
        duration_ms: u64::try_from(attempt.duration.as_millis()).unwrap_or(u64::MAX),
        destination_id: attempt.destination.to_string(),
        log_format: number_of(LogFormat::ALL, attempt.log_format),
        delivered: attempt.delivered,
        status: attempt.status.map(u32::from).unwrap_or_default(),
        message: attempt.message.clone(),
        trace_id: attempt.trace_id.clone(),
        sent: attempt.sent.map(sent_to_wire),
        runs: attempt.runs.iter().flat_map(|(first, last)| [*first, *last]).collect(),
    }
}

fn attempt_from_wire(attempt: wire::Attempt) -> Result<Attempt, DecodeError> {
    Ok(Attempt {
        batch: parse(&attempt.batch_id, "batch_id")?,
        number: attempt.attempt,
        first: read_position(required(attempt.first, "first")?),
        last: read_position(required(attempt.last, "last")?),
        events: attempt.events,
        body_bytes: attempt.body_bytes,
        started_at: Timestamp::from_nanos(attempt.started_ns),
        duration: Duration::from_millis(attempt.duration_ms),
        destination: parse(&attempt.destination_id, "destination_id")?,
        log_format: value_of(LogFormat::ALL, attempt.log_format, "log_format")?,
        delivered: attempt.delivered,
        status: status(attempt.status),
        message: attempt.message,
        trace_id: attempt.trace_id,
        sent: sent_from_wire(attempt.sent),
        runs: attempt
            .runs
            .chunks_exact(2)
            .filter_map(|run| Some((*run.first()?, *run.last()?)))
            .collect(),
    })
}

fn state_to_wire(state: &LaneState) -> wire::LaneState {
    let totals = &state.totals;
    wire::LaneState {
        cursor: state.cursor.map(position),
        behind: state.behind.as_ref().map(|behind| wire::Behind {
            since_ns: behind.since.nanos(),
            reason: behind.reason.clone(),
        }),
        hold: state.hold.as_ref().map(hold_to_wire),
        last_attempt: state.last_attempt.as_ref().map(|attempt| wire::LastAttempt {
            at_ns: attempt.at.nanos(),
            delivered: attempt.delivered,
            status: attempt.status.map(u32::from).unwrap_or_default(),
            message: attempt.message.clone(),
        }),
        totals: Some(wire::Totals {
            events_delivered: totals.events_delivered,
            events_passed: totals.events_passed,
            events_quarantined: totals.events_quarantined,
            events_expired: totals.events_expired,
            bytes_delivered: totals.bytes_delivered,
            requests: totals.requests,
            requests_failed: totals.requests_failed,
        }),
        stopped: state
            .stopped
            .as_ref()
            .map(|(code, reason)| wire::Stopped { code: code.clone(), reason: reason.clone() }),
        yielding_since_ns: state.yielding.map_or(0, Timestamp::nanos),
        sent: state.sent.map(sent_to_wire),
    }
}

fn state_from_wire(state: wire::LaneState) -> LaneState {
    let totals = state.totals.unwrap_or_default();
    LaneState {
        cursor: state.cursor.map(read_position),
        behind: state.behind.map(|behind| Behind {
            since: Timestamp::from_nanos(behind.since_ns),
            reason: behind.reason,
        }),
        hold: state.hold.map(hold_from_wire),
        last_attempt: state.last_attempt.map(|attempt| LastAttempt {
            at: Timestamp::from_nanos(attempt.at_ns),
            delivered: attempt.delivered,
            status: status(attempt.status),
            message: attempt.message,
        }),
        totals: Totals {
            events_delivered: totals.events_delivered,
            events_passed: totals.events_passed,
            events_quarantined: totals.events_quarantined,
            events_expired: totals.events_expired,
            bytes_delivered: totals.bytes_delivered,
            requests: totals.requests,
            requests_failed: totals.requests_failed,
        },
        yielding: Some(state.yielding_since_ns)
            .filter(|since| *since != 0)
            .map(Timestamp::from_nanos),
        stopped: state.stopped.map(|stopped| (stopped.code, stopped.reason)),
        sent: sent_from_wire(state.sent),
    }
}

fn sent_to_wire(sent: SentIds) -> wire::SentIds {
    wire::SentIds {
        first_event_id: sent.first.to_string(),
        last_event_id: sent.last.to_string(),
        digest: sent.digest.to_vec(),
    }
}

/// What cannot be read proves nothing, and is left out.
fn sent_from_wire(sent: Option<wire::SentIds>) -> Option<SentIds> {
    let sent = sent?;
    Some(SentIds {
        first: sent.first_event_id.parse().ok()?,
        last: sent.last_event_id.parse().ok()?,
        digest: sent.digest.try_into().ok()?,
    })
}

fn hold_to_wire(hold: &Hold) -> wire::Held {
    wire::Held {
        reason: hold.reason.clone(),
        customer_must_act: hold.customer_must_act,
        since_ns: hold.since.nanos(),
        probes: hold.probes,
    }
}

fn hold_from_wire(hold: wire::Held) -> Hold {
    Hold {
        reason: hold.reason,
        customer_must_act: hold.customer_must_act,
        since: Timestamp::from_nanos(hold.since_ns),
        probes: hold.probes,
    }
}

pub(super) fn position(position: Position) -> wire::Position {
    wire::Position { epoch: position.epoch, number: position.number, sequence: position.sequence }
}

pub(super) fn read_position(position: wire::Position) -> Position {
    Position { epoch: position.epoch, number: position.number, sequence: position.sequence }
}

/// 0 stands for "no answer came".
pub(super) fn status(status: u32) -> Option<u16> {
    u16::try_from(status).ok().filter(|status| *status != 0)
}
