//! What of a trace crosses the border to producers and receivers, as `OTEL_PROPAGATORS` says.
//!
//! Inside, between our own services, a trace always goes on.

use std::sync::atomic::{AtomicBool, Ordering};

use tracing::Span;

/// Whether W3C trace context is spoken, which it is unless the environment leaves it out.
static SPOKEN: AtomicBool = AtomicBool::new(true);

/// Makes `span` a child of the caller's span that a request's `traceparent` names.
pub fn continue_request(span: &Span, traceparent: &str) {
    if SPOKEN.load(Ordering::Relaxed) {
        super::continue_trace(span, traceparent);
    }
}

/// The `traceparent` of the current span, where others are to be told.
pub fn traceparent_for_others() -> Option<String> {
    SPOKEN.load(Ordering::Relaxed).then(super::traceparent).flatten()
}

/// Takes the setting; returns what of it is not known here.
pub(super) fn configure(propagators: Option<&str>) -> Option<String> {
    let (spoken, unknown) = understood(propagators.unwrap_or_default());
    SPOKEN.store(spoken, Ordering::Relaxed);
    unknown
}

/// Baggage is nothing that we would have; it is named in the default, and so allowed.
fn understood(propagators: &str) -> (bool, Option<String>) {
    let names: Vec<&str> =
        propagators.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    let spoken = names.is_empty() || names.contains(&"tracecontext");
    let unknown =
        names.into_iter().filter(|name| !["tracecontext", "baggage", "none"].contains(name));
    let unknown: Vec<&str> = unknown.collect();
    (spoken, (!unknown.is_empty()).then(|| unknown.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trace_context_is_spoken_unless_it_is_left_out() {
        let cases = [
            ("", true, None),
            (" tracecontext , baggage", true, None),
            ("none", false, None),
            ("baggage", false, None),
            ("b3", false, Some("b3")),
            ("tracecontext,b3multi,xray", true, Some("b3multi,xray")),
        ];
        for (text, spoken, unknown) in cases {
            assert_eq!(understood(text), (spoken, unknown.map(str::to_owned)), "{text}");
        }
    }
}
