//! The tracer, with an exporter only where one is asked for.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchSpanProcessor, Sampler, SdkTracerProvider, Span, SpanData, SpanProcessor,
};

use super::counts;
use super::exporter::exporter;
use crate::build;

const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];

/// What the environment says about the export of traces.
#[derive(Debug, PartialEq, Eq)]
enum Wish {
    Nothing,
    Otlp,
    /// Something that is not done here, and why.
    Impossible(String),
}

/// The tracer, and why it does not export although it was asked to.
pub(super) fn provider(service: &str, instance: &str) -> (SdkTracerProvider, Option<String>) {
    let silent = || SdkTracerProvider::builder().with_sampler(ids_only()).build();
    match wish(|name| std::env::var(name).ok()) {
        Wish::Nothing => return (silent(), None),
        Wish::Impossible(why) => return (silent(), Some(why)),
        Wish::Otlp => {}
    }
    match exporter(|name| std::env::var(name).ok()) {
        Ok(exporter) => {
            let batches = BatchSpanProcessor::builder(Counted(exporter)).build();
            let provider = SdkTracerProvider::builder()
                .with_resource(resource(service, instance))
                .with_span_processor(Ended)
                .with_span_processor(batches)
                .build();
            (provider, None)
        }
        Err(why) => (silent(), Some(why)),
    }
}

/// Ids for every span, work for none, unless the caller samples and so expects the flag onwards.
fn ids_only() -> Sampler {
    Sampler::ParentBased(Box::new(Sampler::AlwaysOff))
}

/// The SDK reads neither `OTEL_SDK_DISABLED` nor `OTEL_TRACES_EXPORTER`, and would export to
/// localhost without an endpoint.
fn wish(variable: impl Fn(&str) -> Option<String>) -> Wish {
    let text = |name: &str| {
        variable(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    if text("OTEL_SDK_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true")) {
        return Wish::Nothing;
    }
    let exporter = text("OTEL_TRACES_EXPORTER").map(|text| text.to_ascii_lowercase());
    match exporter.as_deref() {
        Some("otlp") => Wish::Otlp,
        None if ENDPOINTS.into_iter().any(|name| text(name).is_some()) => Wish::Otlp,
        Some("none") | None => Wish::Nothing,
        Some(_) => Wish::Impossible("OTEL_TRACES_EXPORTER must be otlp or none".to_owned()),
    }
}

fn resource(service: &str, instance: &str) -> Resource {
    // What is in OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME was said by somebody; the builder
    // has read it already, and what is set here would win over it.
    let said = Resource::builder().build();
    let name = format!("auditrelay-{service}");
    let defaults = [
        ("service.namespace", "auditrelay"),
        ("service.version", build::VERSION),
        ("service.instance.id", instance),
    ];
    let missing = defaults
        .into_iter()
        .filter(|(key, _)| said.get(&(*key).into()).is_none())
        .map(|(key, value)| KeyValue::new(key, value.to_owned()));
    let builder = Resource::builder().with_attributes(missing);
    let named = said
        .get(&"service.name".into())
        .is_some_and(|name| !name.as_str().starts_with("unknown_service"));
    if named { builder.build() } else { builder.with_service_name(name).build() }
}

/// Counts what is handed to the exporter's queue.
#[derive(Debug)]
struct Ended;

impl SpanProcessor for Ended {
    fn on_start(&self, _: &mut Span, _: &opentelemetry::Context) {}

    fn on_end(&self, _: SpanData) {
        counts::spans("ended", 1);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Counts what came of it.
#[derive(Debug)]
struct Counted(SpanExporter);

impl opentelemetry_sdk::trace::SpanExporter for Counted {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        let exported = self.0.export(batch).await;
        counts::spans(if exported.is_ok() { "exported" } else { "failed" }, count);
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_exported_only_when_somebody_asks() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
        let traces = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector:4318/v1/traces");
        let cases: [(&[(&str, &str)], bool); 8] = [
            (&[], false),
            (&[endpoint], true),
            (&[traces], true),
            (&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")], false),
            (&[endpoint, ("OTEL_SDK_DISABLED", "TRUE")], false),
            (&[endpoint, ("OTEL_TRACES_EXPORTER", "none")], false),
            (&[("OTEL_TRACES_EXPORTER", "otlp")], true),
            (&[("OTEL_TRACES_EXPORTER", "otlp"), ("OTEL_SDK_DISABLED", "true")], false),
        ];
        for (set, answer) in cases {
            assert_eq!(wish(|name| of(set, name)) == Wish::Otlp, answer, "{set:?}");
        }
        let zipkin = wish(|name| of(&[endpoint, ("OTEL_TRACES_EXPORTER", "zipkin")], name));
        assert!(matches!(zipkin, Wish::Impossible(_)), "{zipkin:?}");
    }

    fn of(set: &[(&str, &str)], name: &str) -> Option<String> {
        set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    }
}
