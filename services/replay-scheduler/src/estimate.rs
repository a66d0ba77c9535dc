//! Counts what a job would send, and says how long that is likely to take.

use std::time::Duration;

use auditrelay_model::replay::{Jobs, Phase, Plan, Stretch, Tally};
use auditrelay_replay_scheduler_core::count::Counter;
use auditrelay_streams::{Estimate, Fetched, ReadError, encoded_len};
use tokio::time::Instant;

use crate::planner::Order;
use crate::scheduler::Scheduler;

/// Records asked for at once.
const TOGETHER: usize = 500;

/// After this long the count is given as the least.
pub(crate) const ESTIMATED_WITHIN: Duration = Duration::from_secs(8);

/// What is assumed of a receiver that no job was sent to yet: requests a second, one after the
/// other.
const REQUESTS_PER_SECOND: f64 = 4.0;

/// Jobs that sent fewer events tell little about a rate.
const TELLING_EVENTS: u64 = 1_000;

/// What was counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counted {
    pub(crate) tally: Tally,
    /// All of it was.
    pub(crate) exact: bool,
}

impl Scheduler {
    /// What a job would send now.
    pub(crate) async fn estimate(&self, order: &Order) -> Result<Estimate, ReadError> {
        let plan = self.plan(order).await?;
        let counted = self.count(order, &plan, ESTIMATED_WITHIN).await?;
        let jobs = self.replay.get(&order.scope).state;
        let measured = measured_rate(&jobs);
        let Tally { events, batches, .. } = counted.tally;
        let rate = measured
            .unwrap_or_else(|| REQUESTS_PER_SECOND * real(events.max(1)) / real(batches.max(1)));
        Ok(Estimate {
            tally: counted.tally,
            exact: counted.exact,
            events_max: plan.estimated_events,
            duration: Duration::try_from_secs_f64(real(events) / rate).unwrap_or(Duration::MAX),
            events_per_second: rate,
            is_rate_measured: measured.is_some(),
        })
    }

    /// Counts what a plan selects, until it is done or `within` is over.
    pub(crate) async fn count(
        &self,
        order: &Order,
        plan: &Plan,
        within: Duration,
    ) -> Result<Counted, ReadError> {
        let selection = order.selection(plan);
        let mut counter = Counter::new(selection, plan.before, self.settings.batch);
        let (mut from, begun) = (plan.from_sequence, Instant::now());
        while from <= plan.until_sequence {
            if begun.elapsed() >= within {
                return Ok(Counted { tally: counter.tally(), exact: false });
            }
            let (records, more) = self.streams.records_from(order.scope, from, TOGETHER).await?;
            let Some(last) = records.last() else { break };
            from = last.head.sequence + 1;
            let until = plan.until_sequence;
            counter = count_away(counter, records, until).await?;
            if !more {
                break;
            }
        }
        Ok(Counted { tally: counter.tally(), exact: true })
    }
}

/// Decoding megabytes is work for a processor: off the threads that serve sockets.
async fn count_away(
    mut counter: Counter,
    records: Vec<Fetched>,
    until: u64,
) -> Result<Counter, ReadError> {
    let work = move || {
        for fetched in records.iter().filter(|fetched| fetched.head.sequence <= until) {
            let head = &fetched.head;
            let (epoch, first, last) = (head.epoch, head.first_number, head.last_number);
            if !counter.wants(Stretch { epoch, first, last }, head.ts_min, head.ts_max) {
                continue;
            }
            // The job itself will stop there and say so.
            let Ok(record) = fetched.decode() else { continue };
            counter.take((epoch, record.first_number), &record.events, encoded_len);
        }
        counter
    };
    let counted = tokio::task::spawn_blocking(work).await;
    counted.map_err(|_| ReadError::Unavailable("this process stops".to_owned()))
}

/// Events a second of the newest job that tells.
fn measured_rate(jobs: &Jobs) -> Option<f64> {
    let completed = jobs.all().rev().filter_map(|job| match job.phase {
        Phase::Completed(progress) if progress.events_sent >= TELLING_EVENTS => {
            let seconds = job.worked(job.updated_at).as_secs_f64();
            (seconds > 0.0).then(|| real(progress.events_sent) / seconds)
        }
        Phase::Completed(_)
        | Phase::Accepted
        | Phase::Pending(_)
        | Phase::Running { .. }
        | Phase::Failed { .. }
        | Phase::Cancelled { .. } => None,
    });
    completed.into_iter().next()
}

/// Counts far below 2^53, so that nothing is lost.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
const fn real(count: u64) -> f64 {
    count as f64
}
