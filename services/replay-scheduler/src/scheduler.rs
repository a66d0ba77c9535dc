//! What the rooms of this service share, and the one way to change a job.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use auditrelay_model::id::JobId;
use auditrelay_model::origin::Origin;
use auditrelay_model::replay::ReplayEvent;
use auditrelay_model::{Clock, Scope};
use auditrelay_replay_scheduler_core::{Command, Decided, Denial, decide};
use auditrelay_runtime::context::Context;
use auditrelay_streams::{
    ConfigFold, DeliveryFold, ExecuteError, Projection, ReadError, ReplayFold, Streams,
};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::telemetry::Telemetry;

/// How long the projections may take to catch up at the start.
const CATCH_UP: Duration = Duration::from_secs(30);

/// One replica of the replay-scheduler; cheap to clone.
#[derive(Clone)]
pub struct Scheduler {
    pub(crate) settings: Config,
    pub(crate) streams: Streams,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) instance: String,
    pub(crate) config: Projection<ConfigFold>,
    pub(crate) replay: Projection<ReplayFold>,
    pub(crate) delivery: Projection<DeliveryFold>,
    pub(crate) telemetry: Telemetry,
    /// Jobs whose end was recorded here and whose consumers are still to be removed.
    pub(crate) over: Arc<Mutex<BTreeSet<JobId>>>,
    /// Estimates that are counted at the same time.
    pub(crate) estimates: Arc<Semaphore>,
}

/// More estimates wait for one that is being counted.
const ESTIMATES_AT_ONCE: usize = 4;

/// Who wants a job changed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asker<'a> {
    /// A token's id, or this instance.
    pub(crate) actor: &'a str,
    /// The request behind it, if there is one.
    pub(crate) origin: Option<&'a Origin>,
}

/// Something could not be done now; it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The broker did not tell.
    #[error("a job could not be looked at")]
    Read(#[from] ReadError),
    /// The broker did not store.
    #[error("a job could not be changed")]
    Execute(#[from] ExecuteError<Denial>),
}

impl Scheduler {
    /// Begins to follow the streams, which must exist.
    pub fn new(settings: Config, streams: Streams, context: &Context) -> Self {
        // Followed until the very end and not waited for: what is at hand at the soft stop still
        // reads from them.
        let (stop, tasks) = (&context.drain.hard, &TaskTracker::new());
        Self {
            settings,
            clock: Arc::clone(&context.clock),
            instance: context.instance.clone(),
            config: Projection::start(&streams, stop, tasks),
            replay: Projection::start(&streams, stop, tasks),
            delivery: Projection::start(&streams, stop, tasks),
            telemetry: Telemetry::new(&context.metrics),
            over: Arc::default(),
            estimates: Arc::new(Semaphore::new(ESTIMATES_AT_ONCE)),
            streams,
        }
    }

    /// Waits until everything is known that was stored before.
    pub async fn caught_up(&self) -> Result<(), ReadError> {
        self.config.caught_up(CATCH_UP).await?;
        self.replay.caught_up(CATCH_UP).await?;
        self.delivery.caught_up(CATCH_UP).await
    }

    /// Carries a command out and returns the sequence of REPLAY that shows it, and the facts.
    pub(crate) async fn execute(
        &self,
        scope: Scope,
        command: &Command,
        asker: Asker<'_>,
    ) -> Result<(u64, Vec<Decided>), ExecuteError<Denial>> {
        // What the last run of the decision saw and chose: that is what was stored.
        let chosen = Mutex::new((None, Vec::new()));
        let executed = self
            .replay
            .execute(&scope, |jobs| {
                let decided = decide(jobs, command)?;
                let events = decided.iter().map(|decided| self.event(scope, asker, decided));
                let events = events.collect();
                let before = jobs.newest.clone();
                *chosen.lock().unwrap_or_else(PoisonError::into_inner) = (before, decided);
                Ok(events)
            })
            .await?;
        let (before, decided) = chosen.into_inner().unwrap_or_else(PoisonError::into_inner);
        for decided in &decided {
            self.telemetry.recorded(scope, decided, before.as_ref(), self.clock.now());
            if decided.fact.is_end() {
                self.over.lock().unwrap_or_else(PoisonError::into_inner).insert(decided.job);
            }
        }
        Ok((executed.sequence, decided))
    }

    fn event(&self, scope: Scope, asker: Asker<'_>, decided: &Decided) -> ReplayEvent {
        ReplayEvent {
            at: self.clock.now(),
            scope,
            job: decided.job,
            actor: asker.actor.to_owned(),
            origin: asker.origin.cloned(),
            fact: decided.fact.clone(),
        }
    }
}
