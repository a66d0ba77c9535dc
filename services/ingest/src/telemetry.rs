//! What happened, as structs that log and count.

use std::time::Duration;

use auditrelay_ingest_core::rejection::{Rejection, RejectionKind};
use auditrelay_model::Scope;
use auditrelay_model::event::{AuditEvent, EventKind};
use auditrelay_model::record::{Place, Record};
use auditrelay_runtime::metrics::{self, Metrics, TracedHistogram};
use auditrelay_runtime::telemetry;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use tracing::Span;

/// At most so many requests are linked to a record's span.
const LINKS: usize = 32;

/// What ingest counts; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Telemetry {
    events: Family<EventLabels, Counter>,
    rejections: Family<RuleLabels, Counter>,
    request_duration: TracedHistogram,
    record_bytes: Histogram,
    record_events: Histogram,
    publish_duration: TracedHistogram,
    conflicts: Counter,
    retries: Counter,
    bundle_duration: TracedHistogram,
    convoy_records: Family<OutcomeLabels, Histogram, fn() -> Histogram>,
    damaged_ends: Counter,
    id_conflicts: Counter,
    quota_refusals: Family<QuotaLabels, Counter>,
    failures: Family<ReasonLabels, Counter>,
    trail: Family<StreamLabels, Counter>,
    pub(crate) quota_buckets: Gauge,
    pub(crate) inflight_bytes: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EventLabels {
    kind: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RuleLabels {
    rule: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct QuotaLabels {
    quota: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StreamLabels {
    stream: &'static str,
}

/// How many events of each kind a request brings.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Kinds([u64; EventKind::ALL.len()]);

impl Kinds {
    pub(crate) fn count(&mut self, event: &AuditEvent) {
        if let Some(count) = self.0.get_mut(event.kind() as usize) {
            *count += 1;
        }
    }
}

impl Telemetry {
    /// An event about an organization itself is stored.
    pub(crate) fn trailed(&self, stream: &'static str) {
        self.trail.get_or_create(&StreamLabels { stream }).inc();
    }

    pub(crate) fn new(metrics: &Metrics) -> Self {
        let seconds = || TracedHistogram::new(exponential_buckets(0.000_5, 2.0, 16));
        let this = Self {
            events: Family::default(),
            rejections: Family::default(),
            request_duration: seconds(),
            record_bytes: Histogram::new(exponential_buckets(256.0, 2.0, 11)),
            record_events: Histogram::new(exponential_buckets(1.0, 2.0, 11)),
            publish_duration: seconds(),
            conflicts: Counter::default(),
            retries: Counter::default(),
            bundle_duration: seconds(),
            convoy_records: Family::new_with_constructor(convoy_records),
            damaged_ends: Counter::default(),
            id_conflicts: Counter::default(),
            quota_refusals: Family::default(),
            failures: Family::default(),
            trail: Family::default(),
            quota_buckets: Gauge::default(),
            inflight_bytes: Gauge::default(),
        };
        this.register(metrics);
        this
    }

    fn register(&self, metrics: &Metrics) {
        let add = metrics;
        add.register(
            "ingest_events",
            "Events by kind and by what became of them",
            self.events.clone(),
        );
        add.register(
            "ingest_rejections",
            "Problems named in refused requests",
            self.rejections.clone(),
        );
        let help = "Time from a request's head to the answer 202 or 503";
        add.register("ingest_request_duration_seconds", help, self.request_duration.clone());
        add.register(
            "ingest_trail_events",
            "Events about organizations themselves, by the stream of their facts",
            self.trail.clone(),
        );
        add.register(
            "ingest_record_bytes",
            "Bytes of stored records' events",
            self.record_bytes.clone(),
        );
        add.register(
            "ingest_record_events",
            "Events of stored records",
            self.record_events.clone(),
        );
        let help = "Time from a record's first attempt to the broker's acknowledgement";
        add.register("ingest_publish_duration_seconds", help, self.publish_duration.clone());
        let help = "Appends that found another writer's record first";
        add.register("ingest_append_conflicts", help, self.conflicts.clone());
        let help = "Appends tried again because the broker did not answer";
        add.register("ingest_append_retries", help, self.retries.clone());
        let help = "Time of storing requests that need several records";
        add.register("ingest_bundle_duration_seconds", help, self.bundle_duration.clone());
        let help = "Records that travelled to the broker together, by what became of them";
        add.register("ingest_convoy_records", help, self.convoy_records.clone());
        let help =
            "Logs whose last message is no record, is not as it was stored, or was not the last";
        add.register("ingest_damaged_ends", help, self.damaged_ends.clone());
        let help = "Repeated event ids whose event says something else than the stored one";
        add.register("ingest_id_conflicts", help, self.id_conflicts.clone());
        let help = "Requests answered 429, by the quota that made them wait longest";
        add.register("ingest_quota_refusals", help, self.quota_refusals.clone());
        let help = "Requests that were not stored, by the reason";
        add.register("ingest_failures", help, self.failures.clone());
        let help = "Token buckets that are remembered because they are not full";
        add.register("ingest_quota_buckets", help, self.quota_buckets.clone());
        let help = "Bytes of requests held in memory, as counted against ingest.max_inflight";
        add.register("ingest_inflight_bytes", help, self.inflight_bytes.clone());
    }

    /// A request's events were stored; some of them by an earlier request.
    pub(crate) fn accepted(&self, kinds: Kinds, duplicates: usize, took: Duration) {
        self.count(kinds, "accepted");
        let labels = EventLabels { kind: "any", outcome: "duplicate" };
        self.events.get_or_create(&labels).inc_by(duplicates as u64);
        metrics::observe(&self.request_duration, took.as_secs_f64());
    }

    /// A request's events could not be stored, as far as anybody knows.
    pub(crate) fn failed(&self, kinds: Kinds, reason: &'static str, took: Duration) {
        self.count(kinds, "failed");
        self.failures.get_or_create(&ReasonLabels { reason }).inc();
        metrics::observe(&self.request_duration, took.as_secs_f64());
    }

    fn count(&self, kinds: Kinds, outcome: &'static str) {
        for (kind, count) in EventKind::ALL.iter().zip(kinds.0) {
            if count > 0 {
                let labels = EventLabels { kind: kind.name(), outcome };
                self.events.get_or_create(&labels).inc_by(count);
            }
        }
    }

    /// A request was refused.
    pub(crate) fn rejected(&self, rejections: &[Rejection]) {
        for rejection in rejections {
            let labels = RuleLabels { rule: rule(&rejection.kind) };
            self.rejections.get_or_create(&labels).inc();
        }
        let first = rejections.first().map_or("", |first| first.field.as_str());
        tracing::debug!(problems = rejections.len(), first, "request refused");
    }

    /// Events came under the ids of others; what was stored first is kept.
    pub(crate) fn contradicted(&self, events: usize) {
        if events > 0 {
            self.id_conflicts.inc_by(events as u64);
            tracing::warn!(events, "repeated ids with other contents: the first ones are kept");
        }
    }

    /// A request has to wait because of a quota.
    pub(crate) fn over_quota(&self, quota: &'static str) {
        self.quota_refusals.get_or_create(&QuotaLabels { quota }).inc();
        tracing::debug!(quota, "request over its quota");
    }

    /// The span of storing one record: a child of the one request that waits for it, or linked to
    /// those who do.
    pub(crate) fn publish_span(record: &Record, traceparents: &[&str]) -> Span {
        let span = tracing::info_span!(
            "publish",
            otel.name = "publish audit.events",
            otel.kind = "producer",
            otel.status_code = tracing::field::Empty,
            error.type = tracing::field::Empty,
            messaging.system = "nats",
            messaging.operation.name = "publish",
            messaging.operation.type = "send",
            messaging.destination.name = "audit.events",
            nats.stream = "EVENTS",
            messaging.batch.message_count = record.events.len(),
            messaging.message.id = %record.id,
            auditrelay.scope = %record.scope,
            auditrelay.convoy.records = tracing::field::Empty,
        );
        match traceparents {
            [one] => telemetry::continue_trace(&span, one),
            many => many.iter().take(LINKS).for_each(|one| telemetry::link(&span, one)),
        }
        span
    }

    /// A record was stored; inside its span.
    pub(crate) fn stored(&self, events: usize, bytes: usize, took: Duration) {
        self.record_bytes.observe(float(bytes));
        self.record_events.observe(float(events));
        metrics::observe(&self.publish_duration, took.as_secs_f64());
    }

    /// Another writer's record was first.
    pub(crate) fn conflict(&self) {
        self.conflicts.inc();
    }

    /// The broker did not answer an append.
    pub(crate) fn unanswered(&self, scope: Scope, reason: &str) {
        self.retries.inc();
        tracing::debug!(%scope, reason, "record not acknowledged");
    }

    /// A request that needed several records was stored.
    pub(crate) fn bundled(&self, took: Duration) {
        metrics::observe(&self.bundle_duration, took.as_secs_f64());
    }

    /// The record of the current span travelled with others, so many in all.
    pub(crate) fn in_company(records: usize) {
        Span::current().record("auditrelay.convoy.records", records);
    }

    /// So many records travelled together and were stored; not, if the broker did not answer; none
    /// if it refused them.
    pub(crate) fn travelled(&self, records: usize, stored: Option<bool>) {
        let outcome = match stored {
            Some(true) => "stored",
            Some(false) => "unanswered",
            None => "refused",
        };
        self.convoy_records.get_or_create(&OutcomeLabels { outcome }).observe(float(records));
        if stored != Some(true) {
            tracing::debug!(records, outcome, "convoy not stored");
        }
    }

    /// The broker did not answer a bundle.
    pub(crate) fn bundle_unanswered(&self, reason: &str) {
        self.retries.inc();
        tracing::debug!(reason, "bundle not acknowledged");
    }

    /// A bundle is given up.
    pub(crate) fn bundle_given_up(scopes: usize, reason: &str) {
        tracing::warn!(scopes, reason, "bundle not stored: its request is answered 503");
    }

    /// The last message of a scope cannot be read; its headers may still tell where it stands.
    pub(crate) fn damaged(&self, scope: Scope, sequence: u64, chained: bool) {
        self.damaged_ends.inc();
        if chained {
            tracing::error!(%scope, sequence, "the scope's last record is damaged: the next one goes on behind it");
        } else {
            tracing::error!(%scope, sequence, "the scope's last message cannot be read: a new epoch begins behind it");
        }
    }

    /// The broker lost the last records of a scope; the first one behind what is left is stored.
    pub(crate) fn cut(&self, scope: Scope, left: Place, known: Place) {
        self.damaged_ends.inc();
        tracing::error!(%scope, ?left, ?known, "the broker lost the last records of the scope's log: a new epoch began behind what is left");
    }

    /// A record is given up.
    pub(crate) fn given_up(span: &Span, scope: Scope, events: usize, reason: &str) {
        span.record("otel.status_code", "ERROR");
        span.record("error.type", "not_stored");
        tracing::warn!(%scope, events, reason, "record not stored: its requests are answered 503");
    }
}

fn convoy_records() -> Histogram {
    Histogram::new(exponential_buckets(16.0, 2.0, 5))
}

/// Sizes are far below the 2⁵³ that a float holds exactly.
fn float(size: usize) -> f64 {
    f64::from(u32::try_from(size).unwrap_or(u32::MAX))
}

fn rule(kind: &RejectionKind) -> &'static str {
    match kind {
        RejectionKind::Syntax => "syntax",
        RejectionKind::Repeated => "repeated",
        RejectionKind::Unknown => "unknown_property",
        RejectionKind::Required | RejectionKind::Blank => "required",
        RejectionKind::Type(_) => "type",
        RejectionKind::Choice(_) => "enum",
        RejectionKind::MaxLength(_) | RejectionKind::MaxItems(_) | RejectionKind::Max(_) => "max",
        RejectionKind::MinItems(_) | RejectionKind::Min(_) => "min",
        RejectionKind::DateTime => "is_date_time",
        RejectionKind::Reference => "missing_reference",
        RejectionKind::Invalid(_) => "invalid",
    }
}
