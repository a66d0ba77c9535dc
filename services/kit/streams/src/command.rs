//! Commands that need an answer, by request and reply.

use std::time::Duration;

use auditrelay_model::id::JobId;
use auditrelay_model::{Scope, Window};
use futures::StreamExt;

use crate::codec::replay as codec;
use crate::connect::Streams;
use crate::error::ReadError;
use crate::subject::REPLAY_COMMANDS;

/// Every scheduler listens; each command goes to one of them.
const QUEUE: &str = "replay-scheduler";

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

/// Commands as they come in.
pub struct ReplayCommands {
    streams: Streams,
    subscriber: async_nats::Subscriber,
}

/// One command, waiting for its answer.
pub struct Incoming {
    /// The command.
    pub command: ReplayCommand,
    streams: Streams,
    reply: async_nats::Subject,
}

impl Streams {
    /// Asks a scheduler. No answer within `timeout` means that nothing is known: the command may
    /// have been carried out.
    pub async fn send_replay_command(
        &self,
        command: &ReplayCommand,
        timeout: Duration,
    ) -> Result<ReplayReply, ReadError> {
        let request = async_nats::Request::new()
            .payload(codec::encode_command(command).into())
            .timeout(Some(timeout));
        let answer = self
            .context
            .client()
            .send_request(REPLAY_COMMANDS, request)
            .await
            .map_err(ReadError::unavailable)?;
        codec::decode_reply(&answer.payload).map_err(|error| ReadError::Corrupt(error.to_string()))
    }

    /// Takes part in answering commands.
    pub async fn serve_replay_commands(&self) -> Result<ReplayCommands, ReadError> {
        let subscriber = self
            .context
            .client()
            .queue_subscribe(REPLAY_COMMANDS, QUEUE.to_owned())
            .await
            .map_err(ReadError::unavailable)?;
        Ok(ReplayCommands { streams: self.clone(), subscriber })
    }
}

impl ReplayCommands {
    /// The next command that can be understood; none when the connection is closed for good.
    pub async fn next(&mut self) -> Option<Incoming> {
        loop {
            let message = self.subscriber.next().await?;
            let Some(reply) = message.reply else { continue };
            match codec::decode_command(&message.payload) {
                Ok(command) => {
                    return Some(Incoming { command, streams: self.streams.clone(), reply });
                }
                Err(error) => tracing::warn!(%error, "a command that cannot be understood"),
            }
        }
    }
}

impl Incoming {
    /// Answers. The asker may have stopped waiting; that is its matter.
    pub async fn reply(self, answer: &ReplayReply) {
        let payload = codec::encode_reply(answer).into();
        if let Err(error) = self.streams.context.client().publish(self.reply, payload).await {
            tracing::warn!(%error, "an answer could not be sent");
        }
    }
}
