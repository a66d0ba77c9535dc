//! Lanes of replay jobs. The scheduler makes and removes their consumers and completes the jobs
//! from the facts that the lanes store.
//!
//! A job is worked on by the sender that holds its scope's shard, so that live delivery and
//! replays of a log know of each other. While its receiver is down a job is *parked*: nothing of
//! it is kept but when it is probed next, and its slot is free for others.

mod parked;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use auditrelay_model::Scope;
use auditrelay_model::delivery::{Lane, LaneState};
use auditrelay_model::id::JobId;
use auditrelay_model::replay::{Job, Jobs, Plan, Target};
use auditrelay_streams::{Lease, Projection, ReadError, ReplayFold, shard_of};
use auditrelay_webhook_sender_core::lane::Course;
use auditrelay_webhook_sender_core::slots::{Candidate, choose};
use tokio_util::sync::CancellationToken;

use crate::driver::{Driver, Ended, Leash, Start, Supply};
use crate::sender::Sender;
use crate::source::Source;
use crate::standing::told;
use parked::Parked;

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Works on replay jobs until the drain.
pub(crate) async fn run(sender: Arc<Sender>, jobs: Projection<ReplayFold>) {
    let soft = sender.context.drain.soft.clone();
    let mut changes = jobs.changes();
    let mut replays = Replays {
        sender,
        at_work: HashMap::new(),
        parked: Parked::default(),
        finished: HashSet::new(),
    };
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

type Living = HashMap<JobId, (Scope, Job, Plan)>;

/// Jobs that a lane can work on now, with their plans.
fn living(jobs: &Projection<ReplayFold>) -> Living {
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
    parked: Parked,
    /// Done here; the scheduler has not said so yet.
    finished: HashSet<JobId>,
}

struct Work {
    scope: Scope,
    target: Target,
    /// The job is over: its lane is dropped.
    over: CancellationToken,
    /// The job waits, or its shard goes to another sender: what is in hand is finished.
    leave: CancellationToken,
    /// Cancelled when the lease is given back.
    ended: CancellationToken,
    how: Arc<OnceLock<Ended>>,
}

impl Replays {
    async fn look(&mut self, jobs: &Projection<ReplayFold>) {
        let (mut living, paused) = (living(jobs), paused(jobs));
        living.retain(|_, (scope, ..)| self.sender.shards.holds(shard_of(*scope)));
        self.reap(&living, &paused);
        self.finished.retain(|job| living.contains_key(job));
        self.parked.retain(|job| living.contains_key(&job));
        self.sender.telemetry.replays(self.at_work.len(), self.parked.len());
        for id in self.next(&living) {
            let Some((scope, job, plan)) = living.remove(&id) else { continue };
            if let Err(error) = self.take(scope, &job, &plan).await {
                tracing::warn!(%error, job.id = %id, "job is not taken");
            }
        }
    }

    /// Sees to lanes that have ended or must.
    fn reap(&mut self, living: &Living, paused: &HashSet<JobId>) {
        for (job, work) in &self.at_work {
            if paused.contains(job) || !self.sender.shards.holds(shard_of(work.scope)) {
                work.leave.cancel();
            } else if !living.contains_key(job) {
                work.over.cancel();
            }
            if !work.ended.is_cancelled() {
                continue;
            }
            match work.how.get() {
                Some(Ended::ByItself) if !work.leave.is_cancelled() => {
                    self.finished.insert(*job);
                }
                Some(Ended::Parked(wait)) => {
                    let switch = self.sender.receiver(work.scope, work.target).switch;
                    self.parked.park(*job, *wait, switch);
                }
                Some(Ended::ByItself | Ended::CutOff | Ended::Dispossessed) | None => {}
            }
        }
        self.at_work.retain(|_, work| !work.ended.is_cancelled());
    }

    fn next(&self, living: &Living) -> Vec<JobId> {
        let at_work: Vec<_> = self.at_work.values().map(|work| work.scope.org()).collect();
        let is_free = |job: &JobId| !self.at_work.contains_key(job) && !self.finished.contains(job);
        let candidates = living
            .iter()
            .filter(|(job, _)| is_free(job))
            .filter(|(id, (scope, job, _))| {
                let target = job.terms.target;
                self.parked.is_due(**id, || self.sender.receiver(*scope, target).switch)
            })
            .map(|(job, (scope, ..))| Candidate {
                org: scope.org(),
                job: *job,
                probe: self.parked.holds(*job),
            })
            .collect();
        choose(self.sender.config.replay_jobs, &at_work, candidates)
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
            scope,
            target: job.terms.target,
            over: CancellationToken::new(),
            leave: self.sender.context.drain.soft.child_token(),
            ended: CancellationToken::new(),
            how: Arc::default(),
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
        let told = told(sender, scope, name).await?;
        let selection = Arc::new(job.selection());
        let course = Course::Replay {
            selection: Arc::clone(&selection),
            until: plan.until_sequence,
            patience: sender.config.replay_patience,
        };
        let source = if told.torn {
            // What the lost fact acknowledged does not come again from the job's own consumer.
            Source::of_torn_job(sender, scope, job.id)
        } else {
            Source::of_job(sender, scope, job.id)
        };
        let start = Start {
            scope,
            name,
            course,
            state: told.last.map_or_else(|| beginning(plan), |(_, state)| state),
            last_fact: told.last_fact,
            target: job.terms.target,
            receiver: sender.receiver(scope, job.terms.target),
            supply: Supply::Replay { selection, source },
        };
        Ok(Driver::new(Arc::clone(sender), start))
    }

    fn spawn(&self, driver: Driver, lease: Lease, work: &Work) {
        let leash = Leash { soft: work.leave.clone(), hard: lease.lost() };
        let (over, how) = (work.over.clone(), Arc::clone(&work.how));
        let ended = work.ended.clone().drop_guard();
        self.sender.context.drain.spawn("replay", async move {
            let _ended = ended;
            let end = tokio::select! {
                end = driver.run(leash) => end,
                () = over.cancelled() => Ended::CutOff,
            };
            // Set once, here.
            let _ = how.set(end);
            lease.release().await;
        });
    }
}
