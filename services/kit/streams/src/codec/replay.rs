//! `auditrelay.replay.v1`.

use auditrelay_model::replay::{Failure, Plan, Progress, ReplayEvent, ReplayFact};
use auditrelay_model::{Timestamp, Window};
use auditrelay_proto::replay::v1 as wire;
use prost::Message;
use wire::replay_event::Fact;

use super::{DecodeError, parse, required, types};
use crate::command::{ReplayAction, ReplayCommand, ReplayReply};

pub(crate) fn encode(event: &ReplayEvent) -> Vec<u8> {
    wire::ReplayEvent {
        at_ns: event.at.nanos(),
        scope: Some(types::scope(event.scope)),
        job_id: event.job.to_string(),
        actor: event.actor.clone(),
        origin: event.origin.as_ref().map(types::origin),
        fact: Some(fact_to_wire(&event.fact)),
    }
    .encode_to_vec()
}

pub(crate) fn decode(bytes: &[u8]) -> Result<ReplayEvent, DecodeError> {
    let event =
        wire::ReplayEvent::decode(bytes).map_err(|_| DecodeError::Malformed("replay event"))?;
    Ok(ReplayEvent {
        at: Timestamp::from_nanos(event.at_ns),
        scope: types::read_scope(event.scope)?,
        job: parse(&event.job_id, "job_id")?,
        actor: event.actor,
        origin: event.origin.map(types::read_origin),
        fact: fact_from_wire(required(event.fact, "fact")?)?,
    })
}

fn fact_to_wire(fact: &ReplayFact) -> Fact {
    match fact {
        ReplayFact::Accepted { window, snapshot_sequence } => Fact::Accepted(wire::Accepted {
            window: Some(types::window(*window)),
            snapshot_sequence: *snapshot_sequence,
        }),
        ReplayFact::Scheduled(plan) => Fact::Scheduled(wire::Scheduled {
            from_sequence: plan.from_sequence,
            until_sequence: plan.until_sequence,
            estimated_events: plan.estimated_events,
        }),
        ReplayFact::Started { holder } => Fact::Started(wire::Started { holder: holder.clone() }),
        ReplayFact::Advanced(progress) => {
            Fact::Advanced(wire::Advanced { progress: Some(progress_to_wire(progress)) })
        }
        ReplayFact::Completed(progress) => {
            Fact::Completed(wire::Completed { progress: Some(progress_to_wire(progress)) })
        }
        ReplayFact::Failed { failure, progress } => Fact::Failed(wire::Failed {
            reason: failure.reason.clone(),
            code: failure.code.clone(),
            progress: Some(progress_to_wire(progress)),
        }),
        ReplayFact::Cancelled { reason, progress } => Fact::Cancelled(wire::Cancelled {
            reason: reason.clone(),
            progress: Some(progress_to_wire(progress)),
        }),
    }
}

fn fact_from_wire(fact: Fact) -> Result<ReplayFact, DecodeError> {
    Ok(match fact {
        Fact::Accepted(fact) => ReplayFact::Accepted {
            window: types::read_window(fact.window)?,
            snapshot_sequence: fact.snapshot_sequence,
        },
        Fact::Scheduled(fact) => ReplayFact::Scheduled(Plan {
            from_sequence: fact.from_sequence,
            until_sequence: fact.until_sequence,
            estimated_events: fact.estimated_events,
        }),
        Fact::Started(fact) => ReplayFact::Started { holder: fact.holder },
        Fact::Advanced(fact) => ReplayFact::Advanced(progress_from_wire(fact.progress)),
        Fact::Completed(fact) => ReplayFact::Completed(progress_from_wire(fact.progress)),
        Fact::Failed(fact) => ReplayFact::Failed {
            failure: Failure { code: fact.code, reason: fact.reason },
            progress: progress_from_wire(fact.progress),
        },
        Fact::Cancelled(fact) => ReplayFact::Cancelled {
            reason: fact.reason,
            progress: progress_from_wire(fact.progress),
        },
    })
}

fn progress_to_wire(progress: &Progress) -> wire::Progress {
    wire::Progress {
        events_sent: progress.events_sent,
        events_skipped: progress.events_skipped,
        events_quarantined: progress.events_quarantined,
        events_expired: progress.events_expired,
        bytes_sent: progress.bytes_sent,
        requests: progress.requests,
        sequence: progress.sequence,
    }
}

fn progress_from_wire(progress: Option<wire::Progress>) -> Progress {
    let progress = progress.unwrap_or_default();
    Progress {
        events_sent: progress.events_sent,
        events_skipped: progress.events_skipped,
        events_quarantined: progress.events_quarantined,
        events_expired: progress.events_expired,
        bytes_sent: progress.bytes_sent,
        requests: progress.requests,
        sequence: progress.sequence,
    }
}

pub(crate) fn encode_command(command: &ReplayCommand) -> Vec<u8> {
    use wire::replay_command::Command;
    wire::ReplayCommand {
        scope: Some(types::scope(command.scope)),
        job_id: command.job.to_string(),
        actor: command.actor.clone(),
        traceparent: command.traceparent.clone().unwrap_or_default(),
        origin: command.origin.as_ref().map(types::origin),
        command: Some(match &command.action {
            ReplayAction::Configure { window } => {
                Command::Configure(wire::Configure { window: Some(types::window(*window)) })
            }
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
            Command::Configure(configure) => {
                ReplayAction::Configure { window: command_window(configure)? }
            }
            Command::Cancel(cancel) => ReplayAction::Cancel { reason: cancel.reason },
        },
    })
}

fn command_window(configure: wire::Configure) -> Result<Window, DecodeError> {
    types::read_window(configure.window)
}

pub(crate) fn encode_reply(reply: &ReplayReply) -> Vec<u8> {
    use wire::replay_reply::Result;
    let result = match reply {
        ReplayReply::Stored { sequence } => Result::StoredSequence(*sequence),
        ReplayReply::Denied { code, detail } => {
            Result::Denied(wire::Denied { code: code.clone(), detail: detail.clone() })
        }
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
        Result::Unavailable(reason) => ReplayReply::Unavailable(reason),
    })
}
