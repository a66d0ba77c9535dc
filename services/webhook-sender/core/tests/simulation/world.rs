//! The log, the shard, the receiver and the sender that is killed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use auditrelay_model::Timestamp;
use auditrelay_model::backoff::{Backoff, Chance};
use auditrelay_model::delivery::{DeliveryFact, LaneState};
use auditrelay_model::destination::LogFormat;
use auditrelay_model::event::{Access, AuditEvent, Detail};
use auditrelay_model::id::{BatchId, DestinationId, EventId, OrgId, RecordId};
use auditrelay_model::record::{Position, Record};
use auditrelay_model::scope::Scope;
use auditrelay_webhook_sender_core::batch::Caps;
use auditrelay_webhook_sender_core::gate::{Gate, Offered};
use auditrelay_webhook_sender_core::lane::{
    Arrival, Body, Course, Effect, Input, Lane, Moment, Policy, Rejoin, Request, Switch, Target,
    Tried, Wants,
};
use auditrelay_webhook_sender_core::outcome::{FailureKind, Outcome};
use uuid::Uuid;

use crate::random::Random;

pub(crate) const BATCH_MAX: usize = 6;
pub(crate) const POLICY: Policy = Policy {
    batch: Caps { events: BATCH_MAX, bytes: 1_000_000 },
    room: Caps { events: 5, bytes: 1_000_000 },
    retry: Backoff { min: Duration::from_secs(1), max: Duration::from_secs(30) },
    retries: 4,
    probe: Backoff { min: Duration::from_secs(30), max: Duration::from_mins(15) },
};

const GATE: Caps = Caps { events: 3, bytes: 1_000_000 };

pub(crate) struct World {
    seed: u64,
    random: Random,
    log: Vec<Arrival>,
    expired: usize,
    acked: BTreeSet<u64>,
    /// The shard's reader: index of the next record.
    shard_next: usize,
    stored: Option<LaneState>,
    quarantined: BTreeSet<u64>,
    sender: Option<Sender>,
    switch: Switch,
    mood: Mood,
    hostile: bool,
    received: Vec<u64>,
    crashes: usize,
    unanswered: usize,
    ids: u128,
}

struct Sender {
    lane: Lane,
    gate: Gate<usize, u64>,
    reader: Option<usize>,
    held: BTreeSet<u64>,
    in_flight: Option<Request>,
    timer: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Up,
    Down,
    TakesFew,
    Forbids,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            random: Random(seed),
            log: Vec::new(),
            expired: 0,
            acked: BTreeSet::new(),
            shard_next: 0,
            stored: None,
            quarantined: BTreeSet::new(),
            sender: None,
            switch: Switch::On(target(0)),
            mood: Mood::Up,
            hostile: true,
            received: Vec::new(),
            crashes: 0,
            unanswered: 0,
            ids: 0,
        }
    }

    /// One thing happens.
    pub(crate) fn step(&mut self) {
        match self.random.below(100) {
            0..20 => self.append(),
            20..45 => self.deliver_from_shard(),
            45..50 => self.redeliver(),
            50..70 => self.lane_takes(),
            70..85 => self.request_ends(),
            85..90 => self.timer_rings(),
            90..92 => self.crash(),
            92..95 => self.change_mood(),
            95..97 => self.change_switch(),
            _ => self.expire(),
        }
    }

    /// No more mischief: everything must come to rest.
    pub(crate) fn heal(&mut self) {
        self.hostile = false;
        self.mood = Mood::Up;
        self.switch = Switch::On(target(self.ids.try_into().unwrap()));
        self.tell(Input::Configured(self.switch));
        for _ in 0..5_000 {
            self.deliver_from_shard();
            self.redeliver();
            self.lane_takes();
            self.request_ends();
            self.timer_rings();
            if self.at_rest() {
                return;
            }
        }
        let (log, lane) = (
            self.log.len(),
            self.sender.as_ref().map(|s| (&s.lane, s.reader, s.in_flight.is_some(), s.timer)),
        );
        panic!(
            "seed {}: never came to rest: {:?} {log} {} {lane:?}",
            self.seed, self.stored, self.expired
        );
    }

    fn at_rest(&self) -> bool {
        let all_acked =
            self.log.iter().skip(self.expired).all(|record| self.acked.contains(&record.sequence));
        let behind = self.stored.as_ref().is_some_and(|state| state.behind.is_some());
        all_acked && !behind && self.sender.as_ref().is_none_or(|sender| sender.in_flight.is_none())
    }

    pub(crate) fn check(&self) {
        let seed = self.seed;
        let last = self.log.last().map_or(0, |record| record.last_number);
        let mut first_receipts = Vec::new();
        let mut seen = BTreeSet::new();
        for number in &self.received {
            if seen.insert(*number) {
                first_receipts.push(*number);
            }
        }
        assert!(first_receipts.is_sorted(), "seed {seed}: out of order: {first_receipts:?}");
        let repeated = self.received.len() - seen.len();
        assert!(
            repeated <= (self.crashes + self.unanswered) * BATCH_MAX,
            "seed {seed}: {repeated}"
        );
        assert!(self.quarantined.iter().all(|number| poisoned(*number)), "seed {seed}");
        let totals = self.stored.clone().unwrap_or_default().totals;
        let accounted = totals.events_delivered + totals.events_quarantined + totals.events_expired;
        assert_eq!(accounted, last, "seed {seed}: {totals:?}");
        let missing =
            (1..=last).filter(|n| !seen.contains(n) && !self.quarantined.contains(n)).count();
        assert!(
            missing as u64 <= totals.events_expired,
            "seed {seed}: {missing} missing, {totals:?}"
        );
    }

    fn append(&mut self) {
        let (sequence, number) = match self.log.last() {
            Some(last) => (last.sequence, last.last_number + 1),
            None => (0, 1),
        };
        let events = 1 + self.random.below(8);
        // Other scopes store records between ours.
        let sequence = sequence + 1 + self.random.below(3) as u64;
        self.log.push(arrival(sequence, number, &vec![0; events]));
    }

    /// The oldest record expires, unless nothing was ever stored about the lane: without a cursor
    /// nobody knows that it was due.
    fn expire(&mut self) {
        let known = self.stored.as_ref().is_some_and(|state| state.cursor.is_some());
        if known && self.random.percent(30) && self.expired < self.log.len().saturating_sub(2) {
            self.expired += 1;
        }
    }

    fn deliver_from_shard(&mut self) {
        let index = self.shard_next.max(self.expired);
        let Some(record) = self.log.get(index) else { return };
        let sequence = record.sequence;
        self.shard_next = index + 1;
        let lost = self.hostile && self.random.percent(5);
        if !lost && !self.acked.contains(&sequence) {
            self.offer(index);
        }
    }

    /// The broker brings an unacknowledged record again, out of order.
    fn redeliver(&mut self) {
        let open: Vec<usize> = (self.expired..self.shard_next.min(self.log.len()))
            .filter(|index| !self.acked.contains(&self.log[*index].sequence))
            .collect();
        if !open.is_empty() {
            let index = open[self.random.below(open.len())];
            self.offer(index);
        }
    }

    fn offer(&mut self, index: usize) {
        if self.sender.is_none() {
            self.start(Gate::open(GATE));
        }
        let last = position(&self.log[index]);
        let Some(sender) = &mut self.sender else { return };
        match sender.gate.offer(last, 100, index, last.sequence) {
            Offered::Taken => {}
            Offered::Skipped(sequence) => {
                self.acked.insert(sequence);
            }
        }
    }

    fn start(&mut self, gate: Gate<usize, u64>) {
        // The log is asked where a lane without a cursor begins.
        let beginning = || LaneState { cursor: Some(Position::default()), ..LaneState::default() };
        let state = self.stored.clone().unwrap_or_else(beginning);
        self.sender = Some(Sender {
            lane: Lane::new(Course::Live, state, self.switch, POLICY),
            gate,
            reader: None,
            held: BTreeSet::new(),
            in_flight: None,
            timer: false,
        });
        self.tell(Input::Started);
    }

    fn lane_takes(&mut self) {
        let Some(sender) = &mut self.sender else { return };
        match sender.lane.wants() {
            _ if sender.gate.is_shut() && sender.lane.tail().is_some() => {
                self.tell(Input::Overflowed);
            }
            Wants::Nothing => {}
            Wants::FromShard => {
                if let Some((index, sequence)) = sender.gate.take() {
                    sender.held.insert(sequence);
                    self.tell(Input::Arrived(self.log[index].clone()));
                }
            }
            Wants::FromReader => self.read(),
        }
    }

    fn read(&mut self) {
        let Some(sender) = &mut self.sender else { return };
        let from = sender.lane.tail().unwrap().sequence;
        let log = &self.log;
        let next = *sender
            .reader
            .get_or_insert_with(|| log.partition_point(|record| record.sequence < from));
        let index = next.max(self.expired);
        sender.reader = Some(index + 1);
        match self.log.get(index).cloned() {
            // The connection breaks and takes the record with it.
            Some(_) if self.hostile && self.random.percent(5) => {}
            Some(record) => self.tell(Input::Arrived(record)),
            None => {
                sender.reader = Some(self.log.len());
                self.tell(Input::Exhausted);
            }
        }
    }

    fn request_ends(&mut self) {
        let Some(request) = self.sender.as_mut().and_then(|sender| sender.in_flight.take()) else {
            return;
        };
        let outcome = self.receive(&request);
        self.tell(Input::Tried(tried(outcome)));
    }

    fn receive(&mut self, request: &Request) -> Outcome {
        let numbers = request.batch.first.number..=request.batch.last.number;
        if self.hostile && self.random.percent(10) {
            if !numbers.clone().any(poisoned) {
                self.received.extend(numbers);
                self.unanswered += 1;
            }
            let message = "no answer".to_owned();
            return Outcome::Failed { kind: FailureKind::Timeout, message };
        }
        let status = match self.mood {
            Mood::Down => 503,
            Mood::Forbids => 403,
            Mood::TakesFew if request.batch.events > 2 => 413,
            Mood::Up | Mood::TakesFew if numbers.clone().any(poisoned) => 400,
            Mood::Up | Mood::TakesFew => {
                self.received.extend(numbers);
                200
            }
        };
        answered(status)
    }

    fn timer_rings(&mut self) {
        if self.sender.as_mut().is_some_and(|sender| std::mem::take(&mut sender.timer)) {
            self.tell(Input::Woke);
        }
    }

    fn change_mood(&mut self) {
        self.mood = match self.random.below(6) {
            0 => Mood::Down,
            1 => Mood::TakesFew,
            2 => Mood::Forbids,
            _ => Mood::Up,
        };
    }

    fn change_switch(&mut self) {
        self.switch = match self.random.below(3) {
            0 => Switch::Off,
            _ => Switch::On(target(self.ids.try_into().unwrap())),
        };
        self.tell(Input::Configured(self.switch));
    }

    /// The sender dies; another takes the shard.
    fn crash(&mut self) {
        self.crashes += 1;
        if let Some(request) = self.sender.take().and_then(|sender| sender.in_flight)
            && self.random.percent(50)
        {
            self.receive(&request);
        }
        self.shard_next = 0;
        if self.stored.as_ref().is_some_and(|state| state.behind.is_some()) {
            let skipped = self.log.last().map(position);
            self.start(Gate::left(GATE, skipped));
        }
    }

    fn tell(&mut self, input: Input) {
        self.ids += 1;
        let moment = moment(self.ids);
        let Some(sender) = &mut self.sender else { return };
        for effect in sender.lane.handle(input, moment) {
            if self.hostile && self.random.percent(1) {
                return self.crash();
            }
            if !self.carry_out(effect) {
                return;
            }
        }
    }

    fn carry_out(&mut self, effect: Effect) -> bool {
        let Some(sender) = &mut self.sender else { return false };
        match effect {
            Effect::Store { fact, state, .. } => {
                if let DeliveryFact::Quarantined(quarantined) = fact {
                    self.quarantined.insert(quarantined.at.number);
                }
                self.stored = Some(*state);
            }
            Effect::Done(sequence) => {
                // An acknowledgement may be lost.
                if sender.held.remove(&sequence) && !(self.hostile && self.random.percent(5)) {
                    self.acked.insert(sequence);
                }
            }
            Effect::Forget(sequences) => {
                for sequence in sequences {
                    sender.held.remove(&sequence);
                }
            }
            Effect::LeaveShard => {
                self.acked.extend(sender.gate.leave());
                self.acked.extend(std::mem::take(&mut sender.held));
            }
            Effect::AskRejoin => return self.ask_rejoin(),
            Effect::StopReading => sender.reader = None,
            Effect::Send(request) => {
                assert!(sender.in_flight.is_none(), "seed {}: two requests", self.seed);
                sender.in_flight = Some(request);
            }
            Effect::Wake(_) => sender.timer = true,
            Effect::End => self.sender = None,
        }
        true
    }

    fn ask_rejoin(&mut self) -> bool {
        let Some(sender) = &mut self.sender else { return false };
        let have = sender.lane.tail().map_or(0, |tail| tail.sequence);
        let answer = match sender.gate.rejoin(have) {
            Ok(()) => Rejoin::Welcome,
            Err(last) if self.log.iter().skip(self.expired).all(|r| r.sequence <= have) => {
                assert!(sender.gate.reopen(last));
                Rejoin::WelcomeWithout { last }
            }
            Err(_) => Rejoin::NotYet,
        };
        self.tell(Input::Rejoin(answer));
        true
    }
}

pub(crate) fn target(changed: i64) -> Target {
    Target {
        destination: DestinationId::from_uuid(Uuid::nil()),
        log_format: LogFormat::Json,
        changed_at: Timestamp::from_nanos(changed),
    }
}

pub(crate) fn moment(id: u128) -> Moment {
    Moment {
        now: Timestamp::from_nanos(1_000_000),
        chance: Chance(0),
        fresh: BatchId::from_uuid(Uuid::from_u128(id)),
    }
}

pub(crate) fn tried(outcome: Outcome) -> Tried {
    Tried {
        outcome,
        started_at: Timestamp::from_nanos(0),
        duration: Duration::ZERO,
        body_bytes: 4_000,
        trace_id: String::new(),
    }
}

pub(crate) fn answered(status: u16) -> Outcome {
    Outcome::Answered { status, retry_after: None, message: String::new() }
}

fn poisoned(number: u64) -> bool {
    number.is_multiple_of(23)
}

fn position(record: &Arrival) -> Position {
    Position { epoch: 1, number: record.last_number, sequence: record.sequence }
}

/// A record with events at these times.
pub(crate) fn arrival(sequence: u64, first_number: u64, times: &[i64]) -> Arrival {
    let record = Record {
        id: RecordId::from_uuid(Uuid::nil()),
        scope: Scope::Organization(OrgId::from_uuid(Uuid::nil())),
        epoch: 1,
        first_number,
        previous_digest: None,
        accepted_at: Timestamp::from_nanos(0),
        idempotency_key: None,
        events: times.iter().map(|ts| event(*ts)).collect(),
    };
    Arrival {
        sequence,
        stored_at: Timestamp::from_nanos(0),
        epoch: 1,
        first_number,
        last_number: record.last_number(),
        body: Body::Record(Arc::new(record)),
    }
}

fn event(ts: i64) -> AuditEvent {
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
