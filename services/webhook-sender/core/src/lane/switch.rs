//! Switching on and off, falling behind and rejoining.

use auditrelay_model::delivery::DeliveryFact;
use auditrelay_model::record::Position;

use super::{Course, Effect, Lane, Moment, Reading, Rejoin, Switch, Work};

impl Lane {
    /// A new receiver is tried at once: whatever kept the old one may be mended.
    pub(super) fn configured(&mut self, switch: Switch) {
        if switch == self.switch {
            return;
        }
        self.switch = switch;
        if matches!(switch, Switch::On(_))
            && matches!(self.work, Work::Retrying { .. } | Work::Holding | Work::Resting)
        {
            self.failures = 0;
            self.work = Work::Idle;
        }
    }

    /// False when the switch leaves nothing to do.
    pub(super) fn obey_switch(&mut self, moment: Moment) -> bool {
        match (self.switch, self.course) {
            (Switch::On(_), _) => return true,
            (Switch::Off, Course::Live) => self.rest(moment),
            (Switch::Off, Course::Replay { .. }) => {
                self.stop("disabled", "the webhook was disabled".to_owned(), moment);
            }
            (Switch::Gone, Course::Live) => {
                self.stop("removed", "the webhook was removed".to_owned(), moment);
            }
            (Switch::Gone, Course::Replay { .. }) => {
                self.stop("no_webhook", "the webhook was removed".to_owned(), moment);
            }
        }
        false
    }

    fn rest(&mut self, moment: Moment) {
        let was_resting = std::mem::replace(&mut self.work, Work::Resting) == Work::Resting;
        if self.state.behind.is_none() {
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
        if self.course == Course::Live && self.state.behind.is_none() {
            self.fall_behind("more came than could be sent", moment);
        }
    }

    /// The shard goes on without this lane, which keeps what it has in memory and reads on its own
    /// behind that.
    pub(super) fn fall_behind(&mut self, reason: &str, moment: Moment) {
        let Some(cursor) = self.place() else { return };
        self.store(DeliveryFact::FellBehind { cursor, reason: reason.to_owned() }, moment);
        self.reading = Reading::On;
        self.effects.push(Effect::LeaveShard);
    }

    pub(super) fn exhausted(&mut self) {
        if self.reading == Reading::On {
            self.reading = Reading::Exhausted;
        }
    }

    pub(super) fn rejoined(&mut self, answer: Rejoin, moment: Moment) {
        if self.reading != Reading::Rejoining {
            return;
        }
        self.reading = Reading::On;
        match answer {
            Rejoin::NotYet => return,
            Rejoin::Welcome => {}
            Rejoin::WelcomeWithout { last } => self.count_expired(last, moment),
        }
        self.store(DeliveryFact::CaughtUp, moment);
        self.effects.push(Effect::StopReading);
    }

    fn count_expired(&mut self, last: Position, moment: Moment) {
        let cursor = self.state.cursor.unwrap_or_default();
        let events = if last.epoch == cursor.epoch {
            last.number.saturating_sub(cursor.number)
        } else {
            last.number
        };
        if events > 0 {
            self.store(DeliveryFact::Expired { to: last, events }, moment);
        }
    }
}
