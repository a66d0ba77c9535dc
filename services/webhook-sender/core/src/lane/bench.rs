//! A lane with a hand on its clock, for tests.

use std::sync::Arc;

use auditrelay_model::backoff::Chance;
use auditrelay_model::destination::LogFormat;
use auditrelay_model::event::{Access, AuditEvent, Detail};
use auditrelay_model::id::{BatchId, DestinationId, EventId, OrgId, RecordId};
use auditrelay_model::record::Record;
use auditrelay_model::scope::Scope;
use auditrelay_model::{Timestamp, Window};
use uuid::Uuid;

use super::*;
use crate::outcome::{FailureKind, Outcome};

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const POLICY: Policy = Policy {
    batch: Caps { events: 10, bytes: 1_000_000 },
    room: Caps { events: 8, bytes: 1_000_000 },
    retry: Backoff { min: SECOND, max: Duration::from_secs(30) },
    retries: 4,
    probe: Backoff { min: Duration::from_secs(30), max: Duration::from_mins(15) },
};

/// A lane with a hand on its clock.
pub(super) struct Bench {
    pub(super) lane: Lane,
    pub(super) now: Timestamp,
    pub(super) ids: u128,
    pub(super) sent: Option<Request>,
}

impl Bench {
    pub(super) fn new(course: Course) -> Self {
        let lane = Lane::new(course, LaneState::default(), Switch::On(target(0)), POLICY);
        let mut bench = Self { lane, now: Timestamp::from_nanos(DAY * 400), ids: 0, sent: None };
        bench.step(Input::Started);
        bench
    }

    pub(super) fn live() -> Self {
        Self::new(Course::Live)
    }

    pub(super) fn replay(start: i64, end: i64, until: u64) -> Self {
        let window = Window::stored(Timestamp::from_nanos(start), Timestamp::from_nanos(end));
        let selection = Arc::new(window.into());
        Self::new(Course::Replay { selection, until, patience: Duration::from_hours(1) })
    }

    pub(super) fn step(&mut self, input: Input) -> Vec<String> {
        self.ids += 1;
        let fresh = BatchId::from_uuid(Uuid::from_u128(self.ids));
        let effects =
            self.lane.handle(input, Moment { now: self.now, chance: Chance(32_768), fresh });
        for effect in &effects {
            if let Effect::Send(request) = effect {
                self.sent = Some(request.clone());
            }
        }
        effects.iter().map(words).collect()
    }

    pub(super) fn answer(&mut self, status: u16) -> Vec<String> {
        self.outcome(Outcome::Answered { status, retry_after: None, message: String::new() })
    }

    pub(super) fn outcome(&mut self, outcome: Outcome) -> Vec<String> {
        self.step(Input::Tried(Tried {
            outcome,
            started_at: self.now,
            duration: SECOND,
            body_bytes: 1_000,
            trace_id: String::new(),
        }))
    }
}

pub(super) const DAY: i64 = 86_400_000_000_000;

pub(super) fn target(changed: i64) -> Target {
    Target {
        destination: DestinationId::from_uuid(Uuid::nil()),
        log_format: LogFormat::Json,
        changed_at: Timestamp::from_nanos(changed),
    }
}

/// Effects as words: what a test says about them.
pub(super) fn words(effect: &Effect) -> String {
    match effect {
        Effect::Store { fact, .. } => match fact {
            DeliveryFact::Attempt(attempt) if attempt.delivered => {
                format!(
                    "delivered {}-{}@{}",
                    attempt.first.number, attempt.last.number, attempt.last.sequence
                )
            }
            DeliveryFact::Attempt(attempt) => format!("failed #{}", attempt.number),
            DeliveryFact::FellBehind { cursor, .. } => format!("behind {}", cursor.number),
            DeliveryFact::CaughtUp => "caught up".to_owned(),
            DeliveryFact::Held(hold) if hold.customer_must_act => "held, act".to_owned(),
            DeliveryFact::Held(_) => "held".to_owned(),
            DeliveryFact::Resumed => "resumed".to_owned(),
            DeliveryFact::Quarantined(quarantined) => {
                format!("quarantined {}", quarantined.at.number)
            }
            DeliveryFact::Passed { to, events } => {
                format!("passed {events} to {}@{}", to.number, to.sequence)
            }
            DeliveryFact::Expired { to, events, .. } => {
                format!("expired {events} to {}", to.number)
            }
            DeliveryFact::Stopped { code, .. } => format!("stopped {code}"),
        },
        Effect::Done(sequence) => format!("done {sequence}"),
        Effect::Forget(sequences) => format!("forget {sequences:?}"),
        Effect::LeaveShard => "leave".to_owned(),
        Effect::AskRejoin => "ask".to_owned(),
        Effect::StopReading => "stop reading".to_owned(),
        Effect::Send(request) => format!(
            "send {}-{} x{} #{}",
            request.batch.first.number,
            request.batch.last.number,
            request.batch.events,
            request.attempt
        ),
        Effect::Wake(after) => format!("wake {}", after.as_secs()),
        Effect::End => "end".to_owned(),
    }
}

pub(super) fn event(ts: i64) -> AuditEvent {
    let access = Access { method: "GET".to_owned(), status_code: 200, query: String::new() };
    AuditEvent {
        id: EventId::from_uuid(Uuid::nil()),
        ts: Timestamp::from_nanos(ts),
        principal_id: String::new(),
        principal_name: String::new(),
        actor_id: String::new(),
        client_ip: None,
        uri: String::new(),
        user_agent: String::new(),
        trace_id: String::new(),
        platform_initiated: false,
        traceparent: String::new(),
        detail: Detail::Access(access),
    }
}

/// A record of events at the given times, in minutes of the test's day.
pub(super) fn record(sequence: u64, first_number: u64, times: &[i64]) -> Input {
    let record = Record {
        id: RecordId::from_uuid(Uuid::nil()),
        scope: Scope::Organization(OrgId::from_uuid(Uuid::nil())),
        epoch: 1,
        first_number,
        previous_digest: None,
        accepted_at: Timestamp::from_nanos(DAY * 400),
        idempotency_key: None,
        events: times.iter().map(|ts| event(*ts)).collect(),
    };
    Input::Arrived(Arrival {
        sequence,
        stored_at: Timestamp::from_nanos(DAY * 400),
        oldest: 0,
        epoch: 1,
        first_number,
        last_number: record.last_number(),
        body: Body::Record(Arc::new(record)),
    })
}

pub(super) fn refused() -> Outcome {
    Outcome::Failed { kind: FailureKind::Connect, message: "connection refused".to_owned() }
}
