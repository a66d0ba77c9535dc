//! What happened, as logs and numbers.

use std::time::Duration;

use auditrelay_model::Scope;
use auditrelay_model::delivery::{DeliveryFact, Lane};
use auditrelay_runtime::metrics::{self, Metrics, TracedHistogram};
use auditrelay_streams::Undecodable;
use auditrelay_webhook_sender_core::outcome::{FailureKind, Outcome};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

/// The service's numbers; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Telemetry {
    attempts: Family<AttemptLabels, Counter>,
    requests: Family<LaneLabels, TracedHistogram, fn() -> TracedHistogram>,
    written: Family<LaneLabels, TracedHistogram, fn() -> TracedHistogram>,
    batch_events: Family<LaneLabels, Histogram>,
    batch_bytes: Family<LaneLabels, Histogram>,
    delivered: Family<LaneLabels, Counter>,
    set_aside: Family<FateLabels, Counter>,
    lanes: Family<StateLabels, Gauge>,
    lag: Family<LaneLabels, Histogram>,
    shards: Gauge,
    paused: Gauge,
    tests: Family<ResultLabels, Counter>,
    releases: Family<ResultLabels, Counter>,
    lateness: Gauge,
    memory: Gauge,
    unreadable: Counter,
    replays: Family<StateLabels, Gauge>,
}

/// A shard that is paused; it goes on when this is dropped.
#[derive(Debug)]
pub(crate) struct Pause(Gauge);

impl Drop for Pause {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabels {
    outcome: &'static str,
    lane: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LaneLabels {
    lane: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FateLabels {
    fate: &'static str,
}

impl Telemetry {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let telemetry = Self {
            attempts: Family::default(),
            requests: Family::new_with_constructor(|| {
                TracedHistogram::new(REQUEST_SECONDS.into_iter())
            }),
            written: Family::new_with_constructor(|| {
                TracedHistogram::new(exponential_buckets(0.000_25, 2.0, 14))
            }),
            batch_events: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(1.0, 2.0, 14))
            }),
            batch_bytes: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(512.0, 2.0, 16))
            }),
            delivered: Family::default(),
            set_aside: Family::default(),
            lanes: Family::default(),
            lag: Family::new_with_constructor(|| Histogram::new(LAG_SECONDS)),
            shards: Gauge::default(),
            paused: Gauge::default(),
            tests: Family::default(),
            releases: Family::default(),
            lateness: Gauge::default(),
            memory: Gauge::default(),
            unreadable: Counter::default(),
            replays: Family::default(),
        };
        telemetry.register(metrics);
        telemetry
    }

    fn register(&self, metrics: &Metrics) {
        metrics.register("webhook_attempts", "Requests to receivers", self.attempts.clone());
        metrics.register(
            "webhook_request_duration_seconds",
            "Time from the dial to the end of the answer",
            self.requests.clone(),
        );
        metrics.register(
            "webhook_write_duration_seconds",
            "Time to render and sign a batch, with the wait for a processor",
            self.written.clone(),
        );
        metrics.register("webhook_batch_events", "Events of a request", self.batch_events.clone());
        metrics.register(
            "webhook_batch_bytes",
            "Bytes of a request's body before compression",
            self.batch_bytes.clone(),
        );
        metrics.register("webhook_events_delivered", "Events answered 2xx", self.delivered.clone());
        metrics.register(
            "webhook_events_undelivered",
            "Events that expired or were set aside",
            self.set_aside.clone(),
        );
        metrics.register("webhook_lanes", "Lanes by what they are at", self.lanes.clone());
        metrics.register(
            "webhook_lag_seconds",
            "Time from an event's acceptance to its delivery",
            self.lag.clone(),
        );
        metrics.register("webhook_shards", "Shards that this sender holds", self.shards.clone());
        let help = "Shards of this sender whose consumer somebody has paused at the broker";
        metrics.register("webhook_shards_paused", help, self.paused.clone());
        metrics.register(
            "webhook_test_deliveries",
            "Test deliveries by what came of them",
            self.tests.clone(),
        );
        metrics.register(
            "webhook_quarantine_releases",
            "Commands about events in quarantine by what came of them",
            self.releases.clone(),
        );
        metrics.register(
            "webhook_facts_unreadable",
            "Last facts of lanes that could not be read",
            self.unreadable.clone(),
        );
        metrics.register(
            "webhook_oldest_undelivered_seconds",
            "Age of the oldest event that a live lane of this sender has in hand",
            self.lateness.clone(),
        );
        metrics.register(
            "webhook_memory_bytes",
            "Memory of records that wait for delivery, over all lanes",
            self.memory.clone(),
        );
        metrics.register("webhook_replay_jobs", "Replay jobs of this sender", self.replays.clone());
    }

    /// How late live delivery is at its worst.
    pub(crate) fn lateness(&self, lag: Duration) {
        self.lateness.set(i64::try_from(lag.as_secs()).unwrap_or(i64::MAX));
    }

    /// Memory of records that wait, to be counted.
    pub(crate) fn memory(&self) -> Gauge {
        self.memory.clone()
    }

    /// Replay jobs of this sender.
    pub(crate) fn replays(&self, at_work: usize, parked: usize) {
        for (state, count) in [("at_work", at_work), ("parked", parked)] {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            self.replays.get_or_create(&StateLabels { state }).set(count);
        }
    }

    /// A lane's last fact cannot be read.
    pub(crate) fn unreadable(&self, scope: Scope, lane: Lane, fact: u64, error: &Undecodable) {
        self.unreadable.inc();
        let lane = lane.token();
        tracing::error!(%scope, lane, fact, %error, "a lane goes on from an older fact");
    }

    /// A batch was rendered and signed; inside its span.
    pub(crate) fn wrote(&self, lane: Lane, events: usize, bytes: usize, took: Duration) {
        let labels = LaneLabels { lane: lane_name(lane) };
        metrics::observe(&self.written.get_or_create(&labels), took.as_secs_f64());
        let float = |number: u64| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
        self.batch_events.get_or_create(&labels).observe(float(events as u64));
        self.batch_bytes.get_or_create(&labels).observe(float(bytes as u64));
    }

    /// A request was answered or failed; inside its span.
    pub(crate) fn requested(&self, lane: Lane, took: Duration) {
        let labels = LaneLabels { lane: lane_name(lane) };
        metrics::observe(&self.requests.get_or_create(&labels), took.as_secs_f64());
    }

    pub(crate) fn tried(&self, lane: Lane, outcome: &Outcome) {
        let labels = AttemptLabels { outcome: outcome_name(outcome), lane: lane_name(lane) };
        self.attempts.get_or_create(&labels).inc();
    }

    pub(crate) fn delivered(&self, lane: Lane, events: u64, lag: Duration) {
        let labels = LaneLabels { lane: lane_name(lane) };
        self.delivered.get_or_create(&labels).inc_by(events);
        self.lag.get_or_create(&labels).observe(lag.as_secs_f64());
    }

    /// A test delivery was made, or refused because too many were asked for.
    pub(crate) fn tested(&self, result: &'static str) {
        self.tests.get_or_create(&ResultLabels { result }).inc();
    }

    /// A command about a parked event was answered.
    pub(crate) fn released(&self, result: &'static str) {
        self.releases.get_or_create(&ResultLabels { result }).inc();
    }

    pub(crate) fn shards(&self, held: usize) {
        self.shards.set(i64::try_from(held).unwrap_or(i64::MAX));
    }

    /// A shard gets nothing until this is dropped.
    pub(crate) fn paused(&self) -> Pause {
        self.paused.inc();
        Pause(self.paused.clone())
    }

    /// A lane went from one state to another; none is before its beginning or after its end.
    pub(crate) fn moved(&self, from: Option<&'static str>, to: Option<&'static str>) {
        if let Some(state) = from {
            self.lanes.get_or_create(&StateLabels { state }).dec();
        }
        if let Some(state) = to {
            self.lanes.get_or_create(&StateLabels { state }).inc();
        }
    }

    /// Says what operators and customers want to find in the log; single requests are no news.
    pub(crate) fn stored(&self, scope: Scope, lane: Lane, fact: &DeliveryFact) {
        let lane = lane.token();
        match fact {
            DeliveryFact::Attempt(attempt) if attempt.delivered => {
                tracing::debug!(%scope, lane, events = attempt.events, "batch delivered");
            }
            DeliveryFact::Attempt(attempt) => tracing::info!(
                %scope, lane, batch.id = %attempt.batch, attempt = attempt.number,
                http.response.status_code = attempt.status, message = attempt.message,
                "delivery failed"
            ),
            DeliveryFact::FellBehind { cursor, reason } => {
                tracing::info!(%scope, lane, number = cursor.number, reason, "lane fell behind");
            }
            DeliveryFact::CaughtUp => tracing::info!(%scope, lane, "lane caught up"),
            DeliveryFact::Held(hold) => tracing::warn!(
                %scope, lane, reason = hold.reason, customer_must_act = hold.customer_must_act,
                "webhook is inactive"
            ),
            DeliveryFact::Resumed => tracing::info!(%scope, lane, "webhook is active again"),
            DeliveryFact::Yielded => tracing::info!(%scope, lane, "replay makes room"),
            DeliveryFact::WentOn => tracing::info!(%scope, lane, "replay goes on"),
            DeliveryFact::Quarantined(event) => {
                self.set_aside.get_or_create(&FateLabels { fate: "quarantined" }).inc();
                tracing::warn!(
                    %scope, lane, event.id = %event.event, status = event.status,
                    message = event.message, "event set aside"
                );
            }
            DeliveryFact::Passed { events, .. } => tracing::debug!(%scope, lane, events, "passed"),
            DeliveryFact::Expired { to, events, early: true } => {
                self.set_aside.get_or_create(&FateLabels { fate: "lost" }).inc_by(*events);
                tracing::error!(
                    %scope, lane, events, number = to.number,
                    "the broker lost events that were not delivered yet"
                );
            }
            DeliveryFact::Expired { to, events, early: false } => {
                self.set_aside.get_or_create(&FateLabels { fate: "expired" }).inc_by(*events);
                tracing::error!(
                    %scope, lane, events, number = to.number, "events expired undelivered"
                );
            }
            DeliveryFact::Stopped { code, reason } => {
                tracing::info!(%scope, lane, code, reason, "lane stopped");
            }
        }
    }
}

const REQUEST_SECONDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0];
const LAG_SECONDS: [f64; 12] =
    [0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0, 3_600.0, 86_400.0, 604_800.0];

const fn lane_name(lane: Lane) -> &'static str {
    match lane {
        Lane::Live => "live",
        Lane::Replay(_) => "replay",
    }
}

pub(crate) const fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Answered { status: 200..=299, .. } => "2xx",
        Outcome::Answered { status: 300..=399, .. } => "3xx",
        Outcome::Answered { status: 400..=499, .. } => "4xx",
        Outcome::Answered { status: 500..=599, .. } => "5xx",
        Outcome::Answered { .. } => "other",
        Outcome::Failed { kind, .. } => match kind {
            FailureKind::Endpoint => "endpoint",
            FailureKind::Dns => "dns",
            FailureKind::Blocked => "blocked",
            FailureKind::Connect => "connect",
            FailureKind::Tls => "tls",
            FailureKind::Timeout => "timeout",
            FailureKind::Protocol => "protocol",
        },
    }
}
