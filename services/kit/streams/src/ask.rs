//! Requests and replies: a command goes to one of the processes that answer its kind.

use std::marker::PhantomData;
use std::time::Duration;

use futures::StreamExt;

use crate::codec::DecodeError;
use crate::connect::Streams;
use crate::error::ReadError;

/// A command that needs an answer.
pub trait Command: Sized + Send {
    /// What it is answered with.
    type Reply: Send + Sync;

    /// Where it is sent.
    #[doc(hidden)]
    const WIRE: Wire<Self>;
}

/// How a command and its reply travel.
#[derive(Debug)]
pub struct Wire<C: Command> {
    pub(crate) subject: &'static str,
    /// Everybody who listens shares this name; each command goes to one of them.
    pub(crate) queue: &'static str,
    pub(crate) encode: fn(&C) -> Vec<u8>,
    pub(crate) decode: fn(&[u8]) -> Result<C, DecodeError>,
    pub(crate) encode_reply: fn(&C::Reply) -> Vec<u8>,
    pub(crate) decode_reply: fn(&[u8]) -> Result<C::Reply, DecodeError>,
}

/// Commands as they come in.
pub struct Commands<C> {
    streams: Streams,
    subscriber: async_nats::Subscriber,
    kind: PhantomData<fn() -> C>,
}

/// One command, waiting for its answer.
pub struct Incoming<C> {
    /// The command.
    pub command: C,
    streams: Streams,
    reply: async_nats::Subject,
}

impl Streams {
    /// Asks one of those that answer. No answer within `timeout` means that nothing is known: the
    /// command may have been carried out.
    pub async fn ask<C: Command>(
        &self,
        command: &C,
        timeout: Duration,
    ) -> Result<C::Reply, ReadError> {
        let request = async_nats::Request::new()
            .payload((C::WIRE.encode)(command).into())
            .timeout(Some(timeout));
        let answer = self
            .context
            .client()
            .send_request(C::WIRE.subject, request)
            .await
            .map_err(ReadError::unavailable)?;
        (C::WIRE.decode_reply)(&answer.payload)
            .map_err(|error| ReadError::Corrupt(error.to_string()))
    }

    /// Takes part in answering commands.
    pub async fn listen<C: Command>(&self) -> Result<Commands<C>, ReadError> {
        let subscriber = self
            .context
            .client()
            .queue_subscribe(C::WIRE.subject, C::WIRE.queue.to_owned())
            .await
            .map_err(ReadError::unavailable)?;
        Ok(Commands { streams: self.clone(), subscriber, kind: PhantomData })
    }
}

impl<C: Command> Commands<C> {
    /// The next command that can be understood; none when the connection is closed for good.
    pub async fn next(&mut self) -> Option<Incoming<C>> {
        loop {
            let message = self.subscriber.next().await?;
            let Some(reply) = message.reply else { continue };
            match (C::WIRE.decode)(&message.payload) {
                Ok(command) => {
                    return Some(Incoming { command, streams: self.streams.clone(), reply });
                }
                Err(error) => tracing::warn!(%error, "a command that cannot be understood"),
            }
        }
    }
}

impl<C: Command> Incoming<C> {
    /// Answers. The asker may have stopped waiting; that is its matter.
    pub async fn reply(self, answer: &C::Reply) {
        let payload = (C::WIRE.encode_reply)(answer).into();
        if let Err(error) = self.streams.context.client().publish(self.reply, payload).await {
            tracing::warn!(%error, "an answer could not be sent");
        }
    }
}
