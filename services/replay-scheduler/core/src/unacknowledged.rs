//! Which numbers of a log a destination has not acknowledged.

use std::collections::BTreeMap;

use auditrelay_model::delivery::Attempt;
use auditrelay_model::id::DestinationId;
use auditrelay_model::record::Position;
use auditrelay_model::replay::Stretch;

/// Stretches that a job names at most. Beyond it those that lie next to each other are joined, and
/// what lies between them is sent once more: never less than was asked for.
pub const STRETCHES_MAX: usize = 2_000;

/// What a destination has acknowledged, gathered attempt by attempt in any order.
#[derive(Debug, Clone)]
pub struct Acknowledged {
    destination: DestinationId,
    /// Last number by the life of the chain and the first number; no two touch each other.
    runs: BTreeMap<(u64, u64), u64>,
}

impl Acknowledged {
    /// Nothing yet.
    pub const fn by(destination: DestinationId) -> Self {
        Self { destination, runs: BTreeMap::new() }
    }

    /// Counts what an attempt brought to the destination.
    pub fn note(&mut self, attempt: &Attempt) {
        if !attempt.delivered || attempt.destination != self.destination {
            return;
        }
        let (epoch, first, last) = (attempt.last.epoch, attempt.first.number, attempt.last.number);
        if !attempt.runs.is_empty() {
            attempt.runs.iter().for_each(|(first, last)| self.add(epoch, *first, *last));
        } else if attempt.first.epoch == epoch
            && (first + attempt.events).checked_sub(1) == Some(last)
        {
            self.add(epoch, first, last);
        }
        // What an older sender left out of a batch is not told: all of it counts as not brought.
    }

    fn add(&mut self, epoch: u64, mut first: u64, mut last: u64) {
        while let Some((start, end)) = self.touching(epoch, first, last) {
            self.runs.remove(&(epoch, start));
            (first, last) = (first.min(start), last.max(end));
        }
        self.runs.insert((epoch, first), last);
    }

    /// A run that overlaps these numbers, or lies right beside them.
    fn touching(&self, epoch: u64, first: u64, last: u64) -> Option<(u64, u64)> {
        let begins_before = self.runs.range(..=(epoch, last.saturating_add(1))).next_back();
        let (&(of, start), &end) = begins_before?;
        (of == epoch && end.saturating_add(1) >= first).then_some((start, end))
    }

    /// The numbers behind `before` up to `last` that were not acknowledged, in order.
    pub fn missing(&self, before: Position, last: Position) -> Vec<Stretch> {
        let mut missing = Vec::new();
        let mut next = (before.epoch, before.number + 1);
        let end = (last.epoch, last.number);
        for (&(epoch, start), &run_end) in &self.runs {
            if (epoch, run_end) < next {
                continue;
            }
            if (epoch, start) > end {
                break;
            }
            push(&mut missing, next, (epoch, start.saturating_sub(1)));
            next = next.max((epoch, run_end + 1));
        }
        push(&mut missing, next, end);
        join(missing)
    }
}

/// What lies between two places, which may be of different lives of the chain.
fn push(missing: &mut Vec<Stretch>, from: (u64, u64), to: (u64, u64)) {
    let ((epoch, first), (to_epoch, to_number)) = (from, to);
    for epoch in epoch..=to_epoch {
        let first = if epoch == from.0 { first } else { 1 };
        let last = if epoch == to_epoch { to_number } else { u64::MAX };
        if first <= last {
            missing.push(Stretch { epoch, first, last });
        }
    }
}

/// Joins neighbours, the nearest first, until there are few enough.
fn join(stretches: Vec<Stretch>) -> Vec<Stretch> {
    if stretches.len() <= STRETCHES_MAX {
        return stretches;
    }
    let gap = |pair: &[Stretch]| match pair {
        [one, next] if one.epoch == next.epoch => next.first - one.last,
        _ => u64::MAX,
    };
    let mut gaps: Vec<u64> = stretches.windows(2).map(gap).collect();
    gaps.sort_unstable();
    let widest = gaps.get(stretches.len() - STRETCHES_MAX - 1).copied().unwrap_or(u64::MAX - 1);
    let mut joined: Vec<Stretch> = Vec::new();
    for stretch in stretches {
        match joined.last_mut() {
            Some(before)
                if before.epoch == stretch.epoch && stretch.first - before.last <= widest =>
            {
                before.last = stretch.last;
            }
            _ => joined.push(stretch),
        }
    }
    joined
}

#[cfg(test)]
#[path = "unacknowledged_tests.rs"]
mod tests;
