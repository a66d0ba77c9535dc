//! What goes into a lane and what comes out of it.

use std::sync::Arc;
use std::time::Duration;

use auditrelay_model::Timestamp;
use auditrelay_model::backoff::Chance;
use auditrelay_model::delivery::{DeliveryFact, LaneState};
use auditrelay_model::destination::LogFormat;
use auditrelay_model::id::{BatchId, DestinationId};
use auditrelay_model::record::{Place, Position, Record};

use crate::batch::Batch;
use crate::outcome::Outcome;

/// What the shell knows and a pure function may not ask for.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// The time.
    pub now: Timestamp,
    /// A random number.
    pub chance: Chance,
    /// How long the process runs: unlike the time, it never jumps.
    pub running: Duration,
    /// An id that was never used; nor were the next few after it.
    pub fresh: BatchId,
}

/// Whether and where the lane may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// To there.
    On(Target),
    /// The webhook is disabled.
    Off,
    /// There is no webhook.
    Gone,
}

/// What facts say about the receiver; it differs whenever anything about it was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The destination.
    pub destination: DestinationId,
    /// How batches are written.
    pub log_format: LogFormat,
    /// Most requests that are out at the same time; more than one gives order up for speed.
    pub in_flight: usize,
    /// When the webhook or the destination was last changed.
    pub changed_at: Timestamp,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Input {
    /// The lane begins.
    Started,
    /// Configuration changed.
    Configured(Switch),
    /// A record came, from wherever the lane wants records from.
    Arrived(Arrival),
    /// The shard found the lane's queue full.
    Overflowed,
    /// The lane's own reader has nothing more now.
    Exhausted,
    /// The shard's answer to [`Effect::AskRejoin`].
    Rejoin(Rejoin),
    /// The body would exceed the cap: only this many events fit. Nothing was sent.
    Cut {
        /// The batch.
        batch: BatchId,
        /// Events that fit.
        fits: usize,
    },
    /// The request with this batch ended.
    Tried(BatchId, Tried),
    /// Live delivery to the same receiver is late, or is no more; for replay lanes.
    Yield(bool),
    /// The timer of [`Effect::Wake`] rang.
    Woke,
    /// The process stops: nothing new is sent.
    Drain,
}

/// A record, or what is known of it without reading it.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Its stream sequence.
    pub sequence: u64,
    /// When it was stored.
    pub stored_at: Timestamp,
    /// The oldest sequence that was held when reading began; 0 where nobody asked.
    pub oldest: u64,
    /// Its chain's life.
    pub epoch: u64,
    /// Number of its first event.
    pub first_number: u64,
    /// Number of its last event.
    pub last_number: u64,
    /// What is in it.
    pub body: Body,
    /// Where earlier lives of the log ended, as far as it is known.
    pub ended: Vec<Position>,
    /// The last event that the broker lost right before it, where it lost some.
    pub lost: Option<Place>,
}

/// What is in a record.
#[derive(Debug, Clone)]
pub enum Body {
    /// Its events.
    Record(Arc<Record>),
    /// Nothing that the lane sends: it was not read.
    NotSelected,
    /// It cannot be read.
    Corrupt(String),
}

/// What the shard says to a lane that wants to rejoin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejoin {
    /// It skipped nothing that the lane does not have: it takes the lane back.
    Welcome,
    /// As before, but what it skipped up to there has expired meanwhile.
    WelcomeWithout {
        /// The last record it skipped.
        last: Position,
    },
    /// There is more to read.
    NotYet,
}

/// A request and what came of it.
#[derive(Debug, Clone)]
pub struct Tried {
    /// What happened.
    pub outcome: Outcome,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration: Duration,
    /// Bytes of the body before compression.
    pub body_bytes: u64,
    /// Trace id of the request's span.
    pub trace_id: String,
}

/// What to do, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Store this fact; go on only when it is stored.
    Store {
        /// When.
        at: Timestamp,
        /// What.
        fact: DeliveryFact,
        /// The lane after it.
        state: Box<LaneState>,
    },
    /// This record is done: acknowledge it.
    Done(u64),
    /// These records are dropped from memory, unfinished.
    Forget(Vec<u64>),
    /// The shard goes on without the lane: everything it gave or will give is acknowledged.
    LeaveShard,
    /// Ask the shard to take the lane back.
    AskRejoin,
    /// Close the lane's own reader; when records are wanted again, read from [`super::Lane::tail`].
    StopReading,
    /// A batch that goes out next: it can be written already.
    Prepare(Request),
    /// Send a batch.
    Send(Request),
    /// Ring after this time; replaces an earlier one.
    Wake(Duration),
    /// Nothing is sent until then: the lane ends, and is to be started anew from its last fact
    /// after this time, or when the receiver was changed.
    Park(Duration),
    /// The lane is over.
    End,
}

/// A batch on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What is sent.
    pub batch: Batch,
    /// 1 for the first.
    pub attempt: u32,
    /// When that one was made.
    pub first_attempt_at: Timestamp,
}

/// Where the lane takes records from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wants {
    /// From nowhere.
    Nothing,
    /// From its shard.
    FromShard,
    /// From a reader of its own.
    FromReader,
}
