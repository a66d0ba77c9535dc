//! All jobs of one scope.

use super::Job;
use crate::id::JobId;

/// Jobs of a scope that wait behind the newest, at most.
pub const WAITING_MAX: usize = 20;

/// Ended jobs of a scope that are remembered; older ones are forgotten.
pub const PAST_MAX: usize = 100;

/// All jobs of one scope.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Jobs {
    /// The one that is under way, or else the last that was. Before the first there is none:
    /// *unconfigured*.
    pub newest: Option<Job>,
    /// Those that come after it, in order.
    pub waiting: Vec<Job>,
    /// Those that ended before it, the oldest first.
    pub past: Vec<Job>,
}

impl Jobs {
    /// The job that is under way.
    pub fn living(&self) -> Option<&Job> {
        self.newest.as_ref().filter(|job| !job.is_ended())
    }

    /// A job by its id.
    pub fn find(&self, id: JobId) -> Option<&Job> {
        self.all().find(|job| job.id == id)
    }

    /// How many have to end before this one can run; none unless it waits.
    pub fn place(&self, id: JobId) -> Option<usize> {
        self.waiting.iter().position(|job| job.id == id).map(|place| place + 1)
    }

    /// Every job that is known, in the order in which they run.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = &Job> {
        self.past.iter().chain(&self.newest).chain(&self.waiting)
    }
}
