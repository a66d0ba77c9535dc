//! Looks up what a job reads.

use auditrelay_model::Scope;
use auditrelay_model::replay::{Job, Plan};
use auditrelay_replay_scheduler_core::plan::{Edge, between, last_sequence};
use auditrelay_streams::{ReadError, RecordHead, StoredRecord};

use crate::scheduler::Scheduler;

impl Scheduler {
    /// The records that may hold events of the job's window: the first and the last of its scope
    /// in the stretch of storage time, no later than its snapshot.
    pub(crate) async fn plan(&self, scope: Scope, job: &Job) -> Result<Plan, ReadError> {
        let reach = self.settings.reach;
        // From the leader; the other reads may be answered by a replica that lags behind.
        let Some(newest) = self.streams.last_record(scope).await? else { return Ok(Plan::EMPTY) };
        let begins = reach.begins(job.window);
        let Some(first) = self.streams.first_record_at(scope, begins).await? else {
            return if newest.stored_at < begins { Ok(Plan::EMPTY) } else { Err(lagging()) };
        };
        let beyond = self.streams.first_record_at(scope, reach.ends(job.window)).await?;
        let until = last_sequence(job.snapshot_sequence, beyond.map(|head| head.sequence));
        let last = if newest.sequence <= until {
            Some(edge_of_record(&newest))
        } else {
            self.streams.last_record_up_to(scope, until).await?.as_ref().map(edge_of_head)
        };
        Ok(between(Some(edge_of_head(&first)), last))
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

fn edge_of_record(stored: &StoredRecord) -> Edge {
    Edge {
        sequence: stored.sequence,
        epoch: stored.record.epoch,
        first_number: stored.record.first_number,
        last_number: stored.record.last_number(),
    }
}
