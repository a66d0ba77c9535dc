//! The log, the shard, the receiver and the sender that is killed.

use std::collections::BTreeSet;
use std::time::Duration;

use auditrelay_model::backoff::Backoff;
use auditrelay_model::delivery::LaneState;
use auditrelay_model::record::Position;
use auditrelay_webhook_sender_core::batch::Caps;
use auditrelay_webhook_sender_core::gate::{Gate, Offered};
use auditrelay_webhook_sender_core::lane::{Arrival, Input, Policy, Request, Switch};
use auditrelay_webhook_sender_core::outcome::{FailureKind, Outcome};

use crate::builders::{answered, arrival, target, tried};
use crate::random::Random;
use crate::sender::Sender;

pub(crate) const BATCH_MAX: usize = 6;
pub(crate) const POLICY: Policy = Policy {
    batch: Caps { events: BATCH_MAX, bytes: 1_000_000 },
    room: Caps { events: 5, bytes: 1_000_000 },
    retry: Backoff { min: Duration::from_secs(1), max: Duration::from_secs(30) },
    retries: 4,
    probe: Backoff { min: Duration::from_secs(30), max: Duration::from_mins(15) },
    resume_rate: 100,
};

pub(crate) const GATE: Caps = Caps { events: 3, bytes: 1_000_000 };

pub(crate) struct World {
    pub(crate) seed: u64,
    /// Requests that may be out at the same time.
    pub(crate) in_flight: usize,
    pub(crate) random: Random,
    pub(crate) log: Vec<Arrival>,
    pub(crate) expired: usize,
    pub(crate) acked: BTreeSet<u64>,
    /// The shard's reader: index of the next record.
    pub(crate) shard_next: usize,
    pub(crate) stored: Option<LaneState>,
    pub(crate) quarantined: BTreeSet<u64>,
    pub(crate) sender: Option<Sender>,
    pub(crate) switch: Switch,
    pub(crate) mood: Mood,
    pub(crate) hostile: bool,
    pub(crate) producing: bool,
    pub(crate) received: Vec<u64>,
    pub(crate) crashes: usize,
    pub(crate) unanswered: usize,
    /// Holds and rests: what was delivered beyond a batch that failed is delivered again.
    pub(crate) emptied: usize,
    pub(crate) ids: u128,
    /// Index of the record that an own reader lost, until one finds it.
    pub(crate) lost: Option<usize>,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Mood {
    Up,
    Down,
    TakesFew,
    Forbids,
}

impl World {
    pub(crate) fn new(seed: u64, in_flight: usize) -> Self {
        Self {
            seed,
            in_flight,
            random: Random(seed),
            log: Vec::new(),
            expired: 0,
            acked: BTreeSet::new(),
            shard_next: 0,
            stored: None,
            quarantined: BTreeSet::new(),
            sender: None,
            switch: Switch::On(target(0, in_flight)),
            mood: Mood::Up,
            hostile: true,
            producing: true,
            received: Vec::new(),
            crashes: 0,
            unanswered: 0,
            emptied: 0,
            ids: 0,
            lost: None,
        }
    }

    /// One thing happens.
    pub(crate) fn step(&mut self) {
        match self.random.below(100) {
            0..20 => self.append_or_crash(),
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

    pub(crate) fn producers_stop(&mut self) {
        self.producing = false;
    }

    /// No more mischief: everything must come to rest.
    pub(crate) fn heal(&mut self) {
        self.hostile = false;
        self.mood = Mood::Up;
        self.switch = Switch::On(target(self.ids.try_into().unwrap(), self.in_flight));
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
            self.sender.as_ref().map(|s| (&s.lane, s.reader, s.in_flight.len(), s.timer)),
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
        all_acked
            && !behind
            && self.sender.as_ref().is_none_or(|sender| sender.in_flight.is_empty())
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
        let in_order = self.in_flight > 1 || first_receipts.is_sorted();
        assert!(in_order, "seed {seed}: out of order: {first_receipts:?}");
        let repeated = self.received.len() - seen.len();
        assert!(
            repeated
                <= (self.crashes + self.unanswered + self.emptied) * BATCH_MAX * self.in_flight,
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

    /// When the producers have stopped, more senders die instead.
    fn append_or_crash(&mut self) {
        if self.producing {
            self.append();
        } else if self.random.percent(25) {
            self.crash();
        } else {
            self.lane_takes();
        }
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
        match sender.gate.offer(last, 100, usize::MAX, (index, last.sequence)) {
            Offered::Taken => {}
            Offered::Skipped(sequence) => {
                self.acked.insert(sequence);
            }
        }
    }

    fn request_ends(&mut self) {
        let Some(sender) = self.sender.as_mut().filter(|sender| !sender.in_flight.is_empty())
        else {
            return;
        };
        let request = sender.in_flight.remove(self.random.below(sender.in_flight.len()));
        if request.batch.events > 1 && self.hostile && self.random.percent(3) {
            let fits = 1 + self.random.below(request.batch.events - 1);
            return self.tell(Input::Cut { batch: request.batch.id, fits });
        }
        let outcome = self.receive(&request);
        self.tell(Input::Tried(request.batch.id, tried(outcome)));
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
            0 => {
                self.emptied += 1;
                Switch::Off
            }
            _ => Switch::On(target(self.ids.try_into().unwrap(), self.in_flight)),
        };
        self.tell(Input::Configured(self.switch));
    }

    /// The sender dies; another takes the shard.
    pub(crate) fn crash(&mut self) {
        self.crashes += 1;
        for request in self.sender.take().map_or_else(Vec::new, |sender| sender.in_flight) {
            if self.random.percent(50) {
                self.receive(&request);
            }
        }
        self.shard_next = 0;
        if self.stored.as_ref().is_some_and(|state| state.behind.is_some()) {
            let skipped = self.log.last().map(position);
            self.start(Gate::left(GATE, skipped));
        }
    }
}

fn poisoned(number: u64) -> bool {
    number.is_multiple_of(23)
}

pub(crate) fn position(record: &Arrival) -> Position {
    Position { epoch: 1, number: record.last_number, sequence: record.sequence }
}
