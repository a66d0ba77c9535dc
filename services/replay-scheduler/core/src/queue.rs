//! Whose turn it is: so many jobs of one organization at a time.

use auditrelay_model::replay::{Job, Phase};

/// Whether an accepted job may begin. `others` are the organization's other jobs that have not
/// ended and are the first of their scope: those that have begun keep their place, also while they
/// are paused, and of the rest the oldest come first.
pub fn may_begin<'a>(job: &Job, others: impl IntoIterator<Item = &'a Job>, at_once: usize) -> bool {
    let age = |job: &Job| (job.accepted_at, job.id);
    let before = others.into_iter().filter(|other| match other.phase {
        Phase::Accepted => age(other) < age(job),
        Phase::Pending(_) | Phase::Running { .. } => true,
        Phase::Completed(_) | Phase::Failed { .. } | Phase::Cancelled { .. } => false,
    });
    before.count() < at_once
}
