//! A replay lane whose sender is killed between any two effects.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use auditrelay_model::delivery::LaneState;
use auditrelay_model::{Timestamp, Window};
use auditrelay_webhook_sender_core::lane::{
    Arrival, Body, Course, Effect, Input, Lane, Request, Switch, Wants,
};

use crate::builders::{answered, moment, target, tried};
use crate::random::Random;
use crate::world::{BATCH_MAX, POLICY};

struct Job {
    seed: u64,
    random: Random,
    log: Vec<Arrival>,
    until: u64,
    stored: LaneState,
    acked: BTreeSet<u64>,
    lane: Lane,
    reader: usize,
    in_flight: Vec<Request>,
    /// So many requests may be out at the same time.
    at_once: usize,
    timer: bool,
    ended: bool,
    crashes: usize,
    /// What was delivered behind a batch that failed is delivered again.
    parked: usize,
    received: Vec<u64>,
    ids: u128,
}

const WINDOW: (i64, i64) = (30, 70);

/// Runs a job over a log, up to a sequence.
pub(crate) fn over(log: Vec<Arrival>, until: u64, at_once: usize, random: Random) {
    let seed = random.0;
    let mut job = Job {
        seed,
        random,
        lane: lane(LaneState::default(), until, at_once),
        until,
        log,
        stored: LaneState::default(),
        acked: BTreeSet::new(),
        reader: 0,
        in_flight: Vec::new(),
        at_once,
        timer: false,
        ended: false,
        crashes: 0,
        parked: 0,
        received: Vec::new(),
        ids: 0,
    };
    job.tell(Input::Started);
    for _ in 0..20_000 {
        if job.ended {
            return job.check();
        }
        job.step();
    }
    panic!("seed {seed}: never ended: {:?}", job.lane);
}

fn lane(state: LaneState, until: u64, at_once: usize) -> Lane {
    let window = Window::stored(Timestamp::from_nanos(WINDOW.0), Timestamp::from_nanos(WINDOW.1));
    let selection = Arc::new(window.into());
    let course = Course::Replay { selection, until, patience: Duration::from_hours(1) };
    Lane::new(course, state, Switch::On(target(0, at_once)), POLICY)
}

impl Job {
    fn step(&mut self) {
        match self.random.below(10) {
            0..5 => self.read(),
            5..8 => self.request_ends(),
            8 if std::mem::take(&mut self.timer) => self.tell(Input::Woke),
            9 if self.random.percent(20) => {
                let yields = self.random.percent(50);
                self.tell(Input::Yield(yields));
            }
            9 if self.random.percent(20) => self.crash(),
            _ => {}
        }
    }

    fn read(&mut self) {
        if self.lane.wants() != Wants::FromReader {
            return;
        }
        let index = self.reader;
        self.reader += 1;
        match self.log.get(index).cloned() {
            Some(record) if self.acked.contains(&record.sequence) => {}
            Some(record) => self.tell(Input::Arrived(record)),
            None => self.tell(Input::Exhausted),
        }
    }

    fn request_ends(&mut self) {
        if self.in_flight.is_empty() {
            return;
        }
        let request = self.in_flight.remove(self.random.below(self.in_flight.len()));
        let status = if self.random.percent(20) { 503 } else { self.receive(&request) };
        self.tell(Input::Tried(request.batch.id, tried(answered(status))));
    }

    fn receive(&mut self, request: &Request) -> u16 {
        for slice in &request.batch.slices {
            let first = slice.record.first_number;
            self.received.extend(slice.range.clone().map(|index| first + index as u64));
        }
        200
    }

    fn crash(&mut self) {
        self.crashes += 1;
        for request in std::mem::take(&mut self.in_flight) {
            if self.random.percent(50) {
                self.receive(&request);
            }
        }
        self.start_anew();
    }

    fn start_anew(&mut self) {
        self.timer = false;
        self.reader = 0;
        self.lane = lane(self.stored.clone(), self.until, self.at_once);
        self.tell(Input::Started);
    }

    fn tell(&mut self, input: Input) {
        self.ids += 1;
        for effect in self.lane.handle(input, moment(self.ids)) {
            if self.random.percent(1) {
                return self.crash();
            }
            match effect {
                Effect::Store { state, .. } => self.store(*state),
                Effect::Done(sequence) => {
                    self.acked.insert(sequence);
                }
                Effect::StopReading => self.reader = 0,
                Effect::Send(request) => {
                    self.in_flight.push(request);
                    assert!(self.in_flight.len() <= self.at_once, "seed {}", self.seed);
                }
                Effect::Wake(_) => self.timer = true,
                Effect::End => self.ended = true,
                Effect::Park(_) => {
                    self.parked += 1;
                    return self.start_anew();
                }
                Effect::Forget(_) | Effect::Prepare(_) => {}
                Effect::LeaveShard | Effect::AskRejoin => panic!("a replay has no shard"),
            }
        }
    }

    /// The scheduler completes the job as soon as a fact's cursor reaches the end.
    fn store(&mut self, state: LaneState) {
        self.stored = state;
        if self.stored.cursor.is_some_and(|cursor| cursor.sequence >= self.until) {
            self.check();
        }
    }

    fn check(&self) {
        let seed = self.seed;
        let wanted: BTreeSet<u64> =
            self.log.iter().flat_map(|record| self.admitted(record)).collect();
        let received: BTreeSet<u64> = self.received.iter().copied().collect();
        assert_eq!(received, wanted, "seed {seed}");
        assert_eq!(self.stored.stopped, None, "seed {seed}");
        let ahead = self.parked * (self.at_once - 1);
        let most = (self.crashes * self.at_once + ahead) * BATCH_MAX;
        assert!(self.received.len() - received.len() <= most, "seed {seed}");
        let totals = self.stored.totals;
        let within = self.log.iter().filter(|record| record.sequence <= self.until);
        let all = within.map(|record| record.last_number).max().unwrap_or(0);
        assert_eq!(totals.events_delivered, wanted.len() as u64, "seed {seed}");
        assert_eq!(totals.events_delivered + totals.events_passed, all, "seed {seed}: {totals:?}");
    }

    fn admitted(&self, record: &Arrival) -> Vec<u64> {
        let Body::Record(events) = &record.body else { return Vec::new() };
        if record.sequence > self.until {
            return Vec::new();
        }
        let inside = |ts: i64| WINDOW.0 <= ts && ts <= WINDOW.1;
        let numbers = events.first_number..;
        let pairs = numbers.zip(&events.events);
        pairs.filter(|(_, event)| inside(event.ts.nanos())).map(|(number, _)| number).collect()
    }
}
