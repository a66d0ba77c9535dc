//! Comparing what was accepted with what arrived.

use std::collections::HashSet;

/// Fails unless exactly these arrived, in this order, each once.
pub(crate) fn exactly(arrived: &[String], accepted: &[String]) {
    assert_eq!(arrived.len(), accepted.len(), "{}", difference(arrived, accepted));
    assert_eq!(arrived, accepted, "the order differs");
}

/// Fails unless all of these arrived and nothing else, first arrivals in this order.
pub(crate) fn at_least_once(arrived: &[String], accepted: &[String]) {
    let mut seen = HashSet::new();
    let first: Vec<_> = arrived.iter().filter(|id| seen.insert(*id)).cloned().collect();
    assert_eq!(first.len(), accepted.len(), "{}", difference(&first, accepted));
    assert_eq!(first, accepted, "the order of first arrivals differs");
}

/// How many arrived more than once.
pub(crate) fn repeated(arrived: &[String]) -> usize {
    arrived.len() - arrived.iter().collect::<HashSet<_>>().len()
}

fn difference(arrived: &[String], accepted: &[String]) -> String {
    let (came, were): (HashSet<_>, HashSet<_>) =
        (arrived.iter().collect(), accepted.iter().collect());
    let lost = were.difference(&came).count();
    let strange = came.difference(&were).count();
    format!("{lost} were lost, {strange} were never accepted, {} came again", repeated(arrived))
}
