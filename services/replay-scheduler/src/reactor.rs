//! Looks at every living job, asks the core what is next, carries it out.

use std::time::Duration;

use auditrelay_model::Scope;
use auditrelay_model::delivery::{Lane, LaneState};
use auditrelay_model::replay::{Job, Phase, Plan, Target};
use auditrelay_replay_scheduler_core::queue::may_begin;
use auditrelay_replay_scheduler_core::react::LaneSeen;
use auditrelay_replay_scheduler_core::{Action, Command, Decided, Next, Seen, WebhookState, react};
use auditrelay_streams::{ExecuteError, ReadError};
use futures::StreamExt;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::planner::Order;
use crate::scheduler::{Asker, Scheduler, Trouble};

/// How long a read that waits for a projection may take.
pub(crate) const READ_PATIENCE: Duration = Duration::from_secs(5);

/// Changes of the streams are looked at together when they come faster than this.
const PASS_INTERVAL_MIN: Duration = Duration::from_millis(100);

/// Jobs that are looked at at the same time.
const JOBS_AT_ONCE: usize = 8;

/// A job passes through fewer states than this; what is left is for the next pass.
const STEPS_MAX: usize = 8;

/// A job that takes longer to count begins uncounted.
const COUNTED_WITHIN: Duration = Duration::from_secs(3);

/// How closely jobs are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// At what is known here: something changed.
    Glance,
    /// Also at what has to be asked for: the oldest sequence that EVENTS holds and the holders
    /// of lanes.
    Close {
        /// The oldest sequence.
        oldest_sequence: u64,
    },
}

impl Scheduler {
    /// Looks at the jobs until `stop`: whenever a stream changes, and every few seconds.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut changes = (self.replay.changes(), self.delivery.changes(), self.config.changes());
        let mut close = tokio::time::interval(self.settings.look_interval);
        close.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut swept: Option<Instant> = None;
        loop {
            // Every arm only waits, so that a dropped one loses nothing. A closed channel can not
            // happen while this scheduler holds the projections.
            let is_close = tokio::select! {
                () = stop.cancelled() => return,
                _ = close.tick() => true,
                _ = changes.0.changed() => false,
                _ = changes.1.changed() => false,
                _ = changes.2.changed() => false,
            };
            self.pass(is_close).await;
            if swept.is_none_or(|swept| swept.elapsed() >= self.settings.sweep_interval) {
                swept = self.sweep_or_say().await.then(Instant::now).or(swept);
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PASS_INTERVAL_MIN) => {}
            }
        }
    }

    /// Looks at every living job once and goes on with each as far as it goes; `is_close` also
    /// asks the broker for what is not followed. What goes wrong is said and tried again.
    pub async fn pass(&self, is_close: bool) {
        let look = if is_close { self.close_look().await } else { Look::Glance };
        let jobs = self.living_jobs();
        futures::stream::iter(jobs)
            .for_each_concurrent(JOBS_AT_ONCE, |(scope, _)| async move {
                if let Err(trouble) = self.advance(scope, look).await {
                    self.telemetry.trouble(scope, &trouble);
                }
            })
            .await;
        self.telemetry.count_jobs(self.replay.all().iter().map(|(_, jobs)| &**jobs));
        if let Err(error) = self.remove_consumers().await {
            tracing::warn!(%error, "consumers of ended jobs are removed later");
        }
    }

    async fn close_look(&self) -> Look {
        match self.streams.events_state().await {
            Ok(state) => Look::Close { oldest_sequence: state.first_sequence },
            Err(error) => {
                tracing::debug!(%error, "EVENTS could not be looked at");
                Look::Glance
            }
        }
    }

    async fn sweep_or_say(&self) -> bool {
        match self.sweep().await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, "consumers without a job are looked for again later");
                false
            }
        }
    }

    async fn advance(&self, scope: Scope, look: Look) -> Result<(), Trouble> {
        for _ in 0..STEPS_MAX {
            if self.look_and_act(scope, look).await?.is_empty() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Does the next thing for the scope's newest job and says what was recorded; nothing when
    /// there is nothing to do.
    pub async fn step(&self, scope: Scope) -> Result<Vec<Decided>, Trouble> {
        let look = self.close_look().await;
        self.look_and_act(scope, look).await
    }

    async fn look_and_act(&self, scope: Scope, look: Look) -> Result<Vec<Decided>, Trouble> {
        let state = self.replay.get(&scope).state;
        let Some(job) = state.living() else { return Ok(Vec::new()) };
        let span = tracing::info_span!(
            "replay_job.step", %scope, job.id = %job.id, job.state = job.state_name()
        );
        let Some(command) = self.next(scope, job, look).instrument(span.clone()).await? else {
            return Ok(Vec::new());
        };
        let asker = Asker { actor: &self.instance, origin: None };
        match self.execute(scope, &command, asker).instrument(span).await {
            Ok((_, decided)) => Ok(decided),
            // The job was further than it was seen here: the next look sees it.
            Err(ExecuteError::Denied(denial)) => {
                tracing::debug!(%denial, "a command came too late");
                Ok(Vec::new())
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn next(
        &self,
        scope: Scope,
        job: &Job,
        look: Look,
    ) -> Result<Option<Command>, ReadError> {
        let webhook = self.webhook(scope, job.terms.target).await?;
        let lane = self.lane(scope, job, look).await?;
        let seen = Seen {
            webhook,
            is_its_turn: self.is_its_turn(scope, job),
            lane: lane
                .as_ref()
                .map(|lane| LaneSeen { state: &lane.state, holder: lane.holder.as_deref() }),
            oldest_sequence: match look {
                Look::Glance => 0,
                Look::Close { oldest_sequence } => oldest_sequence,
            },
            now: self.clock.now(),
        };
        match react(job, &seen, &self.settings.pace) {
            Next::Wait => Ok(None),
            Next::Do(command) => Ok(Some(command)),
            Next::Plan => {
                let plan = self.prepare(scope, job).await?;
                Ok(Some(Command { job: job.id, action: Action::Schedule(plan) }))
            }
        }
    }

    async fn prepare(&self, scope: Scope, job: &Job) -> Result<Plan, ReadError> {
        let order = Order::of(scope, job);
        let mut plan = self.plan(&order).await?;
        if !plan.is_empty() {
            let counted = self.count(&order, &plan, COUNTED_WITHIN).await?;
            plan.tally = counted.exact.then_some(counted.tally);
            self.make_consumer(scope, job.id, &plan).await?;
        }
        Ok(plan)
    }

    /// So many jobs of an organization are under way at a time.
    fn is_its_turn(&self, scope: Scope, job: &Job) -> bool {
        let others = self.living_jobs().into_iter();
        let others = others.filter(|(other, _)| *other != scope && other.org() == scope.org());
        let others: Vec<Job> = others.map(|(_, job)| job).collect();
        may_begin(job, &others, self.settings.jobs_at_once)
    }

    /// A job fails only for a webhook that is surely gone: what is known here may be old.
    async fn webhook(&self, scope: Scope, target: Target) -> Result<WebhookState, ReadError> {
        let known = WebhookState::of(&self.config.get(&scope.org()).state, scope, target);
        if known == WebhookState::Ready {
            return Ok(known);
        }
        Ok(WebhookState::of(&self.config.read(&scope.org()).await?.state, scope, target))
    }

    async fn lane(&self, scope: Scope, job: &Job, look: Look) -> Result<Option<Seeing>, ReadError> {
        let lane = Lane::Replay(job.id);
        let asks_holder = match &job.phase {
            Phase::Pending(_) => true,
            Phase::Running { .. } => look != Look::Glance,
            Phase::Accepted
            | Phase::Completed(_)
            | Phase::Failed { .. }
            | Phase::Cancelled { .. } => return Ok(None),
        };
        let known = self.delivery.get(&(scope, lane));
        if known.sequence == 0 && look == Look::Glance {
            return Ok(None);
        }
        let (state, holder) = if asks_holder {
            match self.streams.newest_delivery(scope, lane).await? {
                Some((_, event)) => (event.state, Some(event.sender)),
                None => return Ok(None),
            }
        } else {
            (LaneState::clone(&known.state), None)
        };
        Ok(Some(Seeing { state, holder }))
    }
}

/// A job's lane as it was looked up.
struct Seeing {
    state: LaneState,
    holder: Option<String>,
}
