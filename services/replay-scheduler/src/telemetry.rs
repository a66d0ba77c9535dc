//! What happened: log lines and counts together.

use std::collections::BTreeMap;

use auditrelay_model::id::JobId;
use auditrelay_model::replay::{Job, Jobs, Progress, ReplayFact};
use auditrelay_model::{Scope, Timestamp};
use auditrelay_replay_scheduler_core::Decided;
use auditrelay_runtime::metrics::Metrics;
use auditrelay_streams::ReplayReply;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

use crate::scheduler::Trouble;

/// One label, as pairs; the names are ours and short.
type Label = [(&'static str, String); 1];

/// Every state that a job can be in.
const STATES: [&str; 8] =
    ["queued", "accepted", "pending", "running", "paused", "completed", "failed", "cancelled"];

/// Counts of this service.
#[derive(Debug, Clone)]
pub(crate) struct Telemetry {
    jobs: Family<Label, Gauge>,
    events: Family<Label, Counter>,
    durations: Family<Label, Histogram>,
    transitions: Family<Label, Counter>,
    commands: Family<Label, Counter>,
    troubles: Counter,
    swept: Counter,
}

impl Telemetry {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let telemetry = Self {
            jobs: Family::default(),
            events: Family::default(),
            durations: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.5, 2.0, 18))
            }),
            transitions: Family::default(),
            commands: Family::default(),
            troubles: Counter::default(),
            swept: Counter::default(),
        };
        let Self { jobs, events, durations, transitions, commands, troubles, swept } =
            telemetry.clone();
        metrics.register(
            "replay_job_duration_seconds",
            "Time from a replay job's acceptance to its end",
            durations,
        );
        metrics.register(
            "replay_jobs",
            "Replay jobs by state: the newest of each log, and those behind it",
            jobs,
        );
        metrics.register("replay_events", "Events of replay jobs by outcome", events);
        metrics.register("replay_transitions", "Facts about replay jobs", transitions);
        metrics.register("replay_commands", "Commands by answer", commands);
        metrics.register(
            "replay_troubles",
            "Looks at a job that failed and are repeated",
            troubles,
        );
        metrics.register("replay_consumers_swept", "Consumers removed that had no job", swept);
        telemetry
    }

    /// A fact was stored by this replica; `job` is the scope's newest job before it.
    pub(crate) fn recorded(
        &self,
        scope: Scope,
        decided: &Decided,
        job: Option<&Job>,
        now: Timestamp,
    ) {
        self.count_end(decided, job, now);
        let before = job.map(Job::progress).unwrap_or_default();
        let Decided { job, fact } = decided;
        self.transitions.get_or_create(&[("to", fact.to_string())]).inc();
        match fact {
            ReplayFact::Accepted { window, .. } => tracing::info!(
                %scope, job.id = %job, window.start = %window.start(), window.end = %window.end(),
                "replay job accepted"
            ),
            ReplayFact::Scheduled(plan) => tracing::info!(
                %scope, job.id = %job, from = plan.from_sequence, until = plan.until_sequence,
                events_max = plan.estimated_events, "replay job scheduled"
            ),
            ReplayFact::Started { holder } => {
                tracing::info!(%scope, job.id = %job, holder, "replay job is run by a sender");
            }
            ReplayFact::Advanced(progress) => {
                self.count_events(before, *progress);
                tracing::debug!(
                    %scope, job.id = %job, events = progress.events_sent, "replay job came further"
                );
            }
            ReplayFact::Paused { reason } => {
                tracing::info!(%scope, job.id = %job, reason, "replay job paused");
            }
            ReplayFact::Resumed => tracing::info!(%scope, job.id = %job, "replay job resumed"),
            ReplayFact::Completed(progress) => {
                self.count_events(before, *progress);
                tracing::info!(
                    %scope, job.id = %job, events = progress.events_sent,
                    skipped = progress.events_skipped, quarantined = progress.events_quarantined,
                    "replay job completed"
                );
            }
            ReplayFact::Failed { failure, progress } => {
                self.count_events(before, *progress);
                tracing::warn!(
                    %scope, job.id = %job, code = failure.code, reason = failure.reason,
                    events = progress.events_sent, "replay job failed"
                );
            }
            ReplayFact::Cancelled { reason, progress } => {
                self.count_events(before, *progress);
                tracing::info!(
                    %scope, job.id = %job, reason, events = progress.events_sent,
                    "replay job cancelled"
                );
            }
        }
    }

    fn count_end(&self, decided: &Decided, job: Option<&Job>, now: Timestamp) {
        let Some(job) = job.filter(|job| job.id == decided.job) else { return };
        let end = match decided.fact {
            ReplayFact::Completed(_) => "completed",
            ReplayFact::Failed { .. } => "failed",
            ReplayFact::Cancelled { .. } => "cancelled",
            ReplayFact::Accepted { .. }
            | ReplayFact::Scheduled(_)
            | ReplayFact::Started { .. }
            | ReplayFact::Advanced(_)
            | ReplayFact::Paused { .. }
            | ReplayFact::Resumed => return,
        };
        let took = now.since(job.accepted_at).as_secs_f64();
        self.durations.get_or_create(&[("end", end.to_owned())]).observe(took);
    }

    fn count_events(&self, before: Progress, now: Progress) {
        let counts = [
            ("sent", before.events_sent, now.events_sent),
            ("skipped", before.events_skipped, now.events_skipped),
            ("quarantined", before.events_quarantined, now.events_quarantined),
            ("expired", before.events_expired, now.events_expired),
        ];
        for (outcome, before, now) in counts {
            let label = [("outcome", outcome.to_owned())];
            self.events.get_or_create(&label).inc_by(now.saturating_sub(before));
        }
    }

    /// The jobs of all scopes were looked at: the newest of each, and those behind it.
    pub(crate) fn count_jobs<'a>(&self, all: impl Iterator<Item = &'a Jobs>) {
        let mut counts: BTreeMap<_, i64> = STATES.iter().map(|state| (*state, 0)).collect();
        for jobs in all {
            let newest = jobs
                .newest
                .as_ref()
                .map(|job| if job.paused.is_some() { "paused" } else { job.state_name() });
            let waiting = jobs.waiting.iter().map(|_| "queued");
            waiting.chain(newest).for_each(|state| *counts.entry(state).or_default() += 1);
        }
        for (state, count) in counts {
            self.jobs.get_or_create(&[("state", state.to_owned())]).set(count);
        }
    }

    /// A command was answered.
    pub(crate) fn answered(&self, reply: &ReplayReply) {
        let answer = match reply {
            ReplayReply::Stored { .. } => "stored",
            ReplayReply::Estimated(estimate) => {
                let (events, exact) = (estimate.tally.events, estimate.exact);
                tracing::info!(events, exact, "replay job estimated");
                "estimated"
            }
            ReplayReply::Denied { detail, .. } => {
                tracing::info!(detail, "replay command denied");
                "denied"
            }
            ReplayReply::Unavailable(reason) => {
                tracing::warn!(reason, "replay command not carried out");
                "unavailable"
            }
        };
        self.commands.get_or_create(&[("answer", answer.to_owned())]).inc();
    }

    /// A job could not be looked at or changed; it is tried again.
    pub(crate) fn trouble(&self, scope: Scope, trouble: &Trouble) {
        self.troubles.inc();
        let error: &dyn std::error::Error = trouble;
        tracing::warn!(%scope, error, "replay job is looked at again later");
    }

    /// A consumer without a job was removed.
    pub(crate) fn swept(&self, job: JobId) {
        self.swept.inc();
        tracing::info!(job.id = %job, "consumer of an ended replay job removed");
    }
}
