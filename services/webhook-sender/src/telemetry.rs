//! What happened, as logs and numbers.

use std::time::Duration;

use auditrelay_model::Scope;
use auditrelay_model::delivery::{DeliveryFact, Lane};
use auditrelay_runtime::metrics::Metrics;
use auditrelay_webhook_sender_core::outcome::{FailureKind, Outcome};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

/// The service's numbers; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Telemetry {
    attempts: Family<AttemptLabels, Counter>,
    requests: Family<LaneLabels, Histogram>,
    delivered: Family<LaneLabels, Counter>,
    set_aside: Family<FateLabels, Counter>,
    lanes: Family<StateLabels, Gauge>,
    lag: Family<LaneLabels, Histogram>,
    shards: Gauge,
    tests: Family<ResultLabels, Counter>,
    releases: Family<ResultLabels, Counter>,
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
            requests: Family::new_with_constructor(|| Histogram::new(REQUEST_SECONDS)),
            delivered: Family::default(),
            set_aside: Family::default(),
            lanes: Family::default(),
            lag: Family::new_with_constructor(|| Histogram::new(LAG_SECONDS)),
            shards: Gauge::default(),
            tests: Family::default(),
            releases: Family::default(),
        };
        let t = &telemetry;
        metrics.register("webhook_attempts", "Requests to receivers", t.attempts.clone());
        metrics.register(
            "webhook_request_duration_seconds",
            "Time from the dial to the end of the answer",
            t.requests.clone(),
        );
        metrics.register("webhook_events_delivered", "Events answered 2xx", t.delivered.clone());
        metrics.register(
            "webhook_events_undelivered",
            "Events that expired or were set aside",
            t.set_aside.clone(),
        );
        metrics.register("webhook_lanes", "Lanes by what they are at", t.lanes.clone());
        metrics.register(
            "webhook_lag_seconds",
            "Time from an event's acceptance to its delivery",
            t.lag.clone(),
        );
        metrics.register("webhook_shards", "Shards that this sender holds", t.shards.clone());
        metrics.register(
            "webhook_test_deliveries",
            "Test deliveries by what came of them",
            t.tests.clone(),
        );
        metrics.register(
            "webhook_quarantine_releases",
            "Commands about events in quarantine by what came of them",
            t.releases.clone(),
        );
        telemetry
    }

    pub(crate) fn tried(&self, lane: Lane, outcome: &Outcome, duration: Duration) {
        let labels = AttemptLabels { outcome: outcome_name(outcome), lane: lane_name(lane) };
        self.attempts.get_or_create(&labels).inc();
        let labels = LaneLabels { lane: lane_name(lane) };
        self.requests.get_or_create(&labels).observe(duration.as_secs_f64());
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

const fn outcome_name(outcome: &Outcome) -> &'static str {
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
