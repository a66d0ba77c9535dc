//! Test deliveries: one made-up event to a destination, on a connection of its own. No lane is
//! touched by it and no fact is stored.

use std::sync::Arc;
use std::time::Duration;

use auditrelay_format::{render, seal_line};
use auditrelay_model::Timestamp;
use auditrelay_model::event::{AuditEvent, Authorization, Detail};
use auditrelay_model::id::EventId;
use auditrelay_model::test_delivery::{Seen, TestDelivery, TestFailure, TestPhase, TestReport};
use auditrelay_runtime::ids;
use auditrelay_runtime::telemetry::{continue_trace, trace_id};
use auditrelay_streams::{Commands, Incoming, TestReply};
use http::HeaderValue;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tracing::Instrument;

use crate::gzip::gzip;
use crate::headers::{AGENT, Stamp, TEST, headers, unix_seconds};
use crate::sender::Sender;
use crate::transport::Outgoing;

/// Tests that are made at the same time; whoever comes then is told to come back.
const AT_ONCE: usize = 32;
/// Who asks waits a little longer than this, whatever deliveries may take.
const DEADLINE_MAX: Duration = Duration::from_secs(15);
/// How soon to listen again after the subscription ended.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Answers wishes for test deliveries until the soft stop; those at hand are finished.
pub(crate) async fn serve(sender: Arc<Sender>) {
    let soft = sender.context.drain.soft.clone();
    let room = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let listened = tokio::select! {
            () = soft.cancelled() => return,
            listened = sender.streams.listen::<TestDelivery>() => listened,
        };
        match listened {
            Ok(commands) => serve_from(&sender, commands, &room).await,
            Err(error) => tracing::warn!(%error, "test deliveries can not be listened to"),
        }
        tokio::select! {
            () = soft.cancelled() => return,
            () = tokio::time::sleep(AGAIN_AFTER) => {}
        }
    }
}

async fn serve_from(
    sender: &Arc<Sender>,
    mut commands: Commands<TestDelivery>,
    room: &Arc<Semaphore>,
) {
    let drain = &sender.context.drain;
    loop {
        // Both arms only wait, so that a dropped one loses nothing.
        let incoming = tokio::select! {
            () = drain.soft.cancelled() => return,
            incoming = commands.next() => incoming,
        };
        let Some(incoming) = incoming else { return };
        let Ok(place) = Arc::clone(room).try_acquire_owned() else {
            sender.telemetry.tested("busy");
            incoming.reply(&TestReply::Unavailable("too many tests at once".to_owned())).await;
            continue;
        };
        let sender = Arc::clone(sender);
        drain.spawn("test delivery", async move {
            answer(&sender, incoming).await;
            drop(place);
        });
    }
}

async fn answer(sender: &Sender, incoming: Incoming<TestDelivery>) {
    let command = &incoming.command;
    let span = tracing::info_span!(
        "webhook.test", otel.kind = "client", scope = %command.scope, actor = command.actor,
        destination.id = %command.destination.id
    );
    if let Some(traceparent) = &command.traceparent {
        continue_trace(&span, traceparent);
    }
    let report = async {
        let report = test(sender, command).await;
        let seen = &report.seen;
        let failed = seen.failure.as_ref();
        let phase = failed.map_or("none", |failure| failure.phase.name());
        sender.telemetry.tested(failed.map_or("delivered", |failure| failure.phase.name()));
        tracing::info!(
            failed_at = phase,
            http.response.status_code = seen.answer.as_ref().map(|answer| answer.status),
            "test delivery made"
        );
        report
    };
    let reply = TestReply::Report(Box::new(report.instrument(span).await));
    incoming.reply(&reply).await;
}

async fn test(sender: &Sender, command: &TestDelivery) -> TestReport {
    let (at, begun) = (sender.now(), Instant::now());
    let event = made_up(sender, command, at);
    let seen = match letter(sender, command, &event, at).await {
        Ok(outgoing) => sender.transport.probe(outgoing).await,
        Err(error) => {
            let (phase, reason) = (TestPhase::Endpoint, format!("{error:#}"));
            Seen { failure: Some(TestFailure { phase, reason }), ..Seen::default() }
        }
    };
    TestReport {
        at,
        event: event.id,
        duration: begun.elapsed(),
        seen,
        trace_id: trace_id().unwrap_or_default(),
    }
}

/// An event that a reader of the SIEM takes for what it is.
fn made_up(sender: &Sender, command: &TestDelivery, at: Timestamp) -> AuditEvent {
    AuditEvent {
        id: EventId::from_uuid(ids::uuid_v7()),
        ts: at,
        principal_id: command.actor.clone(),
        principal_name: String::new(),
        actor_id: String::new(),
        client_ip: None,
        uri: String::new(),
        user_agent: AGENT.to_owned(),
        trace_id: trace_id().unwrap_or_else(|| sender.context.instance.clone()),
        platform_initiated: true,
        traceparent: String::new(),
        detail: Detail::Authorization(Authorization {
            service: "auditrelay".to_owned(),
            resource: "webhook".to_owned(),
            action: "test".to_owned(),
            granted: true,
        }),
    }
}

/// The request as a delivery of this one event would be, marked as a test.
async fn letter(
    sender: &Sender,
    command: &TestDelivery,
    event: &AuditEvent,
    at: Timestamp,
) -> anyhow::Result<Outgoing> {
    let (destination, key) = (&command.destination, sender.keys.signing.current());
    let format = destination.log_format;
    let line = render(event, command.scope, format, &sender.config.vendor);
    let signature = key.sign(line.as_bytes());
    let body = seal_line(line, format, &signature);
    let message_id = format!("msg_{}", event.id);
    let signature = key.sign_webhook(&message_id, unix_seconds(at), body.as_bytes());
    let stamp = Stamp { message_id: &message_id, at, signature: &signature };
    let mut headers = headers(sender, destination, &stamp)?;
    headers.insert(TEST, HeaderValue::from_static("true"));
    Ok(Outgoing {
        org: command.scope.org(),
        url: destination.endpoint.clone(),
        tls: destination.tls,
        headers,
        body: gzip(body.into()).await,
        deadline: sender.config.request_deadline.min(DEADLINE_MAX),
    })
}
