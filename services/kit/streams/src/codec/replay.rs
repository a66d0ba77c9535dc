//! `auditrelay.replay.v1`.

mod command;
mod terms;

use auditrelay_model::Timestamp;
use auditrelay_model::record::Position;
use auditrelay_model::replay::{
    Failure, Plan, Progress, ReplayEvent, ReplayFact, SentIds, Stretch, Tally,
};
use auditrelay_proto::replay::v1 as wire;
use prost::Message;
use wire::replay_event::Fact;

use super::{DecodeError, known, parse, types};

pub(crate) use command::{decode_command, decode_reply, encode_command, encode_reply};

pub(crate) fn encode(event: &ReplayEvent) -> Vec<u8> {
    wire::ReplayEvent {
        at_ns: event.at.nanos(),
        scope: Some(types::scope(event.scope)),
        job_id: event.job.to_string(),
        actor: event.actor.clone(),
        origin: event.origin.as_ref().map(types::origin),
        min_writer: 0,
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
        fact: fact_from_wire(known(event.fact, "fact")?)?,
    })
}

fn fact_to_wire(fact: &ReplayFact) -> Fact {
    match fact {
        ReplayFact::Accepted { window, snapshot_sequence, terms, waits } => {
            Fact::Accepted(wire::Accepted {
                window: Some(types::window(*window)),
                snapshot_sequence: *snapshot_sequence,
                terms: Some(terms::to_wire(terms)),
                waits: *waits,
            })
        }
        ReplayFact::Scheduled(plan) => Fact::Scheduled(plan_to_wire(plan)),
        ReplayFact::Started { holder } => Fact::Started(wire::Started { holder: holder.clone() }),
        ReplayFact::Advanced(progress) => {
            Fact::Advanced(wire::Advanced { progress: Some(progress_to_wire(progress)) })
        }
        ReplayFact::Paused { reason } => Fact::Paused(wire::Paused { reason: reason.clone() }),
        ReplayFact::Resumed => Fact::Resumed(wire::Resumed {}),
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
            terms: terms::from_wire(fact.terms)?,
            waits: fact.waits,
        },
        Fact::Scheduled(fact) => ReplayFact::Scheduled(plan_from_wire(fact)),
        Fact::Started(fact) => ReplayFact::Started { holder: fact.holder },
        Fact::Advanced(fact) => ReplayFact::Advanced(progress_from_wire(fact.progress)),
        Fact::Paused(fact) => ReplayFact::Paused { reason: fact.reason },
        Fact::Resumed(_) => ReplayFact::Resumed,
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

fn plan_to_wire(plan: &Plan) -> wire::Scheduled {
    let numbers = plan.numbers.iter().flat_map(|numbers| numbers.iter());
    wire::Scheduled {
        from_sequence: plan.from_sequence,
        until_sequence: plan.until_sequence,
        estimated_events: plan.estimated_events,
        before: plan.before.map(place_to_wire),
        numbers: numbers
            .map(|one| wire::Stretch { epoch: one.epoch, first: one.first, last: one.last })
            .collect(),
        selects_numbers: plan.numbers.is_some(),
        tally: plan.tally.map(tally_to_wire),
    }
}

fn plan_from_wire(plan: wire::Scheduled) -> Plan {
    let numbers = plan.numbers.into_iter();
    let numbers =
        numbers.map(|one| Stretch { epoch: one.epoch, first: one.first, last: one.last }).collect();
    Plan {
        from_sequence: plan.from_sequence,
        until_sequence: plan.until_sequence,
        estimated_events: plan.estimated_events,
        before: plan.before.map(place_from_wire),
        numbers: plan.selects_numbers.then_some(numbers),
        tally: plan.tally.map(tally_from_wire),
    }
}

fn place_to_wire(place: Position) -> wire::Place {
    wire::Place { epoch: place.epoch, number: place.number, sequence: place.sequence }
}

fn place_from_wire(place: wire::Place) -> Position {
    Position { epoch: place.epoch, number: place.number, sequence: place.sequence }
}

fn tally_to_wire(tally: Tally) -> wire::Tally {
    let Tally { events, bytes, body_bytes, batches } = tally;
    wire::Tally { events, bytes, body_bytes, batches }
}

fn tally_from_wire(tally: wire::Tally) -> Tally {
    let wire::Tally { events, bytes, body_bytes, batches } = tally;
    Tally { events, bytes, body_bytes, batches }
}

/// What cannot be read proves nothing, and is left out.
fn sent_from_wire(progress: &wire::Progress) -> Option<SentIds> {
    Some(SentIds {
        first: progress.first_event_id.parse().ok()?,
        last: progress.last_event_id.parse().ok()?,
        digest: progress.ids_digest.as_slice().try_into().ok()?,
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
        cursor: progress.cursor.map(place_to_wire),
        first_event_id: progress.sent.map(|sent| sent.first.to_string()).unwrap_or_default(),
        last_event_id: progress.sent.map(|sent| sent.last.to_string()).unwrap_or_default(),
        ids_digest: progress.sent.map(|sent| sent.digest.to_vec()).unwrap_or_default(),
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
        cursor: progress.cursor.map(place_from_wire),
        sent: sent_from_wire(&progress),
    }
}
