//! The commands that need an answer.

use std::time::Duration;

use auditrelay_model::id::JobId;
use auditrelay_model::origin::Origin;
use auditrelay_model::quarantine::{QuarantineCommand, Released};
use auditrelay_model::replay::{Tally, Terms};
use auditrelay_model::test_delivery::{TestDelivery, TestReport};
use auditrelay_model::{Scope, Window};

use crate::ask::{Command, Wire};
use crate::codec::{quarantine, replay, test_delivery};
use crate::subject::{QUARANTINE_COMMANDS, REPLAY_COMMANDS, TEST_COMMANDS};

/// A command to the replay-scheduler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayCommand {
    /// Whose job.
    pub scope: Scope,
    /// For a configuration the id of the job to make, else the job meant.
    pub job: JobId,
    /// Who asks: a token's id.
    pub actor: String,
    /// W3C Trace Context of the request behind it.
    pub traceparent: Option<String>,
    /// The request behind it: the facts that come of it carry it.
    pub origin: Option<Origin>,
    /// What to do.
    pub action: ReplayAction,
}

/// What a scheduler can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplayAction {
    /// A job over a window.
    Configure {
        /// What to send again.
        window: Window,
        /// What else is asked for.
        terms: Terms,
        /// Wait behind the job that is under way; without it a running job is a refusal.
        may_wait: bool,
    },
    /// What such a job would send; nothing is stored.
    Estimate {
        /// What to send again.
        window: Window,
        /// What else is asked for.
        terms: Terms,
    },
    /// The job waits until it is resumed.
    Pause {
        /// Why.
        reason: String,
    },
    /// The job goes on.
    Resume,
    /// The end of a job.
    Cancel {
        /// Why.
        reason: String,
    },
}

impl ReplayAction {
    /// Its name, for logs and counts.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Configure { .. } => "configure",
            Self::Estimate { .. } => "estimate",
            Self::Pause { .. } => "pause",
            Self::Resume => "resume",
            Self::Cancel { .. } => "cancel",
        }
    }
}

/// What a job would send now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// What was counted.
    pub tally: Tally,
    /// Everything was counted; otherwise the tally is the least.
    pub exact: bool,
    /// Most events that can be selected.
    pub events_max: u64,
    /// How long it is likely to take.
    pub duration: Duration,
    /// The rate that this rests on.
    pub events_per_second: f64,
    /// The rate was measured; otherwise it is assumed.
    pub is_rate_measured: bool,
}

/// What a scheduler answers.
#[derive(Debug, Clone, PartialEq)]
pub enum ReplayReply {
    /// Done: read your write up to this sequence of REPLAY.
    Stored {
        /// Sequence of the fact.
        sequence: u64,
    },
    /// A lawful refusal.
    Denied {
        /// One lower-case word: `running`, `no_such_job`, `ended`, `waiting`, `queue_full`.
        code: String,
        /// In words.
        detail: String,
    },
    /// What was asked for by [`ReplayAction::Estimate`].
    Estimated(Estimate),
    /// It could not tell; try again.
    Unavailable(String),
}

impl Command for ReplayCommand {
    type Reply = ReplayReply;

    const WIRE: Wire<Self> = Wire {
        subject: REPLAY_COMMANDS,
        queue: "replay-scheduler",
        encode: replay::encode_command,
        decode: replay::decode_command,
        encode_reply: replay::encode_reply,
        decode_reply: replay::decode_reply,
    };
}

/// What a sender answers to the wish for a test delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TestReply {
    /// What was seen.
    Report(Box<TestReport>),
    /// It could not be tried; try again.
    Unavailable(String),
}

impl Command for TestDelivery {
    type Reply = TestReply;

    const WIRE: Wire<Self> = Wire {
        subject: TEST_COMMANDS,
        queue: "webhook-sender",
        encode: test_delivery::encode_command,
        decode: test_delivery::decode_command,
        encode_reply: test_delivery::encode_reply,
        decode_reply: test_delivery::decode_reply,
    };
}

/// What a sender answers to a command about a parked event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QuarantineReply {
    /// What was done, and stored.
    Released(Box<Released>),
    /// A lawful refusal.
    Denied {
        /// One lower-case word: `not_found`, `released`, `expired`, `no_webhook`.
        code: String,
        /// In words.
        detail: String,
    },
    /// It could not tell; try again.
    Unavailable(String),
}

impl Command for QuarantineCommand {
    type Reply = QuarantineReply;

    const WIRE: Wire<Self> = Wire {
        subject: QUARANTINE_COMMANDS,
        queue: "webhook-sender",
        encode: quarantine::encode_command,
        decode: quarantine::decode_command,
        encode_reply: quarantine::encode_reply,
        decode_reply: quarantine::decode_reply,
    };
}
