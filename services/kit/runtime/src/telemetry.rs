//! Logs on stderr and trace ids for every span.
//!
//! The tracer is always there, so that every request and record has W3C ids; spans leave the
//! process only when `OTEL_EXPORTER_OTLP_ENDPOINT` or its `_TRACES_` form is set.

mod filter;
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
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

pub use filter::LogFilter;
pub use trace::{continue_trace, link, trace_id, traceparent};

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
}

/// Installs logs and tracer for the whole process; keep the guard until its end.
///
/// `filter` is a level (`info`) or a list of directives (`info,auditrelay_ingest=debug`).
pub fn init(
    service: &str,
    format: LogFormat,
    filter: &str,
) -> Result<TelemetryGuard, TelemetryError> {
    let filter: LogFilter = filter.parse().map_err(TelemetryError::Filter)?;
    let filter = EnvFilter::try_new(filter.as_str())
        .map_err(|error| TelemetryError::Filter(error.to_string()))?;
    let (provider, trouble) = provider::provider(service);
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match format {
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
        LogFormat::Pretty => {
            lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).compact().boxed()
        }
    };
    // Only our own spans: those of the exporter's own requests would go round in circles.
    let ours = filter_fn(|metadata| metadata.target().starts_with("auditrelay"))
        .with_max_level_hint(LevelFilter::INFO);
    let spans = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("auditrelay"))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_filter(ours);
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .with(spans)
        .try_init()
        .map_err(|_| TelemetryError::AlreadyInstalled)?;
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    if let Some(trouble) = trouble {
        tracing::warn!(reason = trouble, "traces are not exported");
    }
    Ok(TelemetryGuard { provider })
}

/// Keeps the tracer; [`Self::shutdown`] sends the last spans.
#[derive(Debug)]
pub struct TelemetryGuard {
    provider: SdkTracerProvider,
}

impl TelemetryGuard {
    /// Sends what is left, for a few seconds at most. A collector that is away is no failure.
    pub async fn shutdown(self) {
        // Blocks until the exporter's thread has answered.
        let flushed =
            tokio::task::spawn_blocking(move || self.provider.shutdown_with_timeout(FLUSH));
        match tokio::time::timeout(FLUSH * 2, flushed).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::debug!(%error, "last spans were not sent"),
            Ok(Err(_)) | Err(_) => tracing::debug!("last spans were not sent in time"),
        }
    }
}

#[cfg(test)]
mod tests;
