//! The spans of one attempt: the batch, its writing, its request.
//!
//! A batch is linked to the traces that its events came in with, never a child of one of them: it
//! belongs to all. A single live event's first attempt is the exception, and goes on in the trace
//! of its event; a replay never does, because that trace may have ended days ago.

use std::collections::BTreeSet;

use auditrelay_model::delivery::Lane;
use auditrelay_runtime::telemetry::{continue_trace, link_message};
use auditrelay_webhook_sender_core::outcome::Outcome;
use tracing::{Span, field};
use url::Url;

use super::Parcel;
use crate::telemetry::outcome_name;

/// Most events whose traces a batch's span is linked to; the tracer keeps no more.
const LINKS_MAX: usize = 128;

/// Everything that is done with a batch in one attempt.
pub(super) fn process_span(parcel: &Parcel) -> Span {
    let batch = &parcel.request.batch;
    let span = tracing::info_span!(
        "process",
        otel.name = "process audit.events",
        otel.kind = "consumer",
        messaging.system = "nats",
        messaging.operation.name = "process",
        messaging.operation.type = "process",
        messaging.destination.name = "audit.events",
        messaging.batch.message_count = batch.events,
        nats.stream = "EVENTS",
        scope = %parcel.scope,
        batch.id = %batch.id,
        auditrelay.replay.job_id = field::Empty,
    );
    let job = match parcel.lane {
        Lane::Live => None,
        Lane::Replay(job) => Some(job),
    };
    if let Some(job) = job {
        span.record("auditrelay.replay.job_id", field::display(job));
    }
    let mut known = BTreeSet::new();
    let traced = batch
        .iter()
        .filter(|event| !event.traceparent.is_empty() && known.insert(&event.traceparent))
        .take(LINKS_MAX);
    for event in traced {
        if batch.events == 1 && job.is_none() {
            continue_trace(&span, &event.traceparent);
        }
        link_message(&span, &event.traceparent, event.id.to_string());
    }
    span
}

/// The request to the receiver.
pub(super) fn request_span(parcel: &Parcel) -> Span {
    let url = Url::parse(&parcel.destination.endpoint).ok();
    let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
    let span = tracing::info_span!(
        "POST",
        otel.kind = "client",
        otel.status_code = field::Empty,
        http.request.method = "POST",
        server.address = host,
        server.port = url.as_ref().and_then(Url::port_or_known_default),
        url.full = url.as_ref().map(without_secrets),
        http.request.resend_count = field::Empty,
        events = parcel.request.batch.events,
        http.response.status_code = field::Empty,
        error.type = field::Empty,
    );
    if parcel.request.attempt > 1 {
        span.record("http.request.resend_count", parcel.request.attempt - 1);
    }
    span
}

/// What came of the request.
pub(super) fn answered(span: &Span, outcome: &Outcome) {
    let failed = |kind: &str| {
        span.record("otel.status_code", "ERROR");
        span.record("error.type", kind);
    };
    match outcome {
        Outcome::Answered { status, .. } => {
            span.record("http.response.status_code", status);
            if *status >= 400 {
                failed(&status.to_string());
            }
        }
        Outcome::Failed { .. } => failed(outcome_name(outcome)),
    }
}

/// An endpoint's user, password and query may be secrets of the receiver.
fn without_secrets(url: &Url) -> String {
    let mut shown = url.clone();
    shown.set_query(url.query().map(|_| "REDACTED"));
    shown.set_fragment(None);
    if !url.username().is_empty() || url.password().is_some() {
        // Only for addresses that cannot have a user.
        let _ = (shown.set_username("REDACTED"), shown.set_password(None));
    }
    shown.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_shown_without_its_secrets() {
        let url = Url::parse("https://hec:hunter2@siem.example:8088/in?token=t0p#x").unwrap();
        let shown = without_secrets(&url);
        assert_eq!(shown, "https://REDACTED@siem.example:8088/in?REDACTED");
    }
}
