//! Looks at the broker for as long as a service runs: what operators want to see of it, and
//! whether it still lets the service do its work.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use auditrelay_model::Timestamp;
use auditrelay_runtime::context::Context;
use auditrelay_runtime::metrics::Metrics;
use auditrelay_streams::{Look, Streams};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

/// How often.
const INTERVAL: Duration = Duration::from_secs(5);
/// Clocks that are further apart than this are worth a word. What is accepted and what a replay
/// finds stays right for minutes.
const SKEW_MAX: f64 = 2.0;

/// What is seen of the broker.
#[derive(Debug)]
struct Watch {
    connected: Gauge,
    round_trip: Histogram,
    unanswered: Counter,
    stored_bytes: Gauge,
    stored_bytes_max: Gauge,
    clock_ahead: Gauge<f64, AtomicU64>,
    lag: Family<[(&'static str, &'static str); 1], Gauge>,
}

/// Looks until the soft stop.
pub(crate) fn watch(streams: Streams, context: &Context) {
    let watch = Watch::new(&context.metrics);
    let (readiness, clock) = (context.readiness.clone(), Arc::clone(&context.clock));
    let stop = context.drain.soft.clone();
    context.drain.spawn("broker watch", async move {
        loop {
            watch.connected.set(i64::from(streams.is_connected()));
            // A broker that is away must not hold up the end.
            let before = clock.now();
            let look = tokio::select! {
                () = stop.cancelled() => return,
                look = streams.look() => look,
            };
            match look {
                Ok(look) => watch.saw(&look, before, clock.now()),
                Err(error) => {
                    watch.unanswered.inc();
                    tracing::debug!(%error, "the broker could not be looked at");
                }
            }
            let refused = streams.refused();
            let refused = refused.map(|what| format!("the broker refuses what is needed: {what}"));
            readiness.set("nats", refused.map_or(Ok(()), Err));
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(INTERVAL) => {}
            }
        }
    });
}

impl Watch {
    fn new(metrics: &Metrics) -> Self {
        let watch = Self {
            connected: Gauge::default(),
            round_trip: Histogram::new(exponential_buckets(0.000_25, 2.0, 15)),
            unanswered: Counter::default(),
            stored_bytes: Gauge::default(),
            stored_bytes_max: Gauge::default(),
            clock_ahead: Gauge::default(),
            lag: Family::default(),
        };
        let add = metrics;
        let help = "Whether there is a connection to the broker";
        add.register("broker_connected", help, watch.connected.clone());
        let help = "Time from a question to the broker to its answer";
        add.register("broker_round_trip_seconds", help, watch.round_trip.clone());
        let help = "Questions to the broker that were not answered in time";
        add.register("broker_unanswered", help, watch.unanswered.clone());
        let help = "Bytes that all streams take at the broker";
        add.register("broker_stored_bytes", help, watch.stored_bytes.clone());
        let help = "Bytes that the broker lets the account store, -1 for no limit";
        add.register("broker_stored_bytes_max", help, watch.stored_bytes_max.clone());
        let help = "Seconds that this machine's clock is ahead of the broker's";
        add.register("broker_clock_ahead_seconds", help, watch.clock_ahead.clone());
        let help = "Messages of a stream that this process has not applied yet";
        add.register("projection_lag_messages", help, watch.lag.clone());
        watch
    }

    fn saw(&self, look: &Look, before: Timestamp, after: Timestamp) {
        if let Some(there) = look.time {
            self.saw_clock(ahead(there, before, after));
        }
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.round_trip.observe(look.round_trip.as_secs_f64());
        self.stored_bytes.set(number(look.stored_bytes));
        self.stored_bytes_max.set(look.stored_bytes_max.map_or(-1, number));
        for followed in &look.followed {
            let label = [("stream", followed.stream.as_str())];
            self.lag.get_or_create(&label).set(number(followed.lag));
        }
    }

    fn saw_clock(&self, ahead: f64) {
        let was_apart = self.clock_ahead.set(ahead).abs() > SKEW_MAX;
        if ahead.abs() > SKEW_MAX && !was_apart {
            tracing::warn!(
                ahead_seconds = ahead,
                "the clocks of this machine and of the broker are apart"
            );
        }
    }
}

/// How far our clock is ahead of the broker's at least, which was read between two looks at ours.
fn ahead(there: Timestamp, before: Timestamp, after: Timestamp) -> f64 {
    before.since(there).as_secs_f64() - there.since(after).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_apart_by_what_the_time_of_the_question_does_not_explain() {
        let at = |seconds: i64| Timestamp::from_nanos(seconds * 1_000_000_000);
        for (there, apart) in [(10, 0.0), (12, 0.0), (15, 0.0), (7, 3.0), (20, -5.0)] {
            let seen = ahead(at(there), at(10), at(15));
            assert!((seen - apart).abs() < 1e-9, "{there}: {seen}");
        }
    }
}
