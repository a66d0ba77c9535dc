//! How long requests take, counted for the whole process.

use std::sync::LazyLock;
use std::time::Duration;

use http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;

use crate::metrics::{self, TracedHistogram};

/// The bounds that OpenTelemetry recommends for HTTP, in seconds.
const BUCKETS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// One histogram per label set.
pub(crate) type RequestDuration = Family<Labels, TracedHistogram, fn() -> TracedHistogram>;

/// Every label has few values: routes are templates, methods the known ones.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Labels {
    service: &'static str,
    method: &'static str,
    route: String,
    status: u16,
}

/// The histogram that every layer observes and every registry shows.
pub(crate) fn request_duration() -> &'static RequestDuration {
    // One per process: a layer is made before anybody knows which registry will show it.
    static DURATION: LazyLock<RequestDuration> = LazyLock::new(|| {
        Family::new_with_constructor(|| TracedHistogram::new(BUCKETS.into_iter()))
    });
    &DURATION
}

/// Counts one answered request, inside its span.
pub(super) fn observe(
    service: &'static str,
    method: &'static str,
    route: &str,
    status: StatusCode,
    took: Duration,
) {
    let labels = Labels { service, method, route: route.to_owned(), status: status.as_u16() };
    metrics::observe(&request_duration().get_or_create(&labels), took.as_secs_f64());
}

/// The method, with everything invented by clients under one name.
pub(super) fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "_OTHER",
    }
}
