//! Switching on and off, falling behind and rejoining.

use auditrelay_model::delivery::DeliveryFact;
use auditrelay_model::record::Position;

use super::entry::Loss;
use super::{Course, Effect, Lane, Moment, Reading, Rejoin, Switch, Work};

impl Lane {
    /// A new receiver is tried at once: whatever kept the old one may be mended.
    pub(super) fn configured(&mut self, switch: Switch) {
        if switch == self.switch {
            return;
        }
        self.switch = switch;
        if matches!(switch, Switch::On(_))
            && matches!(self.work, Work::Pausing | Work::Holding { .. } | Work::Resting)
        {
            self.failures = 0;
            self.work = Work::Sending;
        }
        // Written for the receiver as it was.
        self.forget_ready();
    }

    /// False when the switch leaves nothing to do.
    pub(super) fn obey_switch(&mut self, moment: Moment) -> bool {
        match (self.switch, &self.course) {
            (Switch::On(_), _) => return true,
            (Switch::Off, Course::Live) => self.rest(moment),
            (Switch::Off, Course::Replay { .. }) => {
                self.stop("disabled", "the webhook was disabled".to_owned(), moment);
            }
            (Switch::Gone, Course::Live) => {
                self.stop("removed", "the webhook was removed".to_owned(), moment);
            }
            (Switch::Gone, Course::Replay { .. }) => {
                let reason = "what it was sent to was removed".to_owned();
                self.stop("no_webhook", reason, moment);
            }
        }
        false
    }

    fn rest(&mut self, moment: Moment) {
        let was_resting = std::mem::replace(&mut self.work, Work::Resting) == Work::Resting;
        if !self.reads_alone() {
            self.fall_behind("the webhook is disabled", moment);
        }
        if self.state.behind.is_some() && !(was_resting && self.buffer.is_empty()) {
            self.drop_buffer();
        }
    }

    /// The place behind which nothing is done: the cursor, or just before the first event that
    /// came.
    fn place(&self) -> Option<Position> {
        self.state.cursor.or_else(|| self.buffer.before())
    }

    pub(super) fn overflowed(&mut self, moment: Moment) {
        if !self.reads_alone() {
            self.fall_behind("more came than could be sent", moment);
        }
    }

    /// The shard goes on without this lane, which keeps what it has in memory and reads on its own
    /// behind that.
    pub(super) fn fall_behind(&mut self, reason: &str, moment: Moment) {
        let Some(cursor) = self.place() else { return };
        // A lane that has rejoined, but not caught up, is still known to be behind.
        if self.state.behind.is_none() {
            self.store(DeliveryFact::FellBehind { cursor, reason: reason.to_owned() }, moment);
        }
        self.reading = Reading::On;
        self.effects.push(Effect::LeaveShard);
    }

    /// Everything was read: a lane that is behind asks the shard to take it back.
    pub(super) fn exhausted(&mut self) {
        match self.reading {
            Reading::On | Reading::Exhausted | Reading::LookingAgain { .. } => {
                let may_rejoin = self.course == Course::Live
                    && self.state.behind.is_some()
                    && self.state.hold.is_none();
                if may_rejoin {
                    let refused = self.reading == Reading::Exhausted;
                    self.reading = Reading::Rejoining { refused };
                    self.effects.push(Effect::AskRejoin);
                } else {
                    self.reading = Reading::Exhausted;
                }
            }
            Reading::Rejoining { .. } | Reading::Rejoined { .. } | Reading::Complete => {}
        }
    }

    /// Back on the shard, the lane is behind until it has dealt with what it read on its own: only
    /// then would another sender get everything else from the shard.
    pub(super) fn rejoined(&mut self, answer: Rejoin) {
        let Reading::Rejoining { refused } = self.reading else { return };
        self.reading = Reading::On;
        match answer {
            // There is more, and the reader has not brought it twice: it may be lost on the way.
            Rejoin::NotYet if refused => return self.effects.push(Effect::StopReading),
            Rejoin::NotYet => {
                self.reading = Reading::Exhausted;
                return;
            }
            Rejoin::Welcome => {}
            Rejoin::WelcomeWithout { last } => self.miss(last),
        }
        let at = self.tail().unwrap_or_default();
        self.reading = Reading::Rejoined { at };
        self.effects.push(Effect::StopReading);
    }

    /// Everything up to `last` that was not read is gone.
    fn miss(&mut self, last: Position) {
        let tail = self.tail().unwrap_or_default();
        let first = if last.epoch == tail.epoch { tail.number + 1 } else { 1 };
        if first <= last.number {
            self.buffer.push_missing(last.epoch, first..=last.number, last.sequence, Loss::Expired);
        }
    }

    /// A replay lane that makes room says so; it sends a batch now and then, so that it gets on.
    pub(super) fn told_to_yield(&mut self, yields: bool, moment: Moment) {
        let Course::Replay { .. } = self.course else { return };
        if yields && self.state.yielding.is_none() {
            self.store(DeliveryFact::Yielded, moment);
        } else if !yields && self.state.yielding.is_some() {
            self.store(DeliveryFact::WentOn, moment);
            if self.work == Work::Pausing && self.failures == 0 {
                self.work = Work::Sending;
            }
        }
    }

    pub(super) fn note_caught_up(&mut self, moment: Moment) {
        if let Reading::Rejoined { at } = self.reading
            && self.state.cursor >= Some(at)
        {
            self.reading = Reading::On;
            self.store(DeliveryFact::CaughtUp, moment);
        }
    }
}
