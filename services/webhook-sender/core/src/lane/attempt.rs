//! Sending, and what an answer leads to.

use std::time::Duration;

use auditrelay_model::delivery::{Attempt, DeliveryFact, Hold, Quarantined};
use auditrelay_model::id::BatchId;

use super::buffer::Between;
use super::flight::Phase;
use super::{Batch, Effect, Lane, Moment, QUARANTINES_BEFORE_HOLD, Switch, Target, Tried, Work};
use crate::batch::Caps;
use crate::judge::{Verdict, judge};
use crate::outcome::Outcome;

/// An event is set aside when it was refused alone this often.
const LONE_REFUSALS: u32 = 3;

/// A replay lane that makes room for live delivery sends one batch in this time.
const YIELDING_PAUSE: Duration = Duration::from_secs(10);

/// A lane that waits longer does so on its own.
const PATIENCE_ON_SHARD: Duration = Duration::from_secs(5);

/// Answers are kept in facts up to this many characters of their reasons.
const REASON_CHARS: usize = 200;

impl Lane {
    /// The body was larger than its events' weights said: fewer events go.
    pub(super) fn cut(&mut self, batch: BatchId, fits: usize, moment: Moment) {
        let Some(index) = self.landing(batch) else { return };
        let Some(flight) = self.flights.remove(index) else { return };
        let after = index.checked_sub(1).and_then(|index| self.flights.get(index));
        let between = Between {
            after: after.map(|flight| flight.batch.last),
            until: self.flights.get(index).map(|flight| flight.batch.first),
        };
        let fewer = fits.clamp(1, flight.batch.events.saturating_sub(1).max(1));
        let fewer = Caps { events: fewer, bytes: flight.batch.weight };
        if let Some(batch) = self.new_batch(between, fewer, moment) {
            self.insert(index, batch);
        }
    }

    pub(super) fn tried(&mut self, batch: BatchId, tried: &Tried, moment: Moment) {
        let Some(index) = self.landing(batch) else { return };
        let Some(flight) = self.flights.get_mut(index) else { return };
        let Phase::Out(target) = flight.phase else { return };
        let verdict = judge(&tried.outcome, moment.now);
        let delivered = verdict == Verdict::Delivered;
        let fact = attempt_fact(&flight.batch, flight.attempt, target, tried, delivered);
        if delivered {
            let events = flight.batch.events;
            flight.phase = Phase::Delivered(Box::new(fact));
            self.delivered(events, moment);
            return;
        }
        flight.phase = Phase::Ready;
        self.store(DeliveryFact::Attempt(Box::new(fact)), moment);
        if self.switch == Switch::On(target) {
            self.failed(index, &verdict, tried, moment);
        } else {
            // A receiver that was changed meanwhile gets a fresh batch at once.
            self.flights.remove(index);
        }
    }

    fn delivered(&mut self, events: usize, moment: Moment) {
        self.sizer.delivered(events);
        self.failures = 0;
        self.quarantined_in_a_row = 0;
        self.land(moment);
        let ramp = self.ramp.as_ref().and_then(|ramp| ramp.wait(events, moment));
        let wait = self.state.yielding.map_or(ramp, |_| Some(YIELDING_PAUSE));
        if let Some(wait) = wait
            && self.work == Work::Sending
        {
            self.pause(wait);
        }
    }

    fn failed(&mut self, index: usize, verdict: &Verdict, tried: &Tried, moment: Moment) {
        let events = self.flights.get(index).map_or(0, |flight| flight.batch.events);
        match verdict {
            Verdict::Delivered => {}
            Verdict::TooLarge if events > 1 => {
                let bytes = usize::try_from(tried.body_bytes).unwrap_or(usize::MAX);
                self.sizer.too_large(events, bytes);
                self.forget_ready();
            }
            Verdict::Refused if events > 1 => {
                self.sizer.refused(events);
                self.flights.remove(index);
            }
            Verdict::TooLarge | Verdict::Refused => self.refused_alone(index, tried, moment),
            Verdict::Retry { after } => self.again(tried, *after, moment),
            Verdict::Hold { probe_after } => {
                self.wait_for_probe(reason(&tried.outcome), true, *probe_after, moment);
            }
        }
    }

    fn again(&mut self, tried: &Tried, after: Option<Duration>, moment: Moment) {
        // Requests that were out together fail together: that counts once.
        if self.work != Work::Sending {
            return;
        }
        self.failures += 1;
        if self.state.hold.is_some() || self.failures > self.policy.retries {
            self.wait_for_probe(reason(&tried.outcome), false, after, moment);
        } else {
            let wait = self.policy.retry.delay(self.failures, moment.chance);
            let wait = wait.max(after.unwrap_or_default());
            self.leave_shard_in_peace(wait, moment);
            self.pause(wait);
        }
    }

    /// What waits unacknowledged is the shard's burden: a lane that fails twice, or must wait long,
    /// reads on its own.
    fn leave_shard_in_peace(&mut self, wait: Duration, moment: Moment) {
        if !self.reads_alone() && (self.failures > 1 || wait > PATIENCE_ON_SHARD) {
            self.fall_behind("the receiver fails", moment);
        }
    }

    /// Nothing new goes out until then.
    pub(super) fn pause(&mut self, wait: Duration) {
        self.work = Work::Pausing;
        self.effects.push(Effect::Wake(wait));
    }

    /// Holds, or goes on holding.
    fn wait_for_probe(
        &mut self,
        reason: String,
        customer_must_act: bool,
        after: Option<Duration>,
        moment: Moment,
    ) {
        if let Work::Holding { .. } = self.work {
            return;
        }
        self.hold(reason, customer_must_act, moment);
        let wait = self.policy.probe.delay(self.probes() + 1, moment.chance);
        self.probe_after(wait.max(after.unwrap_or_default()));
    }

    fn hold(&mut self, reason: String, customer_must_act: bool, moment: Moment) {
        if !self.reads_alone() {
            self.fall_behind("the webhook is inactive", moment);
        }
        if self.state.hold.is_none() {
            let hold = Hold { reason, customer_must_act, since: moment.now, probes: 0 };
            self.store(DeliveryFact::Held(hold), moment);
        }
    }

    /// Refused alone: tried again, then set aside so that the rest flows. When one event after the
    /// other is refused, the receiver is to blame and the lane holds.
    fn refused_alone(&mut self, index: usize, tried: &Tried, moment: Moment) {
        if self.work != Work::Sending {
            return;
        }
        let Some(flight) = self.flights.get_mut(index) else { return };
        if flight.attempt < LONE_REFUSALS {
            let wait = self.policy.retry.delay(flight.attempt, moment.chance);
            return self.pause(wait);
        }
        let Some(event) = flight.batch.iter().next() else { return };
        let (status, message) = answer(&tried.outcome);
        let quarantined = Quarantined {
            at: flight.batch.last,
            event: event.id,
            status: status.unwrap_or(0),
            message: message.to_owned(),
        };
        flight.phase = Phase::SetAside(Box::new(quarantined));
        self.sizer.forget_suspects();
        self.quarantined_in_a_row += 1;
        self.failures = 0;
        self.land(moment);
        if self.quarantined_in_a_row >= QUARANTINES_BEFORE_HOLD {
            let reason = format!("every event is refused: {}", reason(&tried.outcome));
            self.wait_for_probe(reason, true, None, moment);
        }
    }
}

fn attempt_fact(
    batch: &Batch,
    number: u32,
    target: Target,
    tried: &Tried,
    delivered: bool,
) -> Attempt {
    let (status, message) = answer(&tried.outcome);
    Attempt {
        batch: batch.id,
        number,
        first: batch.first,
        last: batch.last,
        events: batch.events as u64,
        body_bytes: tried.body_bytes,
        started_at: tried.started_at,
        duration: tried.duration,
        destination: target.destination,
        log_format: target.log_format,
        delivered,
        status,
        message: message.to_owned(),
        trace_id: tried.trace_id.clone(),
        sent: None,
        runs: Vec::new(),
    }
}

fn answer(outcome: &Outcome) -> (Option<u16>, &str) {
    match outcome {
        Outcome::Answered { status, message, .. } => (Some(*status), message),
        Outcome::Failed { message, .. } => (None, message),
    }
}

/// Why the lane holds, in words.
fn reason(outcome: &Outcome) -> String {
    let (status, message) = answer(outcome);
    let message: String = message.chars().take(REASON_CHARS).collect();
    match status {
        Some(status) if message.is_empty() => format!("the receiver answered {status}"),
        Some(status) => format!("the receiver answered {status}: {message}"),
        None => message,
    }
}
