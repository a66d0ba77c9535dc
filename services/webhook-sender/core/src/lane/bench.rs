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
    resume_rate: 1_000,
};

/// A lane with a hand on its clock.
pub(super) struct Bench {
    pub(super) lane: Lane,
    course: Course,
    policy: Policy,
    pub(super) now: Timestamp,
    pub(super) ids: u128,
    pub(super) sent: Option<Request>,
    pub(super) running: Duration,
}

impl Bench {
    pub(super) fn new(course: Course, policy: Policy) -> Self {
        let state = LaneState::default();
        let lane = Lane::new(course.clone(), state, Switch::On(target(0)), policy);
        let now = Timestamp::from_nanos(DAY * 400);
        let running = Duration::ZERO;
        let mut bench = Self { lane, course, policy, now, ids: 0, sent: None, running };
        bench.step(Input::Started);
        bench
    }

    /// Another sender goes on from the last fact.
    pub(super) fn start_again(&mut self) -> Vec<String> {
        let state = self.lane.state().clone();
        self.lane = Lane::new(self.course.clone(), state, Switch::On(target(0)), self.policy);
        self.step(Input::Started)
    }

    /// A live lane that may have several requests out.
    pub(super) fn parallel(in_flight: usize) -> Self {
        let mut bench = Self::live();
        bench.step(Input::Configured(Switch::On(Target { in_flight, ..target(1) })));
        bench
    }

    pub(super) fn live() -> Self {
        Self::new(Course::Live, POLICY)
    }

    pub(super) fn replay(start: i64, end: i64, until: u64) -> Self {
        let window = Window::stored(Timestamp::from_nanos(start), Timestamp::from_nanos(end));
        let (selection, patience) = (Arc::new(window.into()), Duration::from_hours(1));
        Self::new(Course::Replay { selection, until, patience }, POLICY)
    }

    pub(super) fn step(&mut self, input: Input) -> Vec<String> {
        self.effects(input).iter().map(words).collect()
    }

    pub(super) fn effects(&mut self, input: Input) -> Vec<Effect> {
        self.ids += 1;
        let fresh = BatchId::from_uuid(Uuid::from_u128(self.ids << 32));
        let (now, running) = (self.now, self.running);
        let moment = Moment { now, running, chance: Chance(32_768), fresh };
        let effects = self.lane.handle(input, moment);
        for effect in &effects {
            if let Effect::Send(request) = effect {
                self.sent = Some(request.clone());
            }
        }
        effects
    }

    pub(super) fn answer(&mut self, status: u16) -> Vec<String> {
        self.outcome(answered(status))
    }

    pub(super) fn outcome(&mut self, outcome: Outcome) -> Vec<String> {
        let batch = self.sent.as_ref().unwrap().batch.id;
        self.outcome_of(batch, outcome)
    }

    /// What came of one of several requests.
    pub(super) fn outcome_of(&mut self, batch: BatchId, outcome: Outcome) -> Vec<String> {
        let tried = Tried {
            outcome,
            started_at: self.now,
            duration: SECOND,
            body_bytes: 1_000,
            trace_id: String::new(),
        };
        self.step(Input::Tried(batch, tried))
    }
}

pub(super) const DAY: i64 = 86_400_000_000_000;

pub(super) fn target(changed: i64) -> Target {
    Target {
        destination: DestinationId::from_uuid(Uuid::nil()),
        log_format: LogFormat::Json,
        in_flight: 1,
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
            DeliveryFact::Yielded => "yielded".to_owned(),
            DeliveryFact::WentOn => "went on".to_owned(),
            DeliveryFact::Stopped { code, .. } => format!("stopped {code}"),
        },
        Effect::Done(sequence) => format!("done {sequence}"),
        Effect::Forget(sequences) => format!("forget {sequences:?}"),
        Effect::LeaveShard => "leave".to_owned(),
        Effect::AskRejoin => "ask".to_owned(),
        Effect::StopReading => "stop reading".to_owned(),
        Effect::Prepare(request) => {
            format!("prepare {}-{}", request.batch.first.number, request.batch.last.number)
        }
        Effect::Send(request) => format!(
            "send {}-{} x{} #{}",
            request.batch.first.number,
            request.batch.last.number,
            request.batch.events,
            request.attempt
        ),
        Effect::Wake(after) => format!("wake {}", after.as_secs()),
        Effect::Park(after) => format!("park {}", after.as_secs()),
        Effect::End => "end".to_owned(),
    }
}

pub(super) fn event(ts: i64) -> AuditEvent {
    let access = Access { method: "GET".to_owned(), status_code: 200, query: String::new() };
    AuditEvent::new(
        EventId::from_uuid(Uuid::nil()),
        Timestamp::from_nanos(ts),
        Detail::Access(access),
    )
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
        ended: Vec::new(),
        lost: None,
    })
}

/// The same of another life of the log, of which it is known where those before it ended.
pub(super) fn of_epoch(epoch: u64, record: Input, ended: Vec<Position>) -> Input {
    let Input::Arrived(arrival) = record else { unreachable!() };
    let Body::Record(record) = &arrival.body else { unreachable!() };
    let body = Body::Record(Arc::new(Record { epoch, ..Record::clone(record) }));
    Input::Arrived(Arrival { epoch, body, ended, ..arrival })
}

pub(super) fn answered(status: u16) -> Outcome {
    Outcome::Answered { status, retry_after: None, message: String::new() }
}

pub(super) fn refused() -> Outcome {
    Outcome::Failed { kind: FailureKind::Connect, message: "connection refused".to_owned() }
}
