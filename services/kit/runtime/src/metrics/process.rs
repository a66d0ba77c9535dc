//! What the operating system and the async runtime say about this process, asked at each scrape.

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use tokio::runtime::Handle;

use super::Metrics;

/// Ticks of the kernel's accounting per second; the same on every Linux that Rust runs on.
const TICKS: f64 = 100.0;

/// Under the names that every Prometheus client uses. Nothing where there is no `/proc`.
#[derive(Debug)]
pub(super) struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(seen) = Seen::now() else { return Ok(()) };
        let cpu = ConstCounter::new(seen.cpu_seconds);
        let help = "Processor time used";
        let family = encoder.encode_descriptor("process_cpu_seconds", help, None, COUNTER)?;
        cpu.encode(family)?;
        let gauges = [
            ("process_resident_memory_bytes", "Memory in use", seen.resident_bytes),
            ("process_resident_memory_max_bytes", "Most memory ever in use", seen.peak_bytes),
            ("process_open_fds", "Open file descriptors", seen.open_fds),
            ("process_max_fds", "File descriptors that may be open", seen.max_fds),
            ("process_threads", "Threads", seen.threads),
        ];
        for (name, help, value) in gauges {
            let family = encoder.encode_descriptor(name, help, None, GAUGE)?;
            ConstGauge::new(value).encode(family)?;
        }
        Ok(())
    }
}

const COUNTER: prometheus_client::metrics::MetricType =
    prometheus_client::metrics::MetricType::Counter;
const GAUGE: prometheus_client::metrics::MetricType = prometheus_client::metrics::MetricType::Gauge;

struct Seen {
    cpu_seconds: f64,
    resident_bytes: i64,
    peak_bytes: i64,
    open_fds: i64,
    max_fds: i64,
    threads: i64,
}

impl Seen {
    fn now() -> Option<Self> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        let field = |name: &str| number_after(&status, name);
        Some(Self {
            cpu_seconds: f64::from(ticks(&stat)?) / TICKS,
            resident_bytes: field("VmRSS:")?.saturating_mul(1_024),
            peak_bytes: field("VmHWM:")?.saturating_mul(1_024),
            open_fds: fs::read_dir("/proc/self/fd").ok()?.count().try_into().ok()?,
            max_fds: number_after(&limits, "Max open files").unwrap_or(-1),
            threads: field("Threads:")?,
        })
    }
}

fn number_after(text: &str, name: &str) -> Option<i64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Time in user and in system mode: the 14th and 15th field. The second may hold anything, but
/// ends at the last parenthesis.
fn ticks(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11).map(str::parse::<u32>);
    Some(fields.next()?.ok()?.saturating_add(fields.next()?.ok()?))
}

/// What the async runtime says; each is asked for when it is read.
pub(super) fn register(metrics: &Metrics) {
    let add = |name, help, ask| metrics.register(name, help, Asked(ask));
    add("runtime_workers", "Threads that run tasks", |handle| handle.metrics().num_workers());
    add("runtime_tasks", "Tasks that have not ended", |handle| handle.metrics().num_alive_tasks());
    add("runtime_queue_depth", "Tasks that wait for a thread", |handle| {
        handle.metrics().global_queue_depth()
    });
}

/// A gauge that is asked when it is read.
#[derive(Debug)]
struct Asked(fn(&Handle) -> usize);

impl EncodeMetric for Asked {
    fn encode(
        &self,
        encoder: prometheus_client::encoding::MetricEncoder<'_>,
    ) -> Result<(), fmt::Error> {
        let value = Handle::try_current().map_or(0, |handle| (self.0)(&handle));
        ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)).encode(encoder)
    }

    fn metric_type(&self) -> prometheus_client::metrics::MetricType {
        GAUGE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_found_whatever_the_process_is_called() {
        let stat = "7 (a) b (c)) S 1 1 1 0 -1 0 9 9 9 9 250 50 0 0 20 0 4 0 99 9 9";
        assert_eq!(ticks(stat), Some(300));
        assert_eq!(ticks("gone"), None);
    }

    #[test]
    fn a_running_process_has_memory_and_threads() {
        let Some(seen) = Seen::now() else { return };
        assert!(seen.resident_bytes > 0 && seen.peak_bytes >= seen.resident_bytes);
        assert!(seen.threads > 0 && seen.open_fds > 0);
    }
}
