//! A live lane whose receiver takes everything.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use auditrelay_model::Timestamp;
use auditrelay_model::backoff::{Backoff, Chance};
use auditrelay_model::delivery::LaneState;
use auditrelay_model::destination::LogFormat;
use auditrelay_model::id::{BatchId, DestinationId};
use auditrelay_model::record::Record;
use auditrelay_webhook_sender_core::batch::Caps;
use auditrelay_webhook_sender_core::judge::{Verdict, judge};
use auditrelay_webhook_sender_core::lane::{
    Arrival, Body, Course, Effect, Input, Lane, Moment, Policy, Switch, Target, Tried,
};
use auditrelay_webhook_sender_core::outcome::Outcome;

use uuid::Uuid;

use crate::{NOW, uuid};

const SECOND: Duration = Duration::from_secs(1);
const MOMENT: Moment = Moment {
    now: NOW,
    chance: Chance(32_768),
    running: Duration::ZERO,
    fresh: BatchId::from_uuid(Uuid::from_u128(1 << 80)),
};
const CAPS: Caps = Caps { events: 500, bytes: 1_000_000 };
const POLICY: Policy = Policy {
    batch: CAPS,
    room: CAPS,
    retry: Backoff { min: SECOND, max: SECOND },
    retries: 4,
    probe: Backoff { min: SECOND, max: SECOND },
    resume_rate: 1_000,
};

/// Judges an answer.
pub fn answer(status: u16) -> Verdict {
    judge(&answered(status), NOW)
}

fn answered(status: u16) -> Outcome {
    Outcome::Answered { status, retry_after: None, message: String::new() }
}

/// Takes a record in, sends it and hears that it was taken; how many events were sent.
pub fn deliver(record: &Arc<Record>) -> usize {
    let target = Target {
        destination: DestinationId::from_uuid(uuid(2)),
        log_format: LogFormat::Json,
        in_flight: 1,
        changed_at: Timestamp::from_nanos(0),
    };
    let switch = Switch::On(target);
    let mut lane = Lane::new(Course::Live, LaneState::default(), switch, POLICY);
    let mut sent = 0;
    let mut inputs = VecDeque::from([Input::Started, arrival(record)]);
    while let Some(input) = inputs.pop_front() {
        for effect in lane.handle(input, MOMENT) {
            if let Effect::Send(request) = effect {
                sent += request.batch.events;
                inputs.push_back(Input::Tried(request.batch.id, taken()));
            }
        }
    }
    sent
}

fn arrival(record: &Arc<Record>) -> Input {
    Input::Arrived(Arrival {
        sequence: 1,
        stored_at: NOW,
        oldest: 0,
        epoch: record.epoch,
        first_number: record.first_number,
        last_number: record.last_number(),
        body: Body::Record(Arc::clone(record)),
        ended: Vec::new(),
        lost: None,
    })
}

fn taken() -> Tried {
    let outcome = answered(204);
    let trace_id = String::new();
    Tried { outcome, started_at: NOW, duration: SECOND, body_bytes: 50_000, trace_id }
}
