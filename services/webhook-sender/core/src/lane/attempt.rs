//! Sending, and what an answer leads to.

use std::time::Duration;

use auditrelay_model::delivery::{Attempt, DeliveryFact, Hold, Quarantined};
use auditrelay_model::replay::SentIds;

use super::{
    Batch, Course, Effect, Lane, Moment, QUARANTINES_BEFORE_HOLD, Request, Switch, Target, Tried,
    Work,
};
use crate::judge::{Verdict, judge};
use crate::outcome::Outcome;

/// An event is set aside when it was refused alone this often.
const LONE_REFUSALS: u32 = 3;

/// A lane that waits longer does so on its own.
const PATIENCE_ON_SHARD: Duration = Duration::from_secs(5);

/// Answers are kept in facts up to this many characters of their reasons.
const REASON_CHARS: usize = 200;

impl Lane {
    pub(super) fn send(&mut self, batch: Batch, attempt: u32) {
        let Switch::On(target) = self.switch else {
            self.work = Work::Idle;
            return;
        };
        self.effects.push(Effect::Send(Request { batch: batch.clone(), attempt }));
        self.work = Work::InFlight { batch, attempt, target };
    }

    /// The body was larger than its events' weights said: fewer events go.
    pub(super) fn cut(&mut self, fits: usize, moment: Moment) {
        let Work::InFlight { .. } = self.work else { return };
        self.work = Work::Idle;
        let caps = self.caps();
        let fewer = crate::batch::Caps { events: fits.clamp(1, caps.events), ..caps };
        if let Some(batch) = self.buffer.batch(fewer, moment.fresh) {
            self.send(batch, 1);
        }
    }

    pub(super) fn tried(&mut self, tried: &Tried, moment: Moment) {
        let Work::InFlight { batch, attempt, target } =
            std::mem::replace(&mut self.work, Work::Idle)
        else {
            return;
        };
        let verdict = judge(&tried.outcome, moment.now);
        let delivered = verdict == Verdict::Delivered;
        let mut fact = attempt_fact(&batch, attempt, target, tried, delivered);
        if delivered && matches!(self.course, Course::Replay { .. }) {
            fact.sent = SentIds::extend(self.state.sent, batch.iter().map(|event| event.id));
            fact.runs = batch.runs();
        }
        self.store(DeliveryFact::Attempt(Box::new(fact)), moment);
        if delivered {
            self.delivered(&batch, moment);
        } else if self.switch == Switch::On(target) {
            self.failed(batch, attempt, &verdict, tried, moment);
        }
        // A receiver that was changed meanwhile gets a fresh batch at once.
    }

    fn delivered(&mut self, batch: &Batch, moment: Moment) {
        self.sizer.delivered(batch.events);
        self.failures = 0;
        self.probes = 0;
        self.quarantined_in_a_row = 0;
        self.advance(batch.last);
        if self.state.hold.is_some() {
            self.store(DeliveryFact::Resumed, moment);
        }
    }

    fn failed(
        &mut self,
        batch: Batch,
        attempt: u32,
        verdict: &Verdict,
        tried: &Tried,
        moment: Moment,
    ) {
        match verdict {
            Verdict::Delivered => {}
            Verdict::TooLarge if batch.events > 1 => {
                let bytes = usize::try_from(tried.body_bytes).unwrap_or(usize::MAX);
                self.sizer.too_large(batch.events, bytes);
            }
            Verdict::Refused if batch.events > 1 => self.sizer.refused(batch.events),
            Verdict::TooLarge | Verdict::Refused => {
                self.refused_alone(batch, attempt, tried, moment);
            }
            Verdict::Retry { after } => {
                self.failures += 1;
                if self.state.hold.is_some() || self.failures > self.policy.retries {
                    self.wait_for_probe(reason(&tried.outcome), false, *after, moment);
                } else {
                    let wait = self.policy.retry.delay(self.failures, moment.chance);
                    let wait = wait.max(after.unwrap_or_default());
                    self.leave_shard_in_peace(wait, moment);
                    self.retry(batch, attempt, wait);
                }
            }
            Verdict::Hold { probe_after } => {
                self.wait_for_probe(reason(&tried.outcome), true, *probe_after, moment);
            }
        }
    }

    /// What waits unacknowledged is the shard's burden: a lane that fails twice, or must wait long,
    /// reads on its own.
    fn leave_shard_in_peace(&mut self, wait: Duration, moment: Moment) {
        if !self.reads_alone() && (self.failures > 1 || wait > PATIENCE_ON_SHARD) {
            self.fall_behind("the receiver fails", moment);
        }
    }

    fn retry(&mut self, batch: Batch, attempt: u32, wait: Duration) {
        self.work = Work::Retrying { batch, attempt };
        self.effects.push(Effect::Wake(wait));
    }

    /// Holds, or goes on holding, with nothing in memory.
    fn wait_for_probe(
        &mut self,
        reason: String,
        customer_must_act: bool,
        after: Option<Duration>,
        moment: Moment,
    ) {
        self.hold(reason, customer_must_act, moment);
        self.probes += 1;
        let wait = self.policy.probe.delay(self.probes, moment.chance);
        self.drop_buffer();
        self.work = Work::Holding;
        self.effects.push(Effect::Wake(wait.max(after.unwrap_or_default())));
    }

    fn hold(&mut self, reason: String, customer_must_act: bool, moment: Moment) {
        if !self.reads_alone() {
            self.fall_behind("the webhook is inactive", moment);
        }
        if self.state.hold.is_none() {
            self.probes = 0;
            let hold = Hold { reason, customer_must_act, since: moment.now };
            self.store(DeliveryFact::Held(hold), moment);
        }
    }

    /// Refused alone: tried again, then set aside so that the rest flows. When one event after the
    /// other is refused, the receiver is to blame and the lane holds.
    fn refused_alone(&mut self, batch: Batch, attempt: u32, tried: &Tried, moment: Moment) {
        if attempt < LONE_REFUSALS {
            let wait = if self.state.hold.is_some() {
                self.probes += 1;
                self.policy.probe.delay(self.probes, moment.chance)
            } else {
                self.policy.retry.delay(attempt, moment.chance)
            };
            self.retry(batch, attempt, wait);
            return;
        }
        self.quarantine(&batch, tried, moment);
        if self.quarantined_in_a_row >= QUARANTINES_BEFORE_HOLD {
            let reason = format!("every event is refused: {}", reason(&tried.outcome));
            self.wait_for_probe(reason, true, None, moment);
        }
    }

    fn quarantine(&mut self, batch: &Batch, tried: &Tried, moment: Moment) {
        let Some(event) = batch.iter().next() else { return };
        let (status, message) = answer(&tried.outcome);
        let quarantined = Quarantined {
            at: batch.last,
            event: event.id,
            status: status.unwrap_or(0),
            message: message.to_owned(),
        };
        self.store(DeliveryFact::Quarantined(quarantined), moment);
        self.sizer.forget_suspects();
        self.quarantined_in_a_row += 1;
        self.failures = 0;
        self.advance(batch.last);
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
