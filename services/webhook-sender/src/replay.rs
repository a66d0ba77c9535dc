//! Lanes of replay jobs. The scheduler makes and removes their consumers and completes the jobs
//! from the facts that the lanes store.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use auditrelay_model::Scope;
use auditrelay_model::delivery::{Lane, LaneState};
use auditrelay_model::id::JobId;
use auditrelay_model::replay::{Job, Jobs, Plan};
use auditrelay_streams::{Lease, Projection, ReadError, ReplayFold};
use auditrelay_webhook_sender_core::lane::Course;
use tokio_util::sync::CancellationToken;

use crate::driver::{Driver, Ended, Leash, Start, Supply};
use crate::sender::Sender;
use crate::source::Source;

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Jobs that one sender works on at the same time.
const JOBS_MAX: usize = 64;

/// Works on replay jobs until the drain.
pub(crate) async fn run(sender: Arc<Sender>, jobs: Projection<ReplayFold>) {
    let soft = sender.context.drain.soft.clone();
    let mut changes = jobs.changes();
    let mut replays = Replays { sender, at_work: HashMap::new(), finished: HashSet::new() };
    loop {
        tokio::select! {
            biased;
            () = soft.cancelled() => break,
            () = replays.look(&jobs) => {}
        }
        tokio::select! {
            () = soft.cancelled() => break,
            changed = changes.changed() => drop(changed),
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
    for work in replays.at_work.into_values() {
        work.ended.cancelled().await;
    }
}

/// Jobs that a lane can work on now, with their plans.
fn living(jobs: &Projection<ReplayFold>) -> HashMap<JobId, (Scope, Job, Plan)> {
    let all = jobs.all().into_iter();
    all.filter_map(|(scope, jobs)| {
        let job = jobs.living().filter(|job| job.paused.is_none())?;
        let plan = job.plan().filter(|plan| !plan.is_empty())?.clone();
        Some((job.id, (scope, job.clone(), plan)))
    })
    .collect()
}

/// Jobs that somebody has wait.
fn paused(jobs: &Projection<ReplayFold>) -> HashSet<JobId> {
    let all = jobs.all().into_iter();
    let paused = |jobs: &Jobs| Some(jobs.living().filter(|job| job.paused.is_some())?.id);
    all.filter_map(|(_, jobs)| paused(&jobs)).collect()
}

/// A lane that has done nothing yet stands just before the first event that is due, so that it
/// notices when that one is gone.
fn beginning(plan: &Plan) -> LaneState {
    LaneState { cursor: plan.before, ..LaneState::default() }
}

struct Replays {
    sender: Arc<Sender>,
    at_work: HashMap<JobId, Work>,
    /// Done here; the scheduler has not said so yet.
    finished: HashSet<JobId>,
}

struct Work {
    /// The job waits: what is in hand is finished.
    rest: CancellationToken,
    over: CancellationToken,
    ended: CancellationToken,
    finished: CancellationToken,
}

impl Replays {
    async fn look(&mut self, jobs: &Projection<ReplayFold>) {
        let living = living(jobs);
        let paused = paused(jobs);
        for (job, work) in &self.at_work {
            if paused.contains(job) {
                work.rest.cancel();
            } else if !living.contains_key(job) {
                work.over.cancel();
            }
            if work.finished.is_cancelled() {
                self.finished.insert(*job);
            }
        }
        self.at_work.retain(|_, work| !work.ended.is_cancelled());
        self.finished.retain(|job| living.contains_key(job));
        for (id, (scope, job, plan)) in living {
            let known = self.at_work.contains_key(&id) || self.finished.contains(&id);
            if known || self.at_work.len() >= JOBS_MAX {
                continue;
            }
            if let Err(error) = self.take(scope, &job, &plan).await {
                tracing::warn!(%error, job.id = %id, "job is not taken");
            }
        }
    }

    async fn take(&mut self, scope: Scope, job: &Job, plan: &Plan) -> Result<(), ReadError> {
        let name = format!("replay-{}", job.id);
        let instance = &self.sender.context.instance;
        let Some(lease) = self.sender.streams.try_lease(&name, instance).await? else {
            return Ok(());
        };
        let driver = match self.driver(scope, job, plan).await {
            Ok(driver) => driver,
            Err(error) => {
                lease.release().await;
                return Err(error);
            }
        };
        let work = Work {
            rest: self.sender.context.drain.soft.child_token(),
            over: CancellationToken::new(),
            ended: CancellationToken::new(),
            finished: CancellationToken::new(),
        };
        self.spawn(driver, lease, &work);
        self.at_work.insert(job.id, work);
        Ok(())
    }

    async fn driver(&self, scope: Scope, job: &Job, plan: &Plan) -> Result<Driver, ReadError> {
        let sender = &self.sender;
        // The newest: the job goes to what is configured when it starts running.
        sender.configured.read(&scope.org()).await?;
        let name = Lane::Replay(job.id);
        let last = sender.streams.last_delivery(scope, name).await?;
        let last_fact = last.as_ref().map_or(0, |(_, sequence)| *sequence);
        let selection = Arc::new(job.selection());
        let course = Course::Replay {
            selection: Arc::clone(&selection),
            until: plan.until_sequence,
            patience: sender.config.replay_patience,
        };
        let source = Source::of_job(sender.streams.clone(), scope, job.id);
        let start = Start {
            scope,
            name,
            course,
            state: last.map_or_else(|| beginning(plan), |(event, _)| event.state),
            last_fact,
            target: job.terms.target,
            receiver: sender.receiver(scope, job.terms.target),
            supply: Supply::Replay { selection, source },
        };
        Ok(Driver::new(Arc::clone(sender), start))
    }

    fn spawn(&self, driver: Driver, lease: Lease, work: &Work) {
        let drain = &self.sender.context.drain;
        let leash = Leash { soft: work.rest.clone(), hard: lease.lost() };
        let soft = leash.soft.clone();
        let (over, finished) = (work.over.clone(), work.finished.clone());
        let ended = work.ended.clone().drop_guard();
        drain.spawn("replay", async move {
            let _ended = ended;
            let how = tokio::select! {
                how = driver.run(leash) => how,
                () = over.cancelled() => Ended::CutOff,
            };
            if how == Ended::ByItself && !soft.is_cancelled() {
                finished.cancel();
            }
            lease.release().await;
        });
    }
}
