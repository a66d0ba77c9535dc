//! Batches under way: written ahead, out, or answered before one that is ahead of them.
//!
//! They lie in the order of the log. Facts say that events are done only in that order, so a
//! crash repeats at most what is in here.

use auditrelay_model::Timestamp;
use auditrelay_model::delivery::{Attempt, Quarantined};
use auditrelay_model::id::BatchId;
use uuid::Uuid;

use super::buffer::Between;
use super::{Batch, Effect, Lane, Moment, Request, Switch, Target, Work};
use crate::batch::Caps;

/// One batch under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Flight {
    pub(super) batch: Batch,
    /// Attempts that were made.
    pub(super) attempt: u32,
    /// When the first of them was.
    first_attempt_at: Option<Timestamp>,
    pub(super) phase: Phase,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    /// Goes out when its turn comes: for the first time, or again.
    Ready,
    /// A request is out.
    Out(Target),
    /// Delivered; the fact is stored when everything before it is done.
    Delivered(Box<Attempt>),
    /// Refused alone; as above.
    SetAside(Box<Quarantined>),
}

impl Flight {
    pub(super) const fn is_out(&self) -> bool {
        matches!(self.phase, Phase::Out(_))
    }

    pub(super) const fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Ready)
    }

    pub(super) const fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Delivered(_) | Phase::SetAside(_))
    }
}

impl Lane {
    /// Requests that are out.
    pub(super) fn out(&self) -> usize {
        self.flights.iter().filter(|flight| flight.is_out()).count()
    }

    /// Whether a batch is written ahead or waits to go again.
    pub fn expects(&self, batch: BatchId) -> bool {
        self.flights.iter().any(|flight| flight.batch.id == batch && !flight.is_done())
    }

    /// Whether it is under way, or delivered and not yet told.
    pub fn knows(&self, batch: BatchId) -> bool {
        self.flights.iter().any(|flight| flight.batch.id == batch)
    }

    /// Which flight's request ended.
    pub(super) fn landing(&self, batch: BatchId) -> Option<usize> {
        self.flights.iter().position(|flight| flight.batch.id == batch && flight.is_out())
    }

    /// What waits to go out is made up anew when its turn comes.
    pub(super) fn forget_ready(&mut self) {
        self.flights.retain(|flight| !flight.is_ready());
    }

    /// While anything is wrong, one request at a time goes out, in order.
    fn is_careful(&self) -> bool {
        let retrying = |flight: &Flight| flight.is_ready() && flight.attempt > 0;
        self.state.hold.is_some()
            || self.failures > 0
            || self.ramp.is_some()
            || self.state.yielding.is_some()
            || self.sizer.is_searching()
            || self.quarantined_in_a_row > 0
            || self.flights.iter().any(retrying)
    }

    /// Sends what may be sent, and has the next batch written when it is full already.
    pub(super) fn dispatch(&mut self, moment: Moment) {
        let Switch::On(target) = self.switch else { return };
        let limit = if self.is_careful() { 1 } else { target.in_flight.max(1) };
        while self.out() < limit {
            let Some(index) = self.next_flight(limit, moment) else { return };
            let Some(flight) = self.flights.get_mut(index) else { return };
            flight.attempt += 1;
            flight.phase = Phase::Out(target);
            let (attempt, now) = (flight.attempt, moment.now);
            let first_attempt_at = *flight.first_attempt_at.get_or_insert(now);
            let request = Request { batch: flight.batch.clone(), attempt, first_attempt_at };
            self.effects.push(Effect::Send(request));
        }
        if self.work == Work::Sending && !self.flights.iter().any(Flight::is_ready) {
            self.prepare(moment);
        }
    }

    /// The flight that goes out next: the first that is ready, or a new one where events lie
    /// before it that nothing is under way with.
    fn next_flight(&mut self, limit: usize, moment: Moment) -> Option<usize> {
        let mut after = None;
        for index in 0..self.flights.len() {
            let flight = self.flights.get(index)?;
            let between = Between { after, until: Some(flight.batch.first) };
            let (is_ready, last) = (flight.is_ready(), flight.batch.last);
            if let Some(batch) = self.new_batch(between, self.caps(moment), moment) {
                self.insert(index, batch);
                return Some(index);
            }
            if is_ready {
                return Some(index);
            }
            after = Some(last);
        }
        // No more under way than may be out: all of it may be repeated after a crash.
        if self.flights.len() >= limit || !self.is_worth_it(limit, moment) {
            return None;
        }
        let batch = self.new_batch(Between { after, until: None }, self.caps(moment), moment)?;
        self.insert(self.flights.len(), batch);
        Some(self.flights.len() - 1)
    }

    /// The more requests are out, the fuller must another one be.
    fn is_worth_it(&self, limit: usize, moment: Moment) -> bool {
        let (waiting, caps) = (self.waiting(), self.caps(moment));
        let share = |cap: usize| cap * self.out() / limit.max(1);
        waiting.events >= share(caps.events) || waiting.bytes >= share(caps.bytes)
    }

    /// Writes a full batch ahead while all requests are out, so that it can follow at once.
    fn prepare(&mut self, moment: Moment) {
        let (waiting, caps) = (self.waiting(), self.caps(moment));
        let is_full = waiting.events >= caps.events || waiting.bytes >= caps.bytes;
        if !is_full || self.is_careful() {
            return;
        }
        let after = self.flights.back().map(|flight| flight.batch.last);
        let between = Between { after, until: None };
        if let Some(batch) = self.new_batch(between, caps, moment) {
            let (attempt, first_attempt_at) = (1, moment.now);
            let request = Request { batch: batch.clone(), attempt, first_attempt_at };
            self.insert(self.flights.len(), batch);
            self.effects.push(Effect::Prepare(request));
        }
    }

    /// What nothing is under way with.
    fn waiting(&self) -> Caps {
        let load = self.buffer.load();
        let under_way = |sum: Caps, flight: &Flight| Caps {
            events: sum.events + flight.batch.events,
            bytes: sum.bytes + flight.batch.weight,
        };
        let under_way = self.flights.iter().fold(Caps { events: 0, bytes: 0 }, under_way);
        Caps {
            events: load.events.saturating_sub(under_way.events),
            bytes: load.bytes.saturating_sub(under_way.bytes),
        }
    }

    pub(super) fn new_batch(
        &mut self,
        between: Between,
        caps: Caps,
        moment: Moment,
    ) -> Option<Batch> {
        let id = moment.fresh.uuid().as_u128() + u128::from(self.made_now);
        let batch = self.buffer.batch(between, caps, BatchId::from_uuid(Uuid::from_u128(id)))?;
        self.made_now += 1;
        Some(batch)
    }

    pub(super) fn insert(&mut self, index: usize, batch: Batch) {
        let (attempt, first_attempt_at, phase) = (0, None, Phase::Ready);
        self.flights.insert(index, Flight { batch, attempt, first_attempt_at, phase });
    }
}
