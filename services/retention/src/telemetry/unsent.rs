//! What live lanes have not delivered yet, and what stands in their way.

use std::time::Duration;

use auditrelay_model::Scope;
use auditrelay_retention_core::policy::kept;
use auditrelay_runtime::metrics::Metrics;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::Label;

/// What live lanes have not delivered yet.
#[derive(Debug, Default)]
pub(crate) struct Unsent {
    /// Lanes that read on their own.
    pub(crate) lanes: usize,
    /// The lanes that were counted: since when each is behind, and by how many events.
    pub(crate) behind: Vec<(Scope, Duration, u64)>,
    /// Webhooks on hold whose customer must act.
    pub(crate) held: i64,
    /// Webhooks on hold whose receiver is away.
    pub(crate) waiting: i64,
    /// Events that were set aside, ever.
    pub(crate) quarantined: u64,
}

#[derive(Debug, Clone, Default)]
pub(super) struct UnsentGauges {
    lanes: Gauge,
    events: Gauge,
    seconds: Gauge,
    holds: Family<Label, Gauge>,
    quarantined: Gauge,
    by_scope: Option<(Family<Label, Gauge>, Family<Label, Gauge>)>,
}

impl UnsentGauges {
    pub(super) fn new(metrics: &Metrics, per_scope: bool) -> Self {
        let gauges = Self { by_scope: per_scope.then(Default::default), ..Self::default() };
        let add = metrics;
        let max_age = Gauge::<i64>::default();
        max_age.set(seconds(kept()));
        add.register("retention_max_age_seconds", "How long events are kept", max_age);
        let help = "Live lanes that are behind and read on their own";
        add.register("delivery_lanes_behind", help, gauges.lanes.clone());
        let help = "Events that the lanes longest behind have not delivered";
        add.register("delivery_unsent_events", help, gauges.events.clone());
        let help = "Age of the oldest event that some lane has not delivered, as far as is known";
        add.register("delivery_oldest_unsent_seconds", help, gauges.seconds.clone());
        let help = "Webhooks that are inactive, by whether their customer must act";
        add.register("delivery_holds", help, gauges.holds.clone());
        let help = "Events that receivers refused one by one, over all live lanes";
        add.register("delivery_quarantined_events", help, gauges.quarantined.clone());
        if let Some((events, age)) = &gauges.by_scope {
            let help = "Events that a scope's lane has not delivered";
            add.register("delivery_scope_unsent_events", help, events.clone());
            let help = "Age of the oldest event that a scope's lane has not delivered";
            add.register("delivery_scope_oldest_unsent_seconds", help, age.clone());
        }
        gauges
    }

    pub(super) fn set(&self, unsent: &Unsent) {
        let oldest = unsent.behind.iter().map(|(_, age, _)| *age).max().unwrap_or_default();
        let events = unsent.behind.iter().map(|(_, _, events)| *events).sum();
        self.lanes.set(number(unsent.lanes as u64));
        self.events.set(number(events));
        self.seconds.set(seconds(oldest));
        self.quarantined.set(number(unsent.quarantined));
        for (customer_must_act, count) in [("true", unsent.held), ("false", unsent.waiting)] {
            let label = [("customer_must_act", customer_must_act.to_owned())];
            self.holds.get_or_create(&label).set(count);
        }
        if let Some((events_of, age_of)) = &self.by_scope {
            // A scope that has caught up is not shown any longer.
            events_of.clear();
            age_of.clear();
            for (scope, age, events) in &unsent.behind {
                let label = [("scope", scope.to_string())];
                events_of.get_or_create(&label).set(number(*events));
                age_of.get_or_create(&label).set(seconds(*age));
            }
        }
    }
}

pub(super) fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn seconds(duration: Duration) -> i64 {
    number(duration.as_secs())
}
