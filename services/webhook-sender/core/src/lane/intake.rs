//! Records coming in: each is checked by its numbers, so that repeats, hand-overs and losses do no
//! harm.

use std::cmp::Ordering;
use std::sync::Arc;

use auditrelay_model::delivery::{DeliveryFact, Quarantined};
use auditrelay_model::id::EventId;
use auditrelay_model::record::{Fit, Place, Position, fit};
use auditrelay_model::window::RETENTION;
use uuid::Uuid;

use super::buffer::Missing;
use super::entry::Loss;
use super::{Arrival, Body, Course, Effect, Lane, Moment, Reading, Wants, Work};

impl Lane {
    /// Whether it takes records, and where from.
    pub fn wants(&self) -> Wants {
        let probing = self.state.hold.is_some();
        let room =
            if probing { self.buffer.is_empty() } else { self.buffer.has_room(self.policy.room) };
        let busy = matches!(self.work, Work::Holding { .. } | Work::Resting | Work::Ended);
        match &self.course {
            Course::Live if !self.reads_alone() => {
                if room && !matches!(self.work, Work::Ended) {
                    Wants::FromShard
                } else {
                    Wants::Nothing
                }
            }
            _ if busy || !room || self.draining || self.reading == Reading::Complete => {
                Wants::Nothing
            }
            Course::Live | Course::Replay { .. } => Wants::FromReader,
        }
    }

    /// Whether it reads with a reader of its own.
    pub(super) fn reads_alone(&self) -> bool {
        match (&self.course, self.reading) {
            (Course::Replay { .. }, _) => true,
            (Course::Live, Reading::Rejoined { .. }) => false,
            (Course::Live, _) => self.state.behind.is_some(),
        }
    }

    pub(super) fn arrived(&mut self, arrival: &Arrival, moment: Moment) {
        match self.reading {
            Reading::Complete => return,
            Reading::Exhausted | Reading::Rejoining { .. } => self.reading = Reading::On,
            Reading::On | Reading::Rejoined { .. } | Reading::LookingAgain { .. } => {}
        }
        self.count_lost(arrival);
        self.count_ended(arrival);
        match fit(self.tail(), arrival.epoch, arrival.first_number, arrival.last_number) {
            Fit::Known => self.known(arrival),
            Fit::Next { skip } => self.take(arrival, skip),
            Fit::Gap { expected } => self.gap(arrival, expected, moment),
        }
    }

    /// What the broker lost right before the record, in a life before its own.
    fn count_lost(&mut self, arrival: &Arrival) {
        if let Some(Place { epoch, number }) = arrival.lost {
            let sequence = arrival.sequence.saturating_sub(1);
            self.miss_until(Position { epoch, number, sequence }, arrival.epoch, Loss::Hole);
        }
    }

    /// A new life of the log begins when every record of the one before is gone: what of that was
    /// not read never will be.
    fn count_ended(&mut self, arrival: &Arrival) {
        for end in &arrival.ended {
            self.miss_until(*end, arrival.epoch, Loss::Expired);
        }
    }

    /// What was not read up to this end of a life before this one.
    fn miss_until(&mut self, end: Position, life: u64, loss: Loss) {
        let Some(tail) = self.tail().filter(|_| end.epoch < life) else { return };
        let first = match end.epoch.cmp(&tail.epoch) {
            Ordering::Less => return,
            Ordering::Equal => tail.number + 1,
            Ordering::Greater => 1,
        };
        if first <= end.number {
            self.buffer.push_missing(end.epoch, first..=end.number, end.sequence, loss);
        }
    }

    /// Acknowledges what is done; what still waits in memory is acknowledged when it is.
    fn known(&mut self, arrival: &Arrival) {
        let done = fit(self.state.cursor, arrival.epoch, arrival.first_number, arrival.last_number);
        if done == Fit::Known {
            self.effects.push(Effect::Done(arrival.sequence));
        }
    }

    fn take(&mut self, arrival: &Arrival, skip: usize) {
        if let Reading::LookingAgain { .. } = self.reading {
            self.reading = Reading::On;
        }
        if let Course::Replay { until, .. } = &self.course
            && arrival.sequence >= *until
        {
            self.reading = Reading::Complete;
            if arrival.sequence > *until {
                return;
            }
        }
        let numbers = arrival.first_number + skip as u64..=arrival.last_number;
        match &arrival.body {
            Body::NotSelected => {
                self.buffer.push_passed(arrival.epoch, numbers, arrival.sequence);
            }
            Body::Corrupt(reason) => {
                self.buffer.push_corrupt(arrival.epoch, numbers, arrival.sequence, reason);
            }
            Body::Record(record) => {
                let selection = match &self.course {
                    Course::Live => None,
                    Course::Replay { selection, .. } => Some(&**selection),
                };
                self.buffer.push_record(record, arrival.sequence, skip, selection);
            }
        }
    }

    /// Numbers are missing. From the shard: read on alone. From an own reader: look once more, a
    /// connection may have broken; then they are gone, but for those that came before.
    fn gap(&mut self, arrival: &Arrival, expected: u64, moment: Moment) {
        if !self.reads_alone() {
            let reason = format!("{} came where {expected} was due", arrival.first_number);
            self.fall_behind(&reason, moment);
        } else if self.has_looked(expected, arrival.first_number) {
            let numbers = expected..=arrival.first_number.saturating_sub(1);
            let before = arrival.sequence.saturating_sub(1);
            let loss = self.loss_before(arrival, moment);
            self.buffer.push_missing(arrival.epoch, numbers, before, loss);
            self.take(arrival, 0);
        } else {
            self.reading = Reading::LookingAgain { expected, came: arrival.first_number };
            self.effects.push(Effect::StopReading);
        }
    }

    /// Whether the same is missing as at the last look, and no more than that.
    fn has_looked(&self, missing: u64, now: u64) -> bool {
        matches!(
            self.reading,
            Reading::LookingAgain { expected, came } if expected == missing && now <= came
        )
    }

    /// Only from the beginning of the stream do records expire: behind it, a hole.
    fn loss_before(&self, arrival: &Arrival, moment: Moment) -> Loss {
        let place = self.tail().map_or(0, |tail| tail.sequence);
        if arrival.oldest <= place + 1 {
            Loss::Hole
        } else if moment.now.since(arrival.stored_at) < RETENTION {
            Loss::Early
        } else {
            Loss::Expired
        }
    }

    /// Events are gone: they are counted and the lane goes on, so that the rest arrives. But a
    /// replay can promise nothing about a log with a hole in it.
    pub(super) fn gone(&mut self, missing: Missing, moment: Moment) {
        let Missing { to, events, loss } = missing;
        if matches!(self.course, Course::Replay { .. }) && loss == Loss::Hole {
            let first = (to.number + 1).saturating_sub(events);
            let reason = format!(
                "event number {first} is missing from the log, the first of {events} before stream \
                 sequence {}: the operator must look for what removed them",
                to.sequence + 1
            );
            return self.stop("gap", reason, moment);
        }
        let early = loss != Loss::Expired;
        self.store(DeliveryFact::Expired { to, events, early }, moment);
        self.advance(to);
    }

    /// A record that cannot be read: a live lane sets its events aside and goes on.
    pub(super) fn unreadable(
        &mut self,
        from: Position,
        to: Position,
        why: &Arc<str>,
        moment: Moment,
    ) {
        let message = format!("the record at {} cannot be read: {why}", to.sequence);
        if let Course::Replay { .. } = self.course {
            self.stop("corrupt", message, moment);
            return;
        }
        for number in from.number..=to.number {
            let sequence =
                if number == to.number { to.sequence } else { to.sequence.saturating_sub(1) };
            let quarantined = Quarantined {
                at: Position { epoch: to.epoch, number, sequence },
                event: EventId::from_uuid(Uuid::nil()),
                status: 0,
                message: message.clone(),
            };
            self.store(DeliveryFact::Quarantined(quarantined), moment);
        }
        self.advance(to);
    }
}
