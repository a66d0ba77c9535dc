//! What a lane does next, whatever happened.

use auditrelay_model::delivery::DeliveryFact;
use auditrelay_model::record::Position;

use super::buffer::Front;
use super::{Course, Effect, Lane, Moment, Reading, Wants, Work};

/// Records outside the window that one fact covers at most; they wait unacknowledged for it.
const PASSED_TOGETHER_MAX: usize = 256;

impl Lane {
    /// Does what is possible now.
    pub(super) fn settle(&mut self, moment: Moment) {
        match self.work {
            Work::Ended => return,
            Work::InFlight { .. } => return self.note_caught_up(moment),
            Work::Idle | Work::Retrying { .. } | Work::Holding | Work::Resting => {}
        }
        if self.draining {
            self.end();
        } else if !self.obey_switch(moment) {
            return;
        }
        while self.work == Work::Idle && self.clear_front(moment) {}
        self.note_caught_up(moment);
        if self.work == Work::Idle {
            if let Some(batch) = self.buffer.batch(self.caps(), moment.fresh) {
                self.send(batch, 1);
            } else if let Course::Replay { until, .. } = &self.course
                && self.reading == Reading::Complete
                && self.buffer.is_empty()
            {
                self.complete(*until, moment);
            } else if self.state.hold.is_some() && self.reading == Reading::Exhausted {
                self.look_again_later(moment);
            }
        }
    }

    /// There is nothing to probe with: what was due has expired, or got lost on the way.
    fn look_again_later(&mut self, moment: Moment) {
        self.drop_buffer();
        self.work = Work::Holding;
        let wait = self.policy.probe.delay(self.probes.max(1), moment.chance);
        self.effects.push(Effect::Wake(wait));
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
