//! Looks up what a job reads.

use auditrelay_model::delivery::DeliveryFact;
use auditrelay_model::id::DestinationId;
use auditrelay_model::record::Position;
use auditrelay_model::replay::{Job, Plan, Selection, Stretch, Terms};
use auditrelay_model::{Scope, Window};
use auditrelay_replay_scheduler_core::plan::{Edge, between, is_last, last_sequence};
use auditrelay_replay_scheduler_core::unacknowledged::Acknowledged;
use auditrelay_streams::{ReadError, RecordHead, patiently};

use crate::scheduler::Scheduler;

/// Facts of delivery that are looked at for one job: what was acknowledged later than that counts
/// as not acknowledged, and is sent again.
const FACTS_MAX: usize = 2_000_000;

/// What is to be sent, of whatever job.
pub(crate) struct Order {
    pub(crate) scope: Scope,
    pub(crate) window: Window,
    pub(crate) terms: Terms,
    /// Nothing that was stored later is part of it.
    pub(crate) snapshot_sequence: u64,
}

impl Order {
    pub(crate) fn of(scope: Scope, job: &Job) -> Self {
        let Job { window, snapshot_sequence, .. } = *job;
        Self { scope, window, terms: job.terms.clone(), snapshot_sequence }
    }

    /// Which events a plan of it sends.
    pub(crate) fn selection(&self, plan: &Plan) -> Selection {
        let (kinds, numbers) = (self.terms.kinds.clone(), plan.numbers.clone());
        Selection { window: self.window, kinds, numbers }
    }
}

impl Scheduler {
    /// The records that may hold events of the window: the first and the last of the scope in the
    /// stretch of storage time, no later than the snapshot; and which numbers of them.
    pub(crate) async fn plan(&self, order: &Order) -> Result<Plan, ReadError> {
        patiently(|| self.plan_with_a_replica(order), ReadError::passes).await
    }

    async fn plan_with_a_replica(&self, order: &Order) -> Result<Plan, ReadError> {
        // From the leader; the other reads may be answered by a replica that lags behind.
        let Some(newest) = self.streams.last_head(order.scope).await? else {
            return Ok(Plan::EMPTY);
        };
        let first = self.first(order, &newest).await?;
        let last = self.last(order, &newest).await?;
        let done = order.terms.remainder.and_then(|remainder| remainder.after);
        let mut plan = between(first, last, done);
        if let (true, Some(last), Some(before)) =
            (order.terms.unacknowledged_only, last, plan.before)
        {
            let last =
                Position { epoch: last.epoch, number: last.last_number, sequence: last.sequence };
            plan.numbers = self.unacknowledged(order, before, last).await?.map(Into::into);
        }
        Ok(plan)
    }

    /// The first record of the stretch that is not done already.
    async fn first(&self, order: &Order, newest: &RecordHead) -> Result<Option<Edge>, ReadError> {
        let begins = self.settings.reach.begins(order.window);
        let first = self.streams.first_record_at(order.scope, begins).await?;
        let Some(first) = first else {
            return if newest.stored_at < begins { Ok(None) } else { Err(lagging()) };
        };
        let done = order.terms.remainder.and_then(|remainder| remainder.after);
        match done {
            Some(done) if done.sequence >= first.sequence => {
                let next = self.streams.next_head(order.scope, done.sequence + 1).await?;
                Ok(next.as_ref().map(edge_of_head))
            }
            Some(_) | None => Ok(Some(edge_of_head(&first))),
        }
    }

    async fn last(&self, order: &Order, newest: &RecordHead) -> Result<Option<Edge>, ReadError> {
        let (scope, ends) = (order.scope, self.settings.reach.ends(order.window));
        let beyond = self.streams.first_record_at(scope, ends).await?;
        let until = last_sequence(order.snapshot_sequence, beyond.map(|head| head.sequence));
        if newest.sequence <= until {
            return Ok(Some(edge_of_head(newest)));
        }
        let Some(head) = self.streams.last_record_up_to(scope, until).await? else {
            return Ok(None);
        };
        let next = self.streams.next_head(scope, head.sequence + 1).await?;
        if is_last(head.sequence, next.map(|next| next.sequence), until) {
            Ok(Some(edge_of_head(&head)))
        } else {
            Err(lagging())
        }
    }

    /// The numbers that the destination has not acknowledged; none when there is no destination
    /// that could have.
    async fn unacknowledged(
        &self,
        order: &Order,
        before: Position,
        last: Position,
    ) -> Result<Option<Vec<Stretch>>, ReadError> {
        let Some(destination) = self.destination(order).await? else { return Ok(None) };
        let mut acknowledged = Acknowledged::by(destination);
        let (mut from, mut looked) = (Some(1), 0);
        while let Some(next) = from.filter(|_| looked < FACTS_MAX) {
            let (facts, read_to) = self.streams.deliveries_from(order.scope, next).await?;
            looked += facts.len();
            for (_, event) in facts {
                if let DeliveryFact::Attempt(attempt) = &event.fact {
                    acknowledged.note(attempt);
                }
            }
            from = read_to.map(|read_to| read_to + 1);
        }
        Ok(Some(acknowledged.missing(before, last)))
    }

    async fn destination(&self, order: &Order) -> Result<Option<DestinationId>, ReadError> {
        if let Some(destination) = order.terms.target.destination {
            return Ok(Some(destination));
        }
        let config = self.config.read(&order.scope.org()).await?.state;
        Ok(config.webhooks.get(&order.scope).and_then(|webhook| webhook.destination))
    }
}

fn lagging() -> ReadError {
    ReadError::Unavailable("a replica does not hold the newest record yet".to_owned())
}

const fn edge_of_head(head: &RecordHead) -> Edge {
    Edge {
        sequence: head.sequence,
        epoch: head.epoch,
        first_number: head.first_number,
        last_number: head.last_number,
    }
}
