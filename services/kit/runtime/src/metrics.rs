//! One registry per process, read in the `OpenMetrics` text format.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry};

use crate::http::request_duration;

/// The content type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The metrics of this process, all under the prefix `auditrelay_`; clones share them.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Mutex<Registered>>);

#[derive(Debug)]
struct Registered {
    registry: Registry,
    names: BTreeSet<String>,
}

impl Metrics {
    /// Registers `metric` as `auditrelay_<name>`; the caller keeps a clone to count with.
    ///
    /// Counters get `_total` when they are written, whether or not `name` ends with it. A name
    /// that is taken already keeps its first metric, and the log says so.
    pub fn register<M: Metric>(&self, name: &str, help: &str, metric: M) {
        let name = match metric.metric_type() {
            MetricType::Counter => name.strip_suffix("_total").unwrap_or(name),
            MetricType::Gauge | MetricType::Histogram | MetricType::Info | MetricType::Unknown => {
                name
            }
        };
        let mut registered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if registered.names.insert(name.to_owned()) {
            registered.registry.register(name, help.trim_end_matches('.'), metric);
        } else {
            tracing::error!(metric.name = name, "metric is registered twice: the second is lost");
        }
    }

    /// Every metric as `OpenMetrics` text.
    pub fn encode(&self) -> String {
        let registered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        match encode(&mut text, &registered.registry) {
            Ok(()) => text,
            Err(error) => {
                tracing::error!(%error, "metrics cannot be written");
                "# EOF\n".to_owned()
            }
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let registered =
            Registered { registry: Registry::with_prefix("auditrelay"), names: BTreeSet::new() };
        let metrics = Self(Arc::new(Mutex::new(registered)));
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        metrics.register("build", "The version that runs", version);
        metrics.register(
            "http_server_request_duration_seconds",
            "Time from a request's head to its answer's head",
            request_duration().clone(),
        );
        metrics
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;

    use super::*;

    #[test]
    fn metrics_carry_the_prefix_and_counters_one_total() {
        let metrics = Metrics::default();
        let counter: Counter = Counter::default();
        metrics.register("events_total", "Events.", counter.clone());
        counter.inc_by(7);
        let text = metrics.clone().encode();
        assert!(text.contains("# HELP auditrelay_events Events.\n"), "{text}");
        assert!(text.contains("auditrelay_events_total 7\n"), "{text}");
        assert!(text.contains("auditrelay_build_info{version="), "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
    }

    #[test]
    fn a_name_is_written_once() {
        let metrics = Metrics::default();
        let first: Counter = Counter::default();
        first.inc();
        metrics.register("twice", "First", first);
        metrics.register("twice_total", "Second", Counter::<u64>::default());
        assert_eq!(metrics.encode().matches("TYPE auditrelay_twice").count(), 1);
    }
}
