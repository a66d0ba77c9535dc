//! Delivery: what a lane did, and how far it has come.
//!
//! Every stored fact carries the lane's whole state after it, so the last message on the lane's
//! subject is all that a status page, a scheduler or the lane's next holder needs.

use std::time::Duration;

use crate::Timestamp;
use crate::destination::LogFormat;
use crate::id::{BatchId, DestinationId, EventId, JobId};
use crate::record::Position;
use crate::replay::SentIds;
use crate::scope::Scope;

/// Which lane of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Events as they come.
    Live,
    /// The lane of a replay job.
    Replay(JobId),
}

impl Lane {
    /// The lane's token in subjects: `live`, or the job's id.
    pub fn token(self) -> String {
        match self {
            Self::Live => "live".to_owned(),
            Self::Replay(job) => job.to_string(),
        }
    }
}

/// A stored fact of one lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryEvent {
    /// When.
    pub at: Timestamp,
    /// Whose log.
    pub scope: Scope,
    /// Which lane.
    pub lane: Lane,
    /// The sender that wrote it.
    pub sender: String,
    /// What happened.
    pub fact: DeliveryFact,
    /// The lane after it.
    pub state: LaneState,
}

/// What happened on a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryFact {
    /// One HTTP request and what came of it.
    Attempt(Box<Attempt>),
    /// The lane left its shard and reads on its own.
    FellBehind {
        /// The last event that is done; the lane reads on its own from there.
        cursor: Position,
        /// Why.
        reason: String,
    },
    /// The lane is back on its shard.
    CaughtUp,
    /// The webhook is inactive: only probes are sent.
    Held(Hold),
    /// A probe was delivered.
    Resumed,
    /// The receiver refuses this event alone.
    Quarantined(Quarantined),
    /// A replay lane read events that lie outside its window.
    Passed {
        /// The last of them.
        to: Position,
        /// How many.
        events: u64,
    },
    /// Events were gone from the stream before they could be delivered.
    Expired {
        /// The last of them.
        to: Position,
        /// How many.
        events: u64,
        /// They should still have been there: the broker lost them.
        early: bool,
    },
    /// A replay lane makes room: live delivery to the same destination is late.
    Yielded,
    /// Live delivery is on time again.
    WentOn,
    /// The lane was ended: its webhook is gone, or its job is over or can not go on.
    Stopped {
        /// One lower-case word for machines.
        code: String,
        /// Why, in words.
        reason: String,
    },
}

impl DeliveryFact {
    /// The request that it tells of; none for other facts.
    pub fn attempt(&self) -> Option<&Attempt> {
        match self {
            Self::Attempt(attempt) => Some(attempt),
            Self::FellBehind { .. }
            | Self::CaughtUp
            | Self::Held(_)
            | Self::Resumed
            | Self::Quarantined(_)
            | Self::Passed { .. }
            | Self::Expired { .. }
            | Self::Yielded
            | Self::WentOn
            | Self::Stopped { .. } => None,
        }
    }
}

/// One HTTP request and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The same over all attempts of a batch.
    pub batch: BatchId,
    /// 1 for the first.
    pub number: u32,
    /// First event in the batch.
    pub first: Position,
    /// Last event in the batch.
    pub last: Position,
    /// Events in the batch.
    pub events: u64,
    /// Bytes of the body before compression.
    pub body_bytes: u64,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration: Duration,
    /// Where it went.
    pub destination: DestinationId,
    /// How the batch was written.
    pub log_format: LogFormat,
    /// The receiver answered 2xx.
    pub delivered: bool,
    /// HTTP status; none when no answer came.
    pub status: Option<u16>,
    /// First bytes of the answer, or the error; printable, at most 1 KiB.
    pub message: String,
    /// W3C trace id of the attempt's span; empty when it is not traced.
    pub trace_id: String,
    /// Of a replay, once delivered: everything that the job has delivered up to here.
    pub sent: Option<SentIds>,
    /// First and last numbers of what is in it, where it leaves some out between its ends.
    pub runs: Vec<(u64, u64)>,
}

/// Why a webhook is inactive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// In words.
    pub reason: String,
    /// The customer must act: credentials, address or certificate.
    pub customer_must_act: bool,
    /// Since when.
    pub since: Timestamp,
    /// Probes that failed since then.
    pub probes: u32,
}

/// An event that the receiver refuses alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// Where it is.
    pub at: Position,
    /// Which.
    pub event: EventId,
    /// HTTP status of the refusal.
    pub status: u16,
    /// First bytes of the answer.
    pub message: String,
}

/// How far a lane has come; a fold of its facts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LaneState {
    /// The last event that is done: delivered, quarantined or passed over.
    pub cursor: Option<Position>,
    /// When the lane reads on its own: since when and why.
    pub behind: Option<Behind>,
    /// When only probes are sent.
    pub hold: Option<Hold>,
    /// When a replay lane makes room for live delivery: since when.
    pub yielding: Option<Timestamp>,
    /// The last attempt.
    pub last_attempt: Option<LastAttempt>,
    /// What the lane has done.
    pub totals: Totals,
    /// The lane was ended, with its reason.
    pub stopped: Option<(String, String)>,
    /// Which events a replay delivered.
    pub sent: Option<SentIds>,
}

/// Since when and why a lane reads on its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub reason: String,
}

/// What the webhook's status shows of the last attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastAttempt {
    /// When it ended.
    pub at: Timestamp,
    /// The receiver answered 2xx.
    pub delivered: bool,
    /// HTTP status; none when no answer came.
    pub status: Option<u16>,
    /// First bytes of the answer, or the error.
    pub message: String,
}

/// What a lane has done since its first fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Events delivered.
    pub events_delivered: u64,
    /// Events outside the window (replay lanes).
    pub events_passed: u64,
    /// Events refused one by one.
    pub events_quarantined: u64,
    /// Events that were gone from the stream before they could be delivered.
    pub events_expired: u64,
    /// Bytes delivered, before compression.
    pub bytes_delivered: u64,
    /// HTTP requests.
    pub requests: u64,
    /// HTTP requests that were not answered 2xx.
    pub requests_failed: u64,
}

impl LaneState {
    /// Applies a fact.
    #[must_use]
    pub fn evolve(mut self, at: Timestamp, fact: &DeliveryFact) -> Self {
        match fact {
            DeliveryFact::Attempt(attempt) => self.count_attempt(at, attempt),
            DeliveryFact::FellBehind { cursor, reason } => {
                self.cursor = Some(*cursor);
                self.behind = Some(Behind { since: at, reason: reason.clone() });
            }
            DeliveryFact::CaughtUp => self.behind = None,
            DeliveryFact::Held(hold) => self.hold = Some(hold.clone()),
            DeliveryFact::Resumed => self.hold = None,
            DeliveryFact::Quarantined(quarantined) => {
                self.totals.events_quarantined += 1;
                self.cursor = Some(quarantined.at);
            }
            DeliveryFact::Passed { to, events } => {
                self.totals.events_passed += events;
                self.cursor = Some(*to);
            }
            DeliveryFact::Expired { to, events, early: _ } => {
                self.totals.events_expired += events;
                self.cursor = Some(*to);
            }
            DeliveryFact::Yielded => self.yielding = Some(at),
            DeliveryFact::WentOn => self.yielding = None,
            DeliveryFact::Stopped { code, reason } => {
                self.stopped = Some((code.clone(), reason.clone()));
            }
        }
        self
    }

    fn count_attempt(&mut self, at: Timestamp, attempt: &Attempt) {
        self.totals.requests += 1;
        if attempt.delivered {
            self.totals.events_delivered += attempt.events;
            self.totals.bytes_delivered += attempt.body_bytes;
            // Between its first and last event a replay's batch leaves out what its window skips.
            let covered = (attempt.last.number + 1).saturating_sub(attempt.first.number);
            self.totals.events_passed += covered.saturating_sub(attempt.events);
            self.cursor = Some(attempt.last);
            self.sent = attempt.sent.or(self.sent);
        } else {
            self.totals.requests_failed += 1;
            if let Some(hold) = &mut self.hold {
                hold.probes = hold.probes.saturating_add(1);
            }
        }
        self.last_attempt = Some(LastAttempt {
            at,
            delivered: attempt.delivered,
            status: attempt.status,
            message: attempt.message.clone(),
        });
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn position(number: u64) -> Position {
        Position { epoch: 1, number, sequence: number }
    }

    fn attempt((first, last): (u64, u64), events: u64, delivered: bool) -> DeliveryFact {
        DeliveryFact::Attempt(Box::new(Attempt {
            batch: BatchId::from_uuid(Uuid::nil()),
            number: 1,
            first: position(first),
            last: position(last),
            events,
            body_bytes: 100 * events,
            started_at: Timestamp::default(),
            duration: Duration::ZERO,
            destination: DestinationId::from_uuid(Uuid::nil()),
            log_format: LogFormat::Json,
            delivered,
            status: Some(if delivered { 200 } else { 503 }),
            message: String::new(),
            trace_id: String::new(),
            sent: None,
            runs: vec![],
        }))
    }

    fn fold(facts: &[DeliveryFact]) -> LaneState {
        let at = Timestamp::from_nanos(7);
        facts.iter().fold(LaneState::default(), |state, fact| state.evolve(at, fact))
    }

    #[test]
    fn whatever_a_lane_did_is_counted() {
        let quarantined = Quarantined {
            at: position(13),
            event: EventId::from_uuid(Uuid::nil()),
            status: 400,
            message: String::new(),
        };
        let state = fold(&[
            attempt((1, 3), 3, true),
            attempt((4, 10), 5, true),
            attempt((11, 12), 2, false),
            attempt((11, 12), 2, false),
            attempt((11, 12), 2, true),
            DeliveryFact::Quarantined(quarantined.clone()),
            DeliveryFact::Quarantined(Quarantined { at: position(14), ..quarantined }),
            DeliveryFact::Passed { to: position(20), events: 6 },
            DeliveryFact::Expired { to: position(25), events: 5, early: true },
            DeliveryFact::Expired { to: position(28), events: 3, early: false },
        ]);
        let totals = Totals {
            events_delivered: 3 + 5 + 2,
            events_passed: 2 + 6,
            events_quarantined: 2,
            events_expired: 5 + 3,
            bytes_delivered: 1_000,
            requests: 5,
            requests_failed: 2,
        };
        assert_eq!((state.totals, state.cursor), (totals, Some(position(28))));
    }

    #[test]
    fn what_fails_moves_no_cursor_and_counts_as_a_probe_of_a_held_lane() {
        let hold = Hold {
            reason: "401".to_owned(),
            customer_must_act: true,
            since: Timestamp::default(),
            probes: 0,
        };
        let failed = attempt((1, 2), 2, false);
        let held = fold(&[failed.clone(), DeliveryFact::Held(hold), failed.clone(), failed]);
        assert_eq!((held.cursor, held.hold.map(|hold| hold.probes)), (None, Some(2)));
        let last = held.last_attempt.unwrap();
        assert_eq!((last.delivered, last.status), (false, Some(503)));
    }

    #[test]
    fn the_token_of_a_lane_tells_it_from_any_other() {
        let job = JobId::from_uuid(Uuid::max());
        let tokens = [Lane::Live.token(), Lane::Replay(job).token()];
        assert_eq!(tokens, ["live", "ffffffff-ffff-ffff-ffff-ffffffffffff"]);
    }
}
