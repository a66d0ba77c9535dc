//! What a lane does next, whatever happened.

use std::time::Duration;

use auditrelay_model::delivery::DeliveryFact;
use auditrelay_model::record::Position;
use auditrelay_model::replay::SentIds;

use super::buffer::Front;
use super::flight::{Flight, Phase};
use super::ramp::Ramp;
use super::{Course, Effect, Lane, Moment, Reading, Switch, Wants, Work};

/// Records outside the window that one fact covers at most; they wait unacknowledged for it.
const PASSED_TOGETHER_MAX: usize = 256;

impl Lane {
    /// Does what is possible now.
    pub(super) fn settle(&mut self, moment: Moment) {
        if self.work == Work::Ended {
            return;
        }
        self.land(moment);
        if self.out() > 0 && (self.draining || !matches!(self.switch, Switch::On(_))) {
            return self.note_caught_up(moment);
        }
        if self.draining {
            return self.end();
        }
        if !self.obey_switch(moment) {
            return;
        }
        match self.work {
            Work::Sending => self.go_on(moment),
            Work::Holding { park } if self.out() == 0 => self.empty_handed(park),
            Work::Holding { .. } | Work::Pausing | Work::Resting | Work::Ended => {}
        }
        self.note_caught_up(moment);
    }

    fn go_on(&mut self, moment: Moment) {
        self.dispatch(moment);
        if !self.flights.is_empty() {
            return;
        }
        if let Course::Replay { until, .. } = &self.course
            && self.reading == Reading::Complete
            && self.buffer.is_empty()
        {
            self.complete(*until, moment);
        } else if self.state.hold.is_some() && self.reading == Reading::Exhausted {
            self.look_again_later(moment);
        }
    }

    /// Stores what is done, in the order of the log, as far as nothing is open before it.
    pub(super) fn land(&mut self, moment: Moment) {
        loop {
            let front = self.flights.front();
            let landed =
                front.is_some_and(|front| front.is_done() && self.buffer.is_at(front.batch.first));
            if landed {
                if let Some(flight) = self.flights.pop_front() {
                    self.close(flight, moment);
                }
            } else if !(self.is_clearing() && self.clear_front(moment)) {
                return;
            }
        }
    }

    fn is_clearing(&self) -> bool {
        self.work == Work::Sending && !self.draining && matches!(self.switch, Switch::On(_))
    }

    fn close(&mut self, flight: Flight, moment: Moment) {
        let last = flight.batch.last;
        match flight.phase {
            Phase::Delivered(mut attempt) => {
                if let Course::Replay { .. } = self.course {
                    let ids = flight.batch.iter().map(|event| event.id);
                    attempt.sent = SentIds::extend(self.state.sent, ids);
                    attempt.runs = flight.batch.runs();
                }
                self.store(DeliveryFact::Attempt(attempt), moment);
                self.advance(last);
                if self.state.hold.is_some() {
                    self.resume(moment);
                }
            }
            Phase::SetAside(quarantined) => {
                self.store(DeliveryFact::Quarantined(*quarantined), moment);
                self.advance(last);
            }
            Phase::Ready | Phase::Out(_) => {}
        }
    }

    /// The receiver is back: it is given more and more.
    fn resume(&mut self, moment: Moment) {
        self.store(DeliveryFact::Resumed, moment);
        self.ramp = Some(Ramp::new(self.policy.resume_rate, moment));
        if matches!(self.work, Work::Holding { .. }) {
            self.work = Work::Sending;
        }
    }

    /// A lane that holds keeps nothing in memory.
    fn empty_handed(&mut self, park: Option<Duration>) {
        if !self.flights.is_empty() || !self.buffer.is_empty() || self.reading != Reading::On {
            self.drop_buffer();
        }
        if let Some(wait) = park {
            self.work = Work::Ended;
            self.effects.push(Effect::Park(wait));
        }
    }

    /// There is nothing to probe with: what was due has expired, or got lost on the way.
    fn look_again_later(&mut self, moment: Moment) {
        let wait = self.policy.probe.delay(self.probes().max(1), moment.chance);
        self.probe_after(wait);
        if let Work::Holding { park } = self.work {
            self.empty_handed(park);
        }
    }

    /// Deals with what lies at the front and is not to be sent; false when there is nothing such,
    /// or more of it may come.
    fn clear_front(&mut self, moment: Moment) -> bool {
        match self.buffer.front() {
            Front::Empty | Front::Event => false,
            Front::Passed { to, events, entries, last_in_buffer } => {
                let more_may_come = last_in_buffer && self.reading == Reading::On;
                if more_may_come && entries < PASSED_TOGETHER_MAX && self.wants() != Wants::Nothing
                {
                    return false;
                }
                self.store(DeliveryFact::Passed { to, events }, moment);
                self.advance(to);
                true
            }
            Front::Missing(missing) => {
                self.gone(missing, moment);
                true
            }
            Front::Corrupt { from, to, reason } => {
                self.unreadable(from, to, &reason, moment);
                true
            }
        }
    }

    /// Everything up to `until` is done: the last fact must say so.
    fn complete(&mut self, until: u64, moment: Moment) {
        let cursor = self.state.cursor.unwrap_or_default();
        if cursor.sequence < until {
            let to = Position { sequence: until, ..cursor };
            self.store(DeliveryFact::Passed { to, events: 0 }, moment);
        }
        self.end();
    }
}
