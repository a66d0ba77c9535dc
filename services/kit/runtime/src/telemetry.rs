//! Logs on stderr and trace ids for every span.
//!
//! The tracer is always there, so that every request and record has W3C ids; spans leave the
//! process only when `OTEL_EXPORTER_OTLP_ENDPOINT` or its `_TRACES_` form is set, or
//! `OTEL_TRACES_EXPORTER` says `otlp`. Neither a collector nor a reader of the log can hold the
//! process up: both are served by threads of their own, and what does not fit is dropped.

mod control;
pub(crate) mod counts;
mod exporter;
mod filter;
mod lines;
mod outward;
mod provider;
mod trace;

use std::str::FromStr;
use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt, reload};

pub use control::{LogControl, LogState, runtime_filter};
pub use filter::LogFilter;
use lines::Flush;
pub use outward::{continue_request, traceparent_for_others};
pub use trace::{continue_trace, link, link_message, sampled_trace_id, trace_id, traceparent};

/// How long the last spans may take to leave.
const FLUSH: Duration = Duration::from_secs(5);

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// One JSON object per line.
    #[default]
    Json,
    /// For people.
    Pretty,
}

impl FromStr for LogFormat {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "json" => Ok(Self::Json),
            "pretty" => Ok(Self::Pretty),
            _ => Err(()),
        }
    }
}

/// Telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The log filter cannot be read.
    #[error("log filter {0}")]
    Filter(String),
    /// This process has its telemetry already.
    #[error("telemetry is installed already")]
    AlreadyInstalled,
    /// There is no thread for the log.
    #[error("the log cannot be written")]
    Lines(#[source] std::io::Error),
}

/// Installs logs and tracer for the whole process; keep the guard until its end.
///
/// `filter` is a level (`info`) or a list of directives (`info,auditrelay_ingest=debug`);
/// `instance` is this process among its replicas.
pub fn init(
    service: &str,
    instance: &str,
    format: LogFormat,
    filter: &str,
) -> Result<TelemetryGuard, TelemetryError> {
    let configured: LogFilter = filter.parse().map_err(TelemetryError::Filter)?;
    let filter = EnvFilter::try_new(configured.as_str())
        .map_err(|error| TelemetryError::Filter(error.to_string()))?;
    let (filter, handle) = reload::Layer::new(filter);
    let (provider, trouble) = provider::provider(service, instance);
    let (lines, flush) = lines::start(std::io::stderr()).map_err(TelemetryError::Lines)?;
    let lines = fmt::layer().with_writer(lines);
    let lines = match format {
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
        LogFormat::Pretty => {
            lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).compact().boxed()
        }
    };
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .with(spans(&provider))
        .try_init()
        .map_err(|_| TelemetryError::AlreadyInstalled)?;
    LogControl::install(handle, configured);
    if let Some(unknown) = outward::configure(std::env::var("OTEL_PROPAGATORS").ok().as_deref()) {
        tracing::warn!(unknown, "OTEL_PROPAGATORS may name tracecontext, baggage and none");
    }
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    if let Some(trouble) = trouble {
        tracing::warn!(reason = trouble, "traces are not exported");
    }
    Ok(TelemetryGuard { provider, _flush: flush })
}

/// Only our own spans: those of the exporter's own requests would go round in circles.
fn spans<S>(provider: &SdkTracerProvider) -> impl Layer<S>
where
    S: tracing::Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
{
    // The hint is a promise: a log filter that lets more through must not make the closure break it.
    let ours = filter_fn(|metadata| {
        *metadata.level() <= LevelFilter::INFO && metadata.target().starts_with("auditrelay")
    })
    .with_max_level_hint(LevelFilter::INFO);
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("auditrelay"))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_filter(ours)
}

/// Keeps the tracer; [`Self::shutdown`] sends the last spans.
#[derive(Debug)]
pub struct TelemetryGuard {
    provider: SdkTracerProvider,
    /// Held for its drop.
    _flush: Flush,
}

impl TelemetryGuard {
    /// Sends what is left, for a few seconds at most. A collector that is away is no failure.
    pub async fn shutdown(self) {
        let provider = self.provider.clone();
        // Blocks until the exporter's thread has answered.
        let flushed = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(FLUSH));
        match tokio::time::timeout(FLUSH * 2, flushed).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::debug!(%error, "last spans were not sent"),
            Ok(Err(_)) | Err(_) => tracing::debug!("last spans were not sent in time"),
        }
    }
}

#[cfg(test)]
mod tests;
