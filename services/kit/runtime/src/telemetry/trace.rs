//! W3C trace context in and out of spans.

use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The `traceparent` of the current span.
pub fn traceparent() -> Option<String> {
    let context = current()?;
    let (trace, span) = (context.trace_id(), context.span_id());
    Some(format!("00-{trace}-{span}-{:02x}", context.trace_flags()))
}

/// The trace id of the current span, 32 hexadecimal digits.
pub fn trace_id() -> Option<String> {
    current().map(|context| context.trace_id().to_string())
}

/// The trace id of the current span, if the trace is one that is kept.
pub fn sampled_trace_id() -> Option<String> {
    let context = current()?;
    context.is_sampled().then(|| context.trace_id().to_string())
}

/// Makes `span` a child of the span that `traceparent` names; call it before the span is entered.
/// Text that names none is ignored.
pub fn continue_trace(span: &Span, traceparent: &str) {
    if let Some(context) = parse(traceparent) {
        // Fails only where no tracer is installed or the span is filtered out.
        let _ = span.set_parent(Context::new().with_remote_span_context(context));
    }
}

/// Links `span` to the span that `traceparent` names; text that names none is ignored.
pub fn link(span: &Span, traceparent: &str) {
    if let Some(context) = parse(traceparent) {
        span.add_link(context);
    }
}

/// Links `span` to the span that `traceparent` names as to that of the message `id`; text that
/// names none is ignored.
pub fn link_message(span: &Span, traceparent: &str, id: String) {
    if let Some(context) = parse(traceparent) {
        span.add_link_with_attributes(context, vec![KeyValue::new("messaging.message.id", id)]);
    }
}

fn current() -> Option<SpanContext> {
    let context = Span::current().context().span().span_context().clone();
    context.is_valid().then_some(context)
}

fn parse(traceparent: &str) -> Option<SpanContext> {
    let carrier = Carrier(traceparent);
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier);
    let context = context.span().span_context().clone();
    context.is_valid().then_some(context)
}

struct Carrier<'a>(&'a str);

impl Extractor for Carrier<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == "traceparent").then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent"]
    }
}
