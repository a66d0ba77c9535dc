//! The tracer, with an exporter only where one is asked for.

use opentelemetry::KeyValue;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};

const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];

/// The tracer, and why it does not export although it was asked to.
pub(super) fn provider(service: &str) -> (SdkTracerProvider, Option<String>) {
    let builder = SdkTracerProvider::builder();
    if !wanted(|name| std::env::var(name).ok()) {
        return (builder.with_sampler(ids_only()).build(), None);
    }
    // `build` chooses the protocol by OTEL_EXPORTER_OTLP_PROTOCOL; `with_http` would refuse grpc.
    match SpanExporter::builder().build() {
        Ok(exporter) => {
            let builder = builder.with_resource(resource(service)).with_batch_exporter(exporter);
            (builder.build(), None)
        }
        Err(error) => (builder.with_sampler(ids_only()).build(), Some(error.to_string())),
    }
}

/// Ids for every span, work for none, unless the caller samples and so expects the flag onwards.
fn ids_only() -> Sampler {
    Sampler::ParentBased(Box::new(Sampler::AlwaysOff))
}

/// The SDK reads neither `OTEL_SDK_DISABLED` nor `OTEL_TRACES_EXPORTER`, and would export to localhost
/// without an endpoint.
fn wanted(variable: impl Fn(&str) -> Option<String>) -> bool {
    let is = |name: &str, value: &str| {
        variable(name).is_some_and(|set| set.trim().eq_ignore_ascii_case(value))
    };
    let endpoint = ENDPOINTS
        .into_iter()
        .any(|name| variable(name).is_some_and(|value| !value.trim().is_empty()));
    endpoint && !is("OTEL_SDK_DISABLED", "true") && !is("OTEL_TRACES_EXPORTER", "none")
}

fn resource(service: &str) -> Resource {
    let resource = Resource::builder()
        .with_attribute(KeyValue::new("service.namespace", "auditrelay"))
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    // The builder has read OTEL_SERVICE_NAME already; a name set here would win over it.
    if std::env::var_os("OTEL_SERVICE_NAME").is_some() {
        return resource.build();
    }
    resource.with_service_name(service.to_owned()).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_exported_only_when_somebody_asks() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
        let traces = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector:4318/v1/traces");
        let cases: [(&[(&str, &str)], bool); 6] = [
            (&[], false),
            (&[endpoint], true),
            (&[traces], true),
            (&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")], false),
            (&[endpoint, ("OTEL_SDK_DISABLED", "TRUE")], false),
            (&[endpoint, ("OTEL_TRACES_EXPORTER", "none")], false),
        ];
        for (set, answer) in cases {
            let variable = |name: &str| {
                set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(wanted(variable), answer, "{set:?}");
        }
    }
}
