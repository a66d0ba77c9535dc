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
mod flight;
mod intake;
mod port;
mod ramp;
mod settle;
mod switch;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use auditrelay_model::Timestamp;
use auditrelay_model::backoff::Backoff;
use auditrelay_model::delivery::{DeliveryFact, LaneState};
use auditrelay_model::record::Position;
use auditrelay_model::replay::Selection;

use crate::batch::{Batch, Caps, Sizer};
use buffer::Buffer;
use flight::Flight;
use ramp::Ramp;

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
    /// Events a second for a receiver that has just come back; doubles four times a second.
    pub resume_rate: u32,
}

/// One lane.
#[derive(Debug, Clone)]
pub struct Lane {
    course: Course,
    policy: Policy,
    switch: Switch,
    state: LaneState,
    work: Work,
    /// In the order of the log.
    flights: VecDeque<Flight>,
    buffer: Buffer,
    sizer: Sizer,
    reading: Reading,
    /// Failures since the last good attempt; those of requests that were out together count once.
    failures: u32,
    /// Since the receiver came back.
    ramp: Option<Ramp>,
    /// Batches that were made up with this input.
    made_now: u32,
    /// Events refused alone since the last good attempt.
    quarantined_in_a_row: u32,
    draining: bool,
    effects: Vec<Effect>,
}

/// What the lane is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    /// Batches go out as they come.
    Sending,
    /// Nothing goes out until the timer rings.
    Pausing,
    /// The next probe goes out when the timer rings; a replay lane ends instead, for so long.
    Holding {
        park: Option<Duration>,
    },
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
    LookingAgain { expected: u64, came: u64 },
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
            work: Work::Sending,
            flights: VecDeque::new(),
            buffer: Buffer::default(),
            sizer: Sizer::new(policy.batch),
            reading: Reading::On,
            failures: 0,
            ramp: None,
            made_now: 0,
            quarantined_in_a_row: 0,
            draining: false,
            effects: Vec::new(),
        }
    }

    /// Takes in what happened; says what to do, in order.
    pub fn handle(&mut self, input: Input, moment: Moment) -> Vec<Effect> {
        self.made_now = 0;
        if self.ramp.is_some_and(|ramp| ramp.most(moment).is_none()) {
            self.ramp = None;
        }
        match input {
            Input::Started => self.started(moment),
            Input::Configured(switch) => self.configured(switch),
            Input::Arrived(arrival) => self.arrived(&arrival, moment),
            Input::Overflowed => self.overflowed(moment),
            Input::Exhausted => self.exhausted(),
            Input::Rejoin(answer) => self.rejoined(answer),
            Input::Cut { batch, fits } => self.cut(batch, fits, moment),
            Input::Tried(batch, tried) => self.tried(batch, &tried, moment),
            Input::Yield(yields) => self.told_to_yield(yields, moment),
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
            _ if self.state.yielding.is_some() => "yielding",
            Work::Sending | Work::Pausing | Work::Holding { .. } => "live",
        }
    }

    /// The last event that was taken in; reading goes on behind it.
    pub fn tail(&self) -> Option<Position> {
        self.buffer.tail().or(self.state.cursor)
    }

    /// The stream's sequence from which its own reading begins. When the first numbers of a new life
    /// of the log are missing, they are looked for from the beginning: the stream may have been made
    /// anew, and then what is known of its sequences means nothing.
    pub fn reads_from(&self) -> u64 {
        match (self.reading, self.tail()) {
            (Reading::LookingAgain { expected: 1, .. }, _) | (_, None) => 1,
            (_, Some(tail)) => tail.sequence,
        }
    }

    /// When the oldest event was accepted that is in memory and not done.
    pub fn oldest(&self) -> Option<Timestamp> {
        self.buffer.oldest()
    }

    fn started(&mut self, moment: Moment) {
        if self.state.stopped.is_some() || self.is_complete() {
            self.end();
        } else if let (Some(_), Course::Replay { .. }) = (&self.state.hold, &self.course) {
            // Who parked it says when it is due.
            self.check_patience(moment);
        } else if self.state.hold.is_some() {
            self.work = Work::Holding { park: None };
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
        match self.work {
            Work::Pausing => self.work = Work::Sending,
            Work::Holding { .. } if self.out() > 0 => {
                self.effects.push(Effect::Wake(FIRST_PROBE_MAX));
            }
            Work::Holding { .. } => {
                self.work = Work::Sending;
                self.check_patience(moment);
            }
            Work::Sending | Work::Resting | Work::Ended => {}
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

    /// Failed probes since the hold began.
    fn probes(&self) -> u32 {
        self.state.hold.as_ref().map_or(0, |hold| hold.probes)
    }

    /// Nothing is sent until then. A replay lane does not stay for so long.
    fn probe_after(&mut self, wait: Duration) {
        self.work = match self.course {
            Course::Live => {
                self.effects.push(Effect::Wake(wait));
                Work::Holding { park: None }
            }
            Course::Replay { .. } => Work::Holding { park: Some(wait) },
        };
    }

    fn caps(&self, moment: Moment) -> Caps {
        let caps = self.sizer.caps(self.state.hold.is_some() || self.quarantined_in_a_row > 0);
        let most = self.ramp.as_ref().and_then(|ramp| ramp.most(moment));
        Caps { events: caps.events.min(most.unwrap_or(usize::MAX)), ..caps }
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
        self.flights.clear();
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
#[path = "lane/limits_tests.rs"]
mod limits_tests;
#[cfg(test)]
#[path = "lane/losses_tests.rs"]
mod losses_tests;
#[cfg(test)]
#[path = "lane/tests.rs"]
mod tests;
#[cfg(test)]
#[path = "lane/told_tests.rs"]
mod told_tests;
