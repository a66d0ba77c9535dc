//! Jobs whose receiver is down, until they are probed again.

use std::collections::HashMap;
use std::time::Duration;

use auditrelay_model::id::JobId;
use auditrelay_webhook_sender_core::lane::Switch;
use tokio::time::Instant;

/// Jobs whose receiver is down.
#[derive(Debug, Default)]
pub(super) struct Parked(HashMap<JobId, Place>);

#[derive(Debug)]
struct Place {
    due: Instant,
    /// The receiver that failed.
    switch: Switch,
}

impl Parked {
    pub(super) fn park(&mut self, job: JobId, wait: Duration, switch: Switch) {
        self.0.insert(job, Place { due: Instant::now() + wait, switch });
    }

    /// Whether the job's receiver failed when it was last asked.
    pub(super) fn holds(&self, job: JobId) -> bool {
        self.0.contains_key(&job)
    }

    /// Whether it may be tried now: its wait is over, or its receiver was changed meanwhile.
    pub(super) fn is_due(&self, job: JobId, switch: impl FnOnce() -> Switch) -> bool {
        let place = self.0.get(&job);
        place.is_none_or(|place| Instant::now() >= place.due || place.switch != switch())
    }

    pub(super) fn retain(&mut self, wanted: impl Fn(JobId) -> bool) {
        self.0.retain(|job, _| wanted(*job));
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
