//! Which replay jobs a sender takes up next. What is on hold occupies no slot; one organization's
//! jobs never occupy all of them.

use std::collections::HashMap;

use auditrelay_model::id::{JobId, OrgId};

/// A job that could be taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Whose.
    pub org: OrgId,
    /// Which; older jobs have smaller ids.
    pub job: JobId,
    /// Its receiver failed before: this would be a probe.
    pub probe: bool,
}

/// Chooses among `candidates` while jobs of `at_work` occupy their slots, one for each: the
/// organization with the fewest at work goes first, of its jobs those that are no probes, the
/// oldest first. No organization gets more than half of the slots.
pub fn choose(slots: usize, at_work: &[OrgId], mut candidates: Vec<Candidate>) -> Vec<JobId> {
    let share = slots.div_ceil(2);
    let mut occupied: HashMap<OrgId, usize> = HashMap::new();
    for org in at_work {
        *occupied.entry(*org).or_default() += 1;
    }
    candidates.sort_by_key(|candidate| (candidate.probe, candidate.job));
    let mut free = slots.saturating_sub(at_work.len());
    let mut chosen = Vec::new();
    while free > 0 {
        let of = |candidate: &Candidate| occupied.get(&candidate.org).copied().unwrap_or(0);
        let next = candidates
            .iter()
            .enumerate()
            .filter(|(_, candidate)| of(candidate) < share)
            .min_by_key(|(index, candidate)| (candidate.probe, of(candidate), *index))
            .map(|(index, _)| index);
        let Some(next) = next else { break };
        let candidate = candidates.remove(next);
        *occupied.entry(candidate.org).or_default() += 1;
        chosen.push(candidate.job);
        free -= 1;
    }
    chosen
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn org(n: u128) -> OrgId {
        OrgId::from_uuid(Uuid::from_u128(n))
    }

    fn job(n: u128) -> JobId {
        JobId::from_uuid(Uuid::from_u128(n))
    }

    fn candidate(whose: u128, which: u128, probe: bool) -> Candidate {
        Candidate { org: org(whose), job: job(which), probe }
    }

    #[test]
    fn one_organization_never_occupies_everything() {
        let many = (0..100).map(|n| candidate(1, n, false)).collect();
        assert_eq!(choose(8, &[], many).len(), 4);
        assert_eq!(choose(8, &[org(1); 4], vec![candidate(1, 9, false)]), []);
        assert_eq!(choose(1, &[], vec![candidate(1, 9, false)]), [job(9)]);
    }

    #[test]
    fn organizations_take_turns_and_the_oldest_job_of_each_is_first() {
        let candidates =
            vec![candidate(1, 3, false), candidate(1, 2, false), candidate(2, 9, false)];
        assert_eq!(choose(6, &[], candidates), [job(2), job(9), job(3)]);
    }

    #[test]
    fn who_was_never_refused_goes_before_a_probe() {
        let candidates = vec![candidate(1, 1, true), candidate(2, 2, false)];
        assert_eq!(choose(1, &[], candidates), [job(2)]);
    }

    #[test]
    fn full_is_full() {
        assert_eq!(choose(2, &[org(1), org(2)], vec![candidate(3, 1, false)]), []);
    }
}
