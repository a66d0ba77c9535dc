//! What happened, as the log and the counters tell it.

use auditrelay_model::id::OrgId;
use auditrelay_runtime::metrics::Metrics;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

/// The API's own counters.
#[derive(Debug, Clone, Default)]
pub(crate) struct Telemetry {
    changes: Family<ChangeLabels, Counter>,
    refusals: Family<RefusalLabels, Counter>,
    commands: Family<CommandLabels, Counter>,
    requests: Family<CommandLabels, Counter>,
    pub(crate) remembered_lanes: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ChangeLabels {
    action: &'static str,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusalLabels {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CommandLabels {
    command: &'static str,
    result: &'static str,
}

impl Telemetry {
    /// Shows the counters.
    pub(crate) fn register(&self, metrics: &Metrics) {
        metrics.register(
            "api_changes_total",
            "Decided changes of configuration",
            self.changes.clone(),
        );
        metrics.register(
            "api_refusals_total",
            "Requests refused because of who asked",
            self.refusals.clone(),
        );
        metrics.register(
            "api_replay_commands_total",
            "Commands sent to the replay-scheduler",
            self.commands.clone(),
        );
        metrics.register(
            "api_delivery_commands_total",
            "Commands sent to the webhook-sender",
            self.requests.clone(),
        );
        metrics.register(
            "api_remembered_lanes",
            "Lanes whose last state is remembered for pages that list webhooks",
            self.remembered_lanes.clone(),
        );
    }

    /// A command on an organization's configuration was decided.
    pub(crate) fn changed(&self, change: &Changed<'_>) {
        let Changed { org, actor, action, result } = *change;
        tracing::info!(%org, actor, action, result, "configuration command decided");
        self.changes.get_or_create(&ChangeLabels { action, result }).inc();
    }

    /// Somebody was refused because of who they are.
    pub(crate) fn refused(&self, reason: &'static str) {
        tracing::debug!(reason, "request refused");
        self.refusals.get_or_create(&RefusalLabels { reason }).inc();
    }

    /// A sender was asked for a request to a receiver.
    pub(crate) fn requested(&self, command: &'static str, result: &'static str) {
        tracing::info!(command, result, "delivery command answered");
        self.requests.get_or_create(&CommandLabels { command, result }).inc();
    }

    /// The replay-scheduler was asked for something.
    pub(crate) fn commanded(&self, command: &'static str, result: &'static str) {
        tracing::info!(command, result, "replay command answered");
        self.commands.get_or_create(&CommandLabels { command, result }).inc();
    }
}

/// A decided command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Changed<'a> {
    /// Whose configuration.
    pub(crate) org: OrgId,
    /// Who sent it.
    pub(crate) actor: &'a str,
    /// What was to be done.
    pub(crate) action: &'static str,
    /// What came of it.
    pub(crate) result: &'static str,
}
