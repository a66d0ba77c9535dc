//! The commands that need an answer.

use auditrelay_model::id::JobId;
use auditrelay_model::origin::Origin;
use auditrelay_model::quarantine::{QuarantineCommand, Released};
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
    },
    /// The end of a job.
    Cancel {
        /// Why.
        reason: String,
    },
}

/// What a scheduler answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplayReply {
    /// Done: read your write up to this sequence of REPLAY.
    Stored {
        /// Sequence of the fact.
        sequence: u64,
    },
    /// A lawful refusal.
    Denied {
        /// One lower-case word: `running`, `no_such_job`.
        code: String,
        /// In words.
        detail: String,
    },
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
