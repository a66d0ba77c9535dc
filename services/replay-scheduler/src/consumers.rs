//! What a job's lane reads through: made before the job is pending, removed after it ended.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use auditrelay_model::Scope;
use auditrelay_model::id::JobId;
use auditrelay_model::replay::{Job, Phase, Plan};
use auditrelay_streams::ReadError;

use crate::scheduler::Scheduler;

impl Scheduler {
    /// Makes the job's consumer, at the sequence where its plan begins; to make it again is
    /// harmless.
    pub(crate) async fn make_consumer(
        &self,
        scope: Scope,
        job: JobId,
        plan: &Plan,
    ) -> Result<(), ReadError> {
        self.streams.create_replay_consumer(scope, job, plan.from_sequence).await
    }

    /// Removes the consumers of jobs whose end was recorded here.
    pub(crate) async fn remove_consumers(&self) -> Result<(), ReadError> {
        let over = self.over.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for job in over {
            self.streams.delete_replay_consumer(job).await?;
            self.over.lock().unwrap_or_else(PoisonError::into_inner).remove(&job);
        }
        Ok(())
    }

    /// Removes consumers without a living job, which a crash leaves behind, and makes those again
    /// that living jobs have lost.
    pub async fn sweep(&self) -> Result<(), ReadError> {
        // In this order: a consumer is made after its job was accepted, so a consumer that was
        // listed before catching up belongs to a job that is known afterwards.
        let consumers = self.streams.replay_consumers().await?;
        self.replay.caught_up(super::reactor::READ_PATIENCE).await?;
        let mut reading = self.reading_jobs();
        for consumer in consumers {
            match reading.remove(&consumer) {
                Some(Reader::MayHave | Reader::MustHave(..)) => {}
                None => {
                    self.streams.delete_replay_consumer(consumer).await?;
                    self.telemetry.swept(consumer);
                }
            }
        }
        for (id, reader) in reading {
            if let Reader::MustHave(scope, job) = reader {
                tracing::warn!(job.id = %id, "a job lost its consumer: it is made again");
                if let Some(plan) = job.plan() {
                    self.make_consumer(scope, id, plan).await?;
                }
            }
        }
        Ok(())
    }

    fn reading_jobs(&self) -> BTreeMap<JobId, Reader> {
        let living = self.living_jobs().into_iter();
        living.map(|(scope, job)| (job.id, Reader::of(scope, job))).collect()
    }

    /// Every scope with a job under way.
    pub(crate) fn living_jobs(&self) -> Vec<(Scope, Job)> {
        let all = self.replay.all().into_iter();
        all.filter_map(|(scope, jobs)| Some((scope, jobs.living()?.clone()))).collect()
    }
}

/// Whether a living job has a consumer.
enum Reader {
    /// It is being planned, or has nothing to read.
    MayHave,
    /// Its lane reads through it.
    MustHave(Scope, Box<Job>),
}

impl Reader {
    fn of(scope: Scope, job: Job) -> Self {
        let reads = |plan: &Plan| !plan.is_empty();
        match &job.phase {
            Phase::Pending(plan) | Phase::Running { plan, .. } if reads(plan) => {
                Self::MustHave(scope, Box::new(job))
            }
            Phase::Accepted
            | Phase::Pending(_)
            | Phase::Running { .. }
            | Phase::Completed(_)
            | Phase::Failed { .. }
            | Phase::Cancelled { .. } => Self::MayHave,
        }
    }
}
