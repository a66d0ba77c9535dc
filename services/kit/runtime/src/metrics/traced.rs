//! Histograms whose buckets name a trace.

use prometheus_client::metrics::exemplar::HistogramWithExemplars;

use crate::telemetry;

/// A histogram that remembers, for each bucket, a trace that fell into it.
pub type TracedHistogram = HistogramWithExemplars<[(&'static str, String); 1]>;

/// Observes `value`; the current trace becomes the bucket's example if it is one that is kept.
pub fn observe(histogram: &TracedHistogram, value: f64) {
    let exemplar = telemetry::sampled_trace_id().map(|id| [("trace_id", id)]);
    histogram.observe(value, exemplar, None);
}
