//! What becomes of spans and log lines, counted for the whole process: they are made before
//! anybody knows which registry will show them.

use std::sync::LazyLock;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use crate::metrics::Metrics;

type ByOutcome = Family<[(&'static str, &'static str); 1], Counter>;

static SPANS: LazyLock<ByOutcome> = LazyLock::new(Family::default);
static LINES: LazyLock<ByOutcome> = LazyLock::new(Family::default);

/// Shows the counts.
pub(crate) fn register(metrics: &Metrics) {
    let help = "Sampled spans: ended, then exported or failed; the rest is queued or was dropped";
    metrics.register("telemetry_spans", help, SPANS.clone());
    let help = "Log lines written, or dropped because nobody reads them quickly enough";
    metrics.register("log_lines", help, LINES.clone());
}

pub(super) fn spans(outcome: &'static str, count: usize) {
    SPANS.get_or_create(&[("outcome", outcome)]).inc_by(count as u64);
}

pub(super) fn line(outcome: &'static str) {
    LINES.get_or_create(&[("outcome", outcome)]).inc();
}
