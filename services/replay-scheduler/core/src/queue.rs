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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use auditrelay_model::id::JobId;
    use auditrelay_model::replay::{Plan, Progress, Terms};
    use auditrelay_model::{Timestamp, Window};
    use uuid::Uuid;

    use super::*;

    /// Accepted in this second.
    fn job(id: u128, second: i64, phase: Phase) -> Job {
        let at = Timestamp::from_nanos(second * 1_000_000_000);
        Job {
            id: JobId::from_uuid(Uuid::from_u128(id)),
            window: Window::stored(at, at),
            terms: Terms::default(),
            snapshot_sequence: 1,
            actor: "test".to_owned(),
            accepted_at: at,
            started_at: None,
            updated_at: at,
            paused: None,
            rested: Duration::ZERO,
            steps: Vec::new(),
            phase,
        }
    }

    #[test]
    fn those_that_have_begun_and_those_that_are_older_come_first() {
        let own = job(5, 50, Phase::Accepted);
        let holder = "a".to_owned();
        let running = Phase::Running { plan: Plan::EMPTY, holder, progress: Progress::default() };
        let table = [
            (job(1, 40, Phase::Accepted), true),
            (job(1, 50, Phase::Accepted), true),
            (job(9, 50, Phase::Accepted), false),
            (job(9, 60, Phase::Accepted), false),
            (job(9, 60, Phase::Pending(Plan::EMPTY)), true),
            (job(9, 60, running), true),
            (job(1, 40, Phase::Completed(Progress::default())), false),
        ];
        for (other, comes_first) in &table {
            assert_eq!(may_begin(&own, [other], 1), !comes_first, "{other:?}");
            assert!(may_begin(&own, [other], 2), "there is room for two");
        }
        let first = table.iter().filter(|(_, comes_first)| *comes_first).count();
        let all = || table.iter().map(|(other, _)| other);
        assert!(!may_begin(&own, all(), first));
        assert!(may_begin(&own, all(), first + 1));
    }
}
