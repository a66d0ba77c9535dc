//! One pass over the streams: observe, plan, carry out.

use std::collections::BTreeSet;
use std::sync::Arc;

use auditrelay_model::Clock;
use auditrelay_model::stream::StreamSpec;
use auditrelay_retention_core::plan::{Observed, Plan, Update, plan};
use auditrelay_retention_core::policy::Policy;
use auditrelay_runtime::context::Context;
use auditrelay_streams::{
    DeliveryFold, Projection, ReadError, RetentionFact, StreamName, StreamState, Streams,
};
use futures::future::try_join_all;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::telemetry::Telemetry;
use crate::watch::Watch;

/// Looks after the streams.
pub struct Keeper {
    pub(crate) config: Config,
    pub(crate) streams: Streams,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) delivery: Projection<DeliveryFold>,
    pub(crate) telemetry: Telemetry,
    pub(crate) watch: Watch,
    policy: Policy,
    refused: BTreeSet<(String, String)>,
}

/// A stream as it was seen in this pass.
pub(crate) struct Seen {
    pub(crate) name: StreamName,
    pub(crate) spec: StreamSpec,
    pub(crate) state: StreamState,
}

impl Keeper {
    /// A keeper that has not looked yet.
    pub fn new(config: Config, streams: Streams, context: &Context) -> Self {
        Self {
            policy: Policy::new(config.choice),
            clock: Arc::clone(&context.clock),
            delivery: Projection::start(&streams, &context.drain.hard, &TaskTracker::new()),
            telemetry: Telemetry::new(&context.metrics, config.metrics_per_scope),
            watch: Watch::default(),
            refused: BTreeSet::new(),
            config,
            streams,
        }
    }

    /// Makes the streams what they must be and looks at what they hold. Returns what was planned;
    /// an error means that a stream may be missing or is not what it must be.
    pub async fn pass(&mut self) -> Result<Plan, ReadError> {
        let mut seen = self.observe().await?;
        let plan = plan(&self.known(&seen), &self.policy);
        let outcome = self.carry_out(&plan).await;
        if !plan.create.is_empty() || !plan.update.is_empty() {
            seen = self.observe().await?;
        }
        self.telemetry.observed(&seen, self.clock.now());
        self.look_out(&seen).await;
        outcome.map(|()| plan)
    }

    async fn observe(&self) -> Result<Vec<Seen>, ReadError> {
        let all = try_join_all(StreamName::ALL.map(|name| self.streams.observe(name))).await?;
        let all = StreamName::ALL.into_iter().zip(all);
        let seen = all.filter_map(|(name, observed)| {
            observed.map(|observed| Seen { name, spec: observed.spec, state: observed.state })
        });
        Ok(seen.collect())
    }

    fn known(&self, seen: &[Seen]) -> Vec<Observed> {
        let now = self.clock.now();
        seen.iter()
            .map(|seen| Observed {
                spec: seen.spec.clone(),
                messages: seen.state.messages,
                bytes: seen.state.bytes,
                oldest_age: seen.state.oldest.map(|oldest| now.since(oldest)),
            })
            .collect()
    }

    /// Goes through the whole plan, whatever fails on the way; the first failure is returned.
    async fn carry_out(&mut self, plan: &Plan) -> Result<(), ReadError> {
        let mut outcome = Ok(());
        let mut changed = Vec::new();
        for spec in &plan.create {
            match self.streams.create_stream(spec).await {
                Ok(()) => changed.push((spec.name.clone(), vec!["created".to_owned()])),
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        for Update { spec, changes } in &plan.update {
            match self.streams.update_stream(spec).await {
                Ok(()) => changed.push((spec.name.clone(), changes.clone())),
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        for (stream, changes) in changed {
            self.telemetry.changed(&stream, &changes);
            self.record(&RetentionFact::StreamChanged { stream, changes }).await;
        }
        self.say_refusals(plan);
        outcome
    }

    /// Each refusal is said once, until it is gone.
    fn say_refusals(&mut self, plan: &Plan) {
        let refusals: BTreeSet<_> = plan
            .refuse
            .iter()
            .map(|refusal| (refusal.stream.clone(), refusal.reason.clone()))
            .collect();
        for (stream, reason) in refusals.difference(&self.refused) {
            Telemetry::refused(stream, reason);
        }
        self.telemetry.count_refusals(refusals.len());
        self.refused = refusals;
    }

    /// Stores a fact. It is news, not state: one that can not be stored was logged all the same.
    pub(crate) async fn record(&self, fact: &RetentionFact) -> bool {
        match self.streams.append_retention(self.clock.now(), fact).await {
            Ok(_) => true,
            Err(error) => {
                tracing::warn!(%error, "a fact about the streams was not stored");
                false
            }
        }
    }
}
