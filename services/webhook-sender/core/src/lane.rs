//! One lane: the work of sending one log, or one replay job, to one receiver.
//!
//! A machine without I/O: [`Lane::handle`] takes what happened and says what to do. The shell
//! carries the effects out one after the other; when one fails to be stored (another sender owns
//! the lane), it drops the rest and the lane with it. So a crash is the same as a list of effects
//! cut short, and nothing is acknowledged before the fact that says it is done is stored.
//!
//! Where records come from: a live lane takes them from its shard until it *falls behind*; then it
//! reads its log with a reader of its own from its cursor on, until it has everything and rejoins.
//! A replay lane always reads on its own.

mod attempt;
mod buffer;
mod entry;
mod intake;
mod port;
mod settle;
mod switch;

use std::sync::Arc;
use std::time::Duration;

use auditrelay_model::backoff::Backoff;
use auditrelay_model::delivery::{DeliveryFact, LaneState};
use auditrelay_model::record::Position;
use auditrelay_model::replay::Selection;

use crate::batch::{Batch, Caps, Sizer};
use buffer::Buffer;

pub use buffer::before;
pub use port::{
    Arrival, Body, Effect, Input, Moment, Rejoin, Request, Switch, Target, Tried, Wants,
};

/// What a lane works for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Course {
    /// Events as they come.
    Live,
    /// A job's events that were stored up to a sequence.
    Replay {
        /// Which events are sent.
        selection: Arc<Selection>,
        /// The last record that matters.
        until: u64,
        /// How long the receiver may be down before the job is given up.
        patience: Duration,
    },
}

/// A lane's limits and waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Most of one batch.
    pub batch: Caps,
    /// Most that waits in memory: records (as `events`) and bytes.
    pub room: Caps,
    /// Waits between the first attempts.
    pub retry: Backoff,
    /// This many retries, then the lane holds.
    pub retries: u32,
    /// Waits between probes.
    pub probe: Backoff,
}

/// One lane.
#[derive(Debug, Clone)]
pub struct Lane {
    course: Course,
    policy: Policy,
    switch: Switch,
    state: LaneState,
    work: Work,
    buffer: Buffer,
    sizer: Sizer,
    reading: Reading,
    /// Failed attempts since the last good one.
    failures: u32,
    /// Failed probes since the hold began.
    probes: u32,
    /// Events refused alone since the last good attempt.
    quarantined_in_a_row: u32,
    draining: bool,
    effects: Vec<Effect>,
}

/// What the lane is at; one thing at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Work {
    /// Ready to send.
    Idle,
    /// A request is out.
    InFlight {
        batch: Batch,
        attempt: u32,
        target: Target,
    },
    /// The batch goes out again when the timer rings.
    Retrying {
        batch: Batch,
        attempt: u32,
    },
    /// The next probe goes out when the timer rings.
    Holding,
    /// Switched off.
    Resting,
    Ended,
}

/// How the lane's own reading goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// There may be more.
    On,
    /// Everything there was has been read.
    Exhausted,
    /// As before, and the shard was asked to take the lane back; not for the first time since the
    /// last record came, when it has `refused`.
    Rejoining { refused: bool },
    /// The shard took the lane back, which is behind until it has dealt with what it has read.
    Rejoined { at: Position },
    /// A number was missing: it is looked for once more before it counts as gone.
    LookingAgain { expected: u64 },
    /// A replay lane has read up to its end.
    Complete,
}

/// Events refused alone, one after the other, before the receiver itself is to blame.
const QUARANTINES_BEFORE_HOLD: u32 = 3;

impl Lane {
    /// A lane that goes on from `state`. Its first input must be [`Input::Started`].
    pub fn new(course: Course, state: LaneState, switch: Switch, policy: Policy) -> Self {
        Self {
            course,
            policy,
            switch,
            state,
            work: Work::Idle,
            buffer: Buffer::default(),
            sizer: Sizer::new(policy.batch),
            reading: Reading::On,
            failures: 0,
            probes: 0,
            quarantined_in_a_row: 0,
            draining: false,
            effects: Vec::new(),
        }
    }

    /// Takes in what happened; says what to do, in order.
    pub fn handle(&mut self, input: Input, moment: Moment) -> Vec<Effect> {
        match input {
            Input::Started => self.started(moment),
            Input::Configured(switch) => self.configured(switch),
            Input::Arrived(arrival) => self.arrived(&arrival, moment),
            Input::Overflowed => self.overflowed(moment),
            Input::Exhausted => self.exhausted(),
            Input::Rejoin(answer) => self.rejoined(answer),
            Input::Cut { fits } => self.cut(fits, moment),
            Input::Tried(tried) => self.tried(&tried, moment),
            Input::Woke => self.woke(moment),
            Input::Drain => self.draining = true,
        }
        self.settle(moment);
        std::mem::take(&mut self.effects)
    }

    /// The lane after the last effects.
    pub fn state(&self) -> &LaneState {
        &self.state
    }

    /// What it is at, in a word for metrics.
    pub fn standing(&self) -> &'static str {
        match &self.work {
            Work::Ended => "ended",
            Work::Resting => "resting",
            _ if self.state.hold.is_some() => "holding",
            _ if self.state.behind.is_some() => "behind",
            Work::Idle | Work::InFlight { .. } | Work::Retrying { .. } | Work::Holding => "live",
        }
    }

    /// The last event that was taken in; reading goes on behind it.
    pub fn tail(&self) -> Option<Position> {
        self.buffer.tail().or(self.state.cursor)
    }

    fn started(&mut self, moment: Moment) {
        if self.state.stopped.is_some() || self.is_complete() {
            self.end();
        } else if self.state.hold.is_some() {
            self.work = Work::Holding;
            // Spread out: after a restart every held lane is here at once.
            self.effects.push(Effect::Wake(FIRST_PROBE_MAX * u32::from(moment.chance.0) / 65_536));
        }
    }

    /// A replay whose last fact already says that everything is done.
    fn is_complete(&self) -> bool {
        match (&self.course, self.state.cursor) {
            (Course::Replay { until, .. }, Some(cursor)) => cursor.sequence >= *until,
            (Course::Replay { .. }, None) | (Course::Live, _) => false,
        }
    }

    fn woke(&mut self, moment: Moment) {
        match std::mem::replace(&mut self.work, Work::Idle) {
            Work::Retrying { batch, attempt } => self.send(batch, attempt + 1),
            Work::Holding => self.check_patience(moment),
            other @ (Work::Idle | Work::InFlight { .. } | Work::Resting | Work::Ended) => {
                self.work = other;
            }
        }
    }

    /// Gives a replay up whose receiver has been down for too long.
    fn check_patience(&mut self, moment: Moment) {
        let (Course::Replay { patience, .. }, Some(hold)) = (&self.course, &self.state.hold) else {
            return;
        };
        if moment.now.since(hold.since) >= *patience {
            let reason =
                format!("the receiver has not answered 2xx since {}: {}", hold.since, hold.reason);
            self.stop("receiver", reason, moment);
        }
    }

    fn caps(&self) -> Caps {
        self.sizer.caps(self.state.hold.is_some() || self.quarantined_in_a_row > 0)
    }

    fn store(&mut self, fact: DeliveryFact, moment: Moment) {
        self.state = std::mem::take(&mut self.state).evolve(moment.now, &fact);
        self.effects.push(Effect::Store {
            at: moment.now,
            fact,
            state: Box::new(self.state.clone()),
        });
    }

    /// Forgets what is done up to `to`.
    fn advance(&mut self, to: Position) {
        let done = self.buffer.advance(to);
        self.effects.extend(done.into_iter().map(Effect::Done));
    }

    /// Empties the memory; what was in it is read again from the cursor.
    fn drop_buffer(&mut self) {
        let dropped = self.buffer.clear();
        if !dropped.is_empty() {
            self.effects.push(Effect::Forget(dropped));
        }
        self.sizer.forget_suspects();
        self.reading = Reading::On;
        self.effects.push(Effect::StopReading);
    }

    fn stop(&mut self, code: &str, reason: String, moment: Moment) {
        self.store(DeliveryFact::Stopped { code: code.to_owned(), reason }, moment);
        self.drop_buffer();
        self.end();
    }

    fn end(&mut self) {
        self.work = Work::Ended;
        self.effects.push(Effect::End);
    }
}

/// The first probe of a lane that was found held goes out within this time.
const FIRST_PROBE_MAX: Duration = Duration::from_secs(2);

#[cfg(test)]
#[path = "lane/bench.rs"]
mod bench;
#[cfg(test)]
#[path = "lane/tests.rs"]
mod tests;
