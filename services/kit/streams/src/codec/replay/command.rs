//! Commands to the scheduler and its answers.

use std::time::Duration;

use auditrelay_model::Window;
use auditrelay_model::replay::Terms;
use auditrelay_proto::replay::v1 as wire;
use prost::Message;

use super::{tally_from_wire, tally_to_wire, terms};
use crate::codec::{DecodeError, parse, required, types};
use crate::command::{Estimate, ReplayAction, ReplayCommand, ReplayReply};

pub(crate) fn encode_command(command: &ReplayCommand) -> Vec<u8> {
    use wire::replay_command::Command;
    wire::ReplayCommand {
        scope: Some(types::scope(command.scope)),
        job_id: command.job.to_string(),
        actor: command.actor.clone(),
        traceparent: command.traceparent.clone().unwrap_or_default(),
        origin: command.origin.as_ref().map(types::origin),
        command: Some(match &command.action {
            ReplayAction::Configure { window, terms, may_wait } => {
                Command::Configure(wish(*window, terms, *may_wait))
            }
            ReplayAction::Estimate { window, terms } => {
                Command::Estimate(wish(*window, terms, false))
            }
            ReplayAction::Pause { reason } => {
                Command::Pause(wire::Pause { reason: reason.clone() })
            }
            ReplayAction::Resume => Command::Resume(wire::Resume {}),
            ReplayAction::Cancel { reason } => {
                Command::Cancel(wire::Cancel { reason: reason.clone() })
            }
        }),
    }
    .encode_to_vec()
}

pub(crate) fn decode_command(bytes: &[u8]) -> Result<ReplayCommand, DecodeError> {
    use wire::replay_command::Command;
    let command =
        wire::ReplayCommand::decode(bytes).map_err(|_| DecodeError::Malformed("replay command"))?;
    Ok(ReplayCommand {
        scope: types::read_scope(command.scope)?,
        job: parse(&command.job_id, "job_id")?,
        actor: command.actor,
        traceparent: Some(command.traceparent).filter(|text| !text.is_empty()),
        origin: command.origin.map(types::read_origin),
        action: match required(command.command, "command")? {
            Command::Configure(wish) => ReplayAction::Configure {
                window: types::read_window(wish.window)?,
                terms: terms::from_wire(wish.terms)?,
                may_wait: wish.may_wait,
            },
            Command::Estimate(wish) => ReplayAction::Estimate {
                window: types::read_window(wish.window)?,
                terms: terms::from_wire(wish.terms)?,
            },
            Command::Pause(pause) => ReplayAction::Pause { reason: pause.reason },
            Command::Resume(_) => ReplayAction::Resume,
            Command::Cancel(cancel) => ReplayAction::Cancel { reason: cancel.reason },
        },
    })
}

fn wish(window: Window, terms: &Terms, may_wait: bool) -> wire::Configure {
    wire::Configure {
        window: Some(types::window(window)),
        terms: Some(terms::to_wire(terms)),
        may_wait,
    }
}

pub(crate) fn encode_reply(reply: &ReplayReply) -> Vec<u8> {
    use wire::replay_reply::Result;
    let result = match reply {
        ReplayReply::Stored { sequence } => Result::StoredSequence(*sequence),
        ReplayReply::Denied { code, detail } => {
            Result::Denied(wire::Denied { code: code.clone(), detail: detail.clone() })
        }
        ReplayReply::Estimated(estimate) => Result::Estimate(estimate_to_wire(estimate)),
        ReplayReply::Unavailable(reason) => Result::Unavailable(reason.clone()),
    };
    wire::ReplayReply { result: Some(result) }.encode_to_vec()
}

pub(crate) fn decode_reply(bytes: &[u8]) -> Result<ReplayReply, DecodeError> {
    use wire::replay_reply::Result;
    let reply =
        wire::ReplayReply::decode(bytes).map_err(|_| DecodeError::Malformed("replay reply"))?;
    Ok(match required(reply.result, "result")? {
        Result::StoredSequence(sequence) => ReplayReply::Stored { sequence },
        Result::Denied(denied) => ReplayReply::Denied { code: denied.code, detail: denied.detail },
        Result::Estimate(estimate) => ReplayReply::Estimated(estimate_from_wire(&estimate)),
        Result::Unavailable(reason) => ReplayReply::Unavailable(reason),
    })
}

fn estimate_to_wire(estimate: &Estimate) -> wire::Estimate {
    wire::Estimate {
        tally: Some(tally_to_wire(estimate.tally)),
        exact: estimate.exact,
        events_max: estimate.events_max,
        duration_ms: u64::try_from(estimate.duration.as_millis()).unwrap_or(u64::MAX),
        events_per_second: estimate.events_per_second,
        is_rate_measured: estimate.is_rate_measured,
    }
}

fn estimate_from_wire(estimate: &wire::Estimate) -> Estimate {
    Estimate {
        tally: estimate.tally.map(tally_from_wire).unwrap_or_default(),
        exact: estimate.exact,
        events_max: estimate.events_max,
        duration: Duration::from_millis(estimate.duration_ms),
        events_per_second: estimate.events_per_second,
        is_rate_measured: estimate.is_rate_measured,
    }
}
