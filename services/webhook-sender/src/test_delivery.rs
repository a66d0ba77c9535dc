//! Test deliveries: one made-up event to a destination, on a connection of its own. No lane is
//! touched by it and no fact is stored.

use auditrelay_model::Timestamp;
use auditrelay_model::event::{AuditEvent, Authorization, Detail};
use auditrelay_model::id::EventId;
use auditrelay_model::test_delivery::{Seen, TestDelivery, TestFailure, TestPhase, TestReport};
use auditrelay_runtime::ids;
use auditrelay_runtime::telemetry::{continue_trace, trace_id};
use auditrelay_streams::TestReply;
use http::HeaderValue;
use tokio::time::Instant;
use tracing::Instrument;

use crate::commands::Answered;
use crate::headers::{AGENT, TEST};
use crate::sender::Sender;
use crate::single::Single;

impl Answered for TestDelivery {
    const NAME: &'static str = "test delivery";

    fn busy(sender: &Sender) -> TestReply {
        sender.telemetry.tested("busy");
        TestReply::Unavailable("too many tests at once".to_owned())
    }

    async fn answer(&self, sender: &Sender) -> TestReply {
        let span = tracing::info_span!(
            "webhook.test", otel.kind = "client", scope = %self.scope, actor = self.actor,
            destination.id = %self.destination.id
        );
        if let Some(traceparent) = &self.traceparent {
            continue_trace(&span, traceparent);
        }
        TestReply::Report(Box::new(report(sender, self).instrument(span).await))
    }
}

async fn report(sender: &Sender, command: &TestDelivery) -> TestReport {
    let report = test(sender, command).await;
    let seen = &report.seen;
    let result = seen.failure.as_ref().map_or("delivered", |failure| failure.phase.name());
    sender.telemetry.tested(result);
    tracing::info!(
        result,
        http.response.status_code = seen.answer.as_ref().map(|answer| answer.status),
        "test delivery made"
    );
    report
}

async fn test(sender: &Sender, command: &TestDelivery) -> TestReport {
    let (at, begun) = (sender.now(), Instant::now());
    let event = made_up(sender, command, at);
    let single = Single {
        scope: command.scope,
        destination: &command.destination,
        event: &event,
        place: None,
        mark: (TEST, HeaderValue::from_static("true")),
    };
    let seen = match single.outgoing(sender, at) {
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
        principal_id: command.actor.clone(),
        user_agent: AGENT.to_owned(),
        trace_id: trace_id().unwrap_or_else(|| sender.context.instance.clone()),
        platform_initiated: true,
        ..AuditEvent::new(
            EventId::from_uuid(ids::uuid_v7()),
            at,
            Detail::Authorization(Authorization {
                service: "auditrelay".to_owned(),
                resource: "webhook".to_owned(),
                action: "test".to_owned(),
                granted: true,
            }),
        )
    }
}
