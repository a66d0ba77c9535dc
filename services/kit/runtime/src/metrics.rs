//! One registry per process, read as `OpenMetrics` or as the older Prometheus text.

mod plain;
mod process;
mod traced;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry};

use crate::build;
use crate::http::request_duration;
use crate::telemetry::counts;

pub use self::traced::{TracedHistogram, observe};

const PREFIX: &str = "auditrelay";

/// How metrics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposition {
    /// `OpenMetrics` 1.0, with exemplars.
    OpenMetrics,
    /// Prometheus text 0.0.4, for everything that reads metrics.
    Plain,
}

impl Exposition {
    /// What a scraper that sends this `Accept` understands best.
    pub fn accepted(accept: Option<&str>) -> Self {
        let asks = |accept: &str| accept.contains("application/openmetrics-text");
        if accept.is_some_and(asks) { Self::OpenMetrics } else { Self::Plain }
    }

    /// The content type of what [`Metrics::expose`] writes.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Plain => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// The metrics of this process, all under the prefix `auditrelay_`; clones share them.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Mutex<Registered>>);

#[derive(Debug)]
struct Registered {
    ours: Registry,
    /// Under the names that every process has.
    process: Registry,
    described: BTreeMap<String, Described>,
}

#[derive(Debug)]
struct Described {
    kind: MetricType,
    help: String,
}

impl Metrics {
    /// Registers `metric` as `auditrelay_<name>`; the caller keeps a clone to count with.
    ///
    /// Counters get `_total` when they are written, whether or not `name` ends with it. A name
    /// that is taken already keeps its first metric, and the log says so.
    pub fn register<M: Metric>(&self, name: &str, help: &str, metric: M) {
        let kind = metric.metric_type();
        let name = match kind {
            MetricType::Counter => name.strip_suffix("_total").unwrap_or(name),
            MetricType::Gauge | MetricType::Histogram | MetricType::Info | MetricType::Unknown => {
                name
            }
        };
        let help = help.trim_end_matches('.').to_owned();
        let mut registered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if registered.described.contains_key(name) {
            tracing::error!(metric.name = name, "metric is registered twice: the second is lost");
            return;
        }
        registered.ours.register(name, help.as_str(), metric);
        registered.described.insert(name.to_owned(), Described { kind, help });
    }

    /// Every metric as `OpenMetrics` text.
    pub fn encode(&self) -> String {
        self.expose(Exposition::OpenMetrics)
    }

    /// Every metric; those that have no value yet with their name, kind and help.
    pub fn expose(&self, exposition: Exposition) -> String {
        let registered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        if let Err(error) = registered.write(&mut text) {
            tracing::error!(%error, "metrics cannot be written");
            text.clear();
        }
        match exposition {
            // Writing to a text does not fail.
            Exposition::OpenMetrics => {
                encode_eof(&mut text).map_or_else(|_| String::new(), |()| text)
            }
            Exposition::Plain => plain::from_open_metrics(&text),
        }
    }
}

impl Registered {
    fn write(&self, text: &mut String) -> std::fmt::Result {
        encode_registry(text, &self.ours)?;
        for (name, Described { kind, help }) in &self.described {
            let descriptor = format!("# TYPE {PREFIX}_{name} {}\n", kind.as_str());
            if !text.contains(&descriptor) {
                write!(text, "# HELP {PREFIX}_{name} {help}.\n{descriptor}")?;
            }
        }
        encode_registry(text, &self.process)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut process = Registry::default();
        process.register_collector(Box::new(process::Process));
        let described = BTreeMap::new();
        let ours = Registry::with_prefix(PREFIX);
        let metrics = Self(Arc::new(Mutex::new(Registered { ours, process, described })));
        let version = Info::new([("version", build::VERSION), ("revision", build::REVISION)]);
        metrics.register("build", "The version that runs", version);
        metrics.register(
            "http_server_request_duration_seconds",
            "Time from a request's head to its answer's head",
            request_duration().clone(),
        );
        process::register(&metrics);
        counts::register(&metrics);
        metrics
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::metrics::family::Family;

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
        assert!(text.contains("process_resident_memory_bytes "), "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
    }

    #[test]
    fn a_name_is_written_once() {
        let metrics = Metrics::default();
        let first: Counter = Counter::default();
        first.inc();
        metrics.register("twice", "First", first);
        metrics.register("twice_total", "Second", Counter::<u64>::default());
        let text = metrics.encode();
        assert_eq!(text.matches("TYPE auditrelay_twice").count(), 1);
    }

    #[test]
    fn what_has_no_value_yet_is_described() {
        let metrics = Metrics::default();
        metrics.register("quiet", "Nothing yet", Family::<[(&str, String); 1], Counter>::default());
        let text = metrics.expose(Exposition::Plain);
        assert!(text.contains("# HELP auditrelay_quiet_total Nothing yet.\n"), "{text}");
    }

    #[test]
    fn a_scraper_gets_what_it_understands() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;q=0.5";
        assert_eq!(Exposition::accepted(Some(prometheus)), Exposition::OpenMetrics);
        for accept in [None, Some("*/*"), Some("text/plain;version=0.0.4")] {
            assert_eq!(Exposition::accepted(accept), Exposition::Plain);
        }
    }
}
