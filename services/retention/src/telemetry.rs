//! What happened: log lines and counts together.

mod unsent;

use std::collections::BTreeMap;

use auditrelay_model::Timestamp;
use auditrelay_runtime::metrics::Metrics;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

pub(crate) use self::unsent::Unsent;
use self::unsent::{UnsentGauges, number};
use crate::keeper::Seen;

/// One label, as pairs; the names are ours and short.
type Label = [(&'static str, String); 1];

/// Every kind of risk.
const RISKS: [&str; 5] = ["storage", "hole", "cut", "sync", "expiry"];

/// Counts of this service.
#[derive(Debug, Clone)]
pub(crate) struct Telemetry {
    bytes: Family<Label, Gauge>,
    max_bytes: Family<Label, Gauge>,
    messages: Family<Label, Gauge>,
    oldest_seconds: Family<Label, Gauge>,
    repairs: Family<Label, Counter>,
    refusals: Gauge,
    risks: Family<Label, Gauge>,
    unsent: UnsentGauges,
}

impl Telemetry {
    /// `per_scope` also counts each scope that is behind: a label per organization.
    pub(crate) fn new(metrics: &Metrics, per_scope: bool) -> Self {
        let telemetry = Self {
            bytes: Family::default(),
            max_bytes: Family::default(),
            messages: Family::default(),
            oldest_seconds: Family::default(),
            repairs: Family::default(),
            refusals: Gauge::default(),
            risks: Family::default(),
            unsent: UnsentGauges::new(metrics, per_scope),
        };
        let Self { bytes, max_bytes, messages, oldest_seconds, repairs, refusals, risks, .. } =
            telemetry.clone();
        metrics.register("stream_bytes", "Bytes a stream holds", bytes);
        metrics.register("stream_max_bytes", "Bytes a stream may hold, -1 for no limit", max_bytes);
        metrics.register("stream_messages", "Messages a stream holds", messages);
        metrics.register(
            "stream_oldest_seconds",
            "Age of a stream's oldest message",
            oldest_seconds,
        );
        metrics.register("retention_repairs", "Times a stream was created or repaired", repairs);
        metrics.register(
            "retention_refusals",
            "Settings of streams that are wrong and that only an operator may repair",
            refusals,
        );
        metrics.register("retention_risks", "Threats to what is held, by kind", risks);
        telemetry
    }

    /// The streams were looked at.
    pub(crate) fn observed(&self, seen: &[Seen], now: Timestamp) {
        for Seen { name, spec, state } in seen {
            let label = [("stream", name.as_str().to_owned())];
            let age = state.oldest.map_or(0, |oldest| now.since(oldest).as_secs());
            self.bytes.get_or_create(&label).set(number(state.bytes));
            self.max_bytes.get_or_create(&label).set(spec.max_bytes);
            self.messages.get_or_create(&label).set(number(state.messages));
            self.oldest_seconds.get_or_create(&label).set(number(age));
        }
    }

    /// Live lanes were looked at.
    pub(crate) fn unsent(&self, unsent: &Unsent) {
        self.unsent.set(unsent);
    }

    /// A stream was created or repaired.
    pub(crate) fn changed(&self, stream: &str, changes: &[String]) {
        self.repairs.get_or_create(&[("stream", stream.to_owned())]).inc();
        tracing::info!(stream, changes = changes.join(", "), "stream brought to what it must be");
    }

    /// A setting is wrong and is left as it is.
    pub(crate) fn refused(stream: &str, reason: &str) {
        tracing::error!(stream, reason, "stream is not what it must be: an operator has to act");
    }

    /// How many settings are left wrong.
    pub(crate) fn count_refusals(&self, count: usize) {
        self.refusals.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A threat appeared.
    pub(crate) fn at_risk(kind: &str, detail: &str) {
        tracing::warn!(kind, detail, "what is held is threatened");
    }

    /// A threat is over.
    pub(crate) fn risk_over(kind: &str) {
        tracing::info!(kind, "a threat is over");
    }

    /// How many threats there are.
    pub(crate) fn count_risks(&self, kinds: impl Iterator<Item = &'static str>) {
        let mut counts: BTreeMap<_, i64> = RISKS.iter().map(|kind| (*kind, 0)).collect();
        for kind in kinds {
            *counts.entry(kind).or_default() += 1;
        }
        for (kind, count) in counts {
            self.risks.get_or_create(&[("kind", kind.to_owned())]).set(count);
        }
    }
}
