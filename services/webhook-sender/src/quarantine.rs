//! Parked events: sent once more, or discarded. What is done is a fact.

use std::time::Duration;

use auditrelay_model::event::AuditEvent;
use auditrelay_model::quarantine::{
    Parked, QuarantineAction, QuarantineCommand, Release, Released, Resent,
};
use auditrelay_model::record::Place;
use auditrelay_runtime::telemetry::{continue_trace, trace_id};
use auditrelay_streams::{AppendError, QuarantineReply, ReadError};
use auditrelay_webhook_sender_core::outcome::Outcome;
use http::HeaderValue;
use tokio::time::{Instant, timeout};
use tracing::Instrument;

use crate::commands::Answered;
use crate::headers::QUARANTINE;
use crate::sender::Sender;
use crate::single::Single;

/// An answer that comes later than this is of no use to anybody.
const ANSWER_WITHIN: Duration = Duration::from_secs(25);
/// Releases of a scope that are kept at the same time: each command looks at all of them.
const RELEASES_MAX: usize = 2_000;
/// How often a fact is stored anew when others were quicker.
const STORE_TRIES: usize = 8;

impl Answered for QuarantineCommand {
    const NAME: &'static str = "quarantine command";

    fn busy(sender: &Sender) -> QuarantineReply {
        sender.telemetry.released("busy");
        QuarantineReply::Unavailable("too many commands at once".to_owned())
    }

    async fn answer(&self, sender: &Sender) -> QuarantineReply {
        let span = tracing::info_span!(
            "quarantine.command", scope = %self.scope, parked = self.parked, actor = self.actor
        );
        if let Some(traceparent) = &self.traceparent {
            continue_trace(&span, traceparent);
        }
        let carried_out = timeout(ANSWER_WITHIN, carry_out(sender, self)).instrument(span).await;
        let (result, reply) = match carried_out {
            Ok(Ok(released)) => {
                (name(&released.what), QuarantineReply::Released(Box::new(released)))
            }
            Ok(Err(Refusal::Denied(code, detail))) => {
                let (code, detail) = (code.to_owned(), detail.to_owned());
                ("denied", QuarantineReply::Denied { code, detail })
            }
            Ok(Err(Refusal::Unavailable(reason))) => {
                ("unavailable", QuarantineReply::Unavailable(reason))
            }
            Err(_) => ("unavailable", QuarantineReply::Unavailable("it took too long".to_owned())),
        };
        sender.telemetry.released(result);
        reply
    }
}

const fn name(what: &Release) -> &'static str {
    match what {
        Release::Resent(Resent { delivered: true, .. }) => "delivered",
        Release::Resent(Resent { delivered: false, .. }) => "refused",
        Release::Discarded { .. } => "discarded",
    }
}

/// Why nothing was done.
enum Refusal {
    Denied(&'static str, &'static str),
    Unavailable(String),
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

async fn carry_out(sender: &Sender, command: &QuarantineCommand) -> Result<Released, Refusal> {
    let parked = sender.streams.parked(command.scope, command.parked).await?;
    let parked = parked.ok_or(Refusal::Denied("not_found", "no such event is in quarantine"))?;
    let last = open(sender, command).await?;
    let what = match &command.action {
        QuarantineAction::Discard { reason } => Release::Discarded { reason: reason.clone() },
        QuarantineAction::Resend => Release::Resent(resend(sender, command, &parked).await?),
    };
    let released = Released {
        at: sender.now(),
        scope: command.scope,
        parked: command.parked,
        actor: command.actor.clone(),
        sender: sender.context.instance.clone(),
        what,
    };
    store(sender, command, &released, last).await?;
    tracing::info!(event.id = %parked.event, result = name(&released.what), "parked event released");
    Ok(released)
}

/// Sequence of the scope's last release, while the event is still parked.
async fn open(sender: &Sender, command: &QuarantineCommand) -> Result<u64, Refusal> {
    let (releases, last) = sender.streams.releases(command.scope).await?;
    if releases.iter().any(|one| one.parked == command.parked && one.what.is_final()) {
        return Err(Refusal::Denied("released", "the event is no longer in quarantine"));
    }
    if releases.len() >= RELEASES_MAX {
        let detail = "too many events were released within the last seven days: replay instead";
        return Err(Refusal::Denied("too_many", detail));
    }
    Ok(last)
}

/// What was sent is stored whatever others have done meanwhile.
async fn store(
    sender: &Sender,
    command: &QuarantineCommand,
    released: &Released,
    mut last: u64,
) -> Result<(), Refusal> {
    for _ in 0..STORE_TRIES {
        match sender.streams.append_released(released, last).await {
            Ok(_) => return Ok(()),
            Err(AppendError::Conflict) => {
                last = match &released.what {
                    Release::Resent(_) => sender.streams.releases(command.scope).await?.1,
                    Release::Discarded { .. } => open(sender, command).await?,
                };
            }
            Err(error) => return Err(Refusal::Unavailable(error.to_string())),
        }
    }
    Err(Refusal::Unavailable("too many others release events of the same log".to_owned()))
}

async fn resend(
    sender: &Sender,
    command: &QuarantineCommand,
    parked: &Parked,
) -> Result<Resent, Refusal> {
    let config = sender.configured.read(&command.scope.org()).await?.state;
    let bound = config.enabled_destination(command.scope);
    let destination = bound.map(|(_, destination)| destination);
    let destination = destination
        .ok_or(Refusal::Denied("no_webhook", "the webhook is disabled or has no destination"))?;
    let event = find(sender, parked).await?;
    let place = Place { epoch: parked.position.epoch, number: parked.position.number };
    let mark = (QUARANTINE, HeaderValue::from(command.parked));
    let (scope, place) = (command.scope, Some(place));
    Ok(send(sender, &Single { scope, destination, event: &event, place, mark }).await)
}

/// The event itself, while it is kept and can be read.
async fn find(sender: &Sender, parked: &Parked) -> Result<AuditEvent, Refusal> {
    let expired = || Refusal::Denied("expired", "the event has expired");
    let record = sender.streams.record_of(parked.scope, parked.position).await?;
    let decoded = record.ok_or_else(expired)?.decode();
    let decoded =
        decoded.map_err(|_| Refusal::Denied("unreadable", "the stored event cannot be read"))?;
    decoded.events.into_iter().find(|event| event.id == parked.event).ok_or_else(expired)
}

async fn send(sender: &Sender, single: &Single<'_>) -> Resent {
    let begun = Instant::now();
    let (delivered, status, message) = match single.outgoing(sender, sender.now()) {
        Err(error) => (false, None, format!("{error:#}")),
        Ok(outgoing) => match sender.transport.post(outgoing).await {
            Outcome::Failed { message, .. } => (false, None, message),
            Outcome::Answered { status, message, .. } => {
                ((200..=299).contains(&status), Some(status), message)
            }
        },
    };
    Resent {
        destination: single.destination.id,
        delivered,
        status,
        message,
        duration: begun.elapsed(),
        trace_id: trace_id().unwrap_or_default(),
    }
}
