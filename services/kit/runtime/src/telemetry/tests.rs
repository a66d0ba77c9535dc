use opentelemetry::trace::TracerProvider;
use tracing_subscriber::layer::SubscriberExt;

use super::*;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn with_tracer(test: impl FnOnce()) {
    let (provider, _) = provider::provider("test", "one");
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), test);
}

#[test]
fn spans_have_w3c_ids_without_an_exporter() {
    with_tracer(|| {
        assert_eq!(traceparent(), None);
        tracing::info_span!("outer").in_scope(|| {
            let outer = trace_id().unwrap();
            assert_eq!(outer.len(), 32);
            tracing::info_span!("inner").in_scope(|| assert_eq!(trace_id().unwrap(), outer));
            let text = traceparent().unwrap();
            assert!(text.starts_with(&format!("00-{outer}-")) && text.ends_with("-00"), "{text}");
        });
    });
}

#[test]
fn a_trace_is_continued_with_its_flag() {
    with_tracer(|| {
        let span = tracing::info_span!("request");
        continue_trace(&span, PARENT);
        let text = span.in_scope(|| traceparent().unwrap());
        assert!(text.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"), "{text}");
        assert!(text.ends_with("-01") && text != PARENT, "{text}");
    });
}

#[test]
fn text_that_names_no_span_is_ignored() {
    with_tracer(|| {
        for text in ["", "00", "ff-4bf9-00f0-01", "00-0-0-0", "\u{1f600}"] {
            let span = tracing::info_span!("request");
            continue_trace(&span, text);
            link(&span, text);
            assert!(span.in_scope(trace_id).is_some());
        }
    });
}

#[test]
fn nothing_is_known_without_a_tracer() {
    tracing::subscriber::with_default(tracing_subscriber::registry(), || {
        tracing::info_span!("request").in_scope(|| assert_eq!(traceparent(), None));
    });
}

#[test]
fn log_formats_are_two() {
    assert_eq!("json".parse(), Ok(LogFormat::Json));
    assert_eq!("pretty".parse(), Ok(LogFormat::Pretty));
    assert_eq!("xml".parse::<LogFormat>(), Err(()));
}
