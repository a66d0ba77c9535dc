//! How a job reads on our own wire, with everything that a progress bar wants.

use auditrelay_model::delivery::{Hold, LaneState};
use auditrelay_model::replay::{Job, Phase, Progress};
use auditrelay_model::{Scope, Timestamp};
use serde::Serialize;

/// What is seen of a job from outside.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// Its lane, which knows more than the job while that runs.
    pub lane: &'a LaneState,
    /// The time now.
    pub now: Timestamp,
    /// How many jobs of its log have to end before it.
    pub place: Option<usize>,
    /// When the last event happened that was dealt with.
    pub event_at: Option<Timestamp>,
}

/// A job on our own wire.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// Its id; none before the first job.
    pub id: Option<String>,
    /// Its name, if it was given one.
    pub name: Option<String>,
    /// Whose log: `org` or a portal's id.
    pub scope: String,
    /// `unconfigured`, `queued`, `accepted`, `pending`, `running`, `paused`, `completed`, `failed`
    /// or `cancelled`.
    pub state: &'static str,
    /// First instant that is sent again.
    pub start_at: Option<String>,
    /// Last instant that is sent again.
    pub end_at: Option<String>,
    /// Only these kinds of events; empty for all.
    pub kinds: Vec<&'static str>,
    /// Only what the destination has not acknowledged.
    pub unacknowledged_only: bool,
    /// Where it goes, unless to the log's webhook.
    pub destination_id: Option<String>,
    /// How it is written, unless as the destination says.
    pub log_format: Option<&'static str>,
    /// The job whose rest it sends.
    pub retry_of: Option<String>,
    /// Who asked for it: a token's id.
    pub actor: Option<String>,
    /// When it was accepted.
    pub accepted_at: Option<String>,
    /// When a sender first took it.
    pub started_at: Option<String>,
    /// When it last changed.
    pub updated_at: Option<String>,
    /// The sender that runs it.
    pub holder: Option<String>,
    /// How many jobs of its log have to end before it can begin.
    pub queue_position: Option<usize>,
    /// Since when and why it waits for somebody.
    pub paused: Option<PauseView>,
    /// Why nothing is sent at the moment.
    pub hold: Option<HoldView>,
    /// Why it did not end well.
    pub failure: Option<FailureView>,
    /// What it has done.
    pub progress: ProgressView,
    /// Most events that will be looked at; none until it is planned.
    pub estimated_events: Option<u64>,
    /// Events that it sends, where they were counted.
    pub events_total: Option<u64>,
    /// How much of it is done.
    pub percent: u64,
    /// Seconds that it is likely to take from here on.
    pub eta_seconds: Option<u64>,
    /// When the last event happened that was dealt with.
    pub current_event_at: Option<String>,
    /// What happened to it.
    pub history: Vec<StepView>,
}

/// Why a job failed or was cancelled.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct FailureView {
    /// In a word.
    pub code: String,
    /// In words.
    pub reason: String,
    /// Who can act: `organization`, `operator` or `nobody`.
    pub who_acts: &'static str,
}

/// Why a job waits for somebody.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct PauseView {
    /// Since when.
    pub since: String,
    /// Who wanted it.
    pub actor: String,
    /// Why.
    pub reason: String,
}

/// Why nothing is sent.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct HoldView {
    /// Since when.
    pub since: String,
    /// Why.
    pub reason: String,
    /// Who can act: `organization` must, or `nobody` needs to, because it is tried again.
    pub who_acts: &'static str,
}

/// One line of a job's history.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct StepView {
    /// When.
    pub at: String,
    /// Who: a token's id, or the name of a service.
    pub actor: String,
    /// What, in a word.
    pub what: &'static str,
    /// Why, where somebody said so.
    pub reason: String,
}

/// What a job has done.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct ProgressView {
    /// Delivered to the receiver.
    pub events_sent: u64,
    /// Read but not selected.
    pub events_skipped: u64,
    /// Refused by the receiver one by one.
    pub events_quarantined: u64,
    /// Gone before they could be read.
    pub events_expired: u64,
    /// Bytes before compression.
    pub bytes_sent: u64,
    /// HTTP requests.
    pub requests: u64,
}

impl Detail {
    /// A job as it is seen.
    pub fn of(scope: Scope, job: &Job, seen: &Seen<'_>) -> Self {
        let progress =
            if job.is_ended() { job.progress() } else { newest(job.progress(), seen.lane) };
        let plan = job.plan();
        let estimated_events = plan.map(|plan| plan.estimated_events);
        let completed = matches!(job.phase, Phase::Completed(_));
        let mut detail = Self::asked(scope, job);
        detail.state = state(job, seen.place);
        detail.started_at = job.started_at.map(|at| at.to_string());
        detail.updated_at = Some(job.updated_at.to_string());
        detail.holder = holder(&job.phase);
        detail.queue_position = seen.place;
        detail.hold = if job.is_ended() { None } else { seen.lane.hold.as_ref().map(HoldView::of) };
        detail.failure = FailureView::of(&job.phase);
        detail.progress = ProgressView::from(progress);
        detail.estimated_events = estimated_events;
        detail.events_total = plan.and_then(|plan| plan.tally).map(|tally| tally.events);
        detail.percent = if completed { 100 } else { percent(progress, estimated_events) };
        detail.eta_seconds = eta(job, progress, seen.now);
        detail.current_event_at = seen
            .event_at
            .filter(|_| !job.is_ended())
            .map(|at| at.max(job.window.start()).min(job.window.end()).to_string());
        detail
    }

    /// A log without any job.
    pub fn unconfigured(scope: Scope) -> Self {
        Self {
            id: None,
            name: None,
            scope: scope.token(),
            state: "unconfigured",
            start_at: None,
            end_at: None,
            kinds: Vec::new(),
            unacknowledged_only: false,
            destination_id: None,
            log_format: None,
            retry_of: None,
            actor: None,
            accepted_at: None,
            started_at: None,
            updated_at: None,
            holder: None,
            queue_position: None,
            paused: None,
            hold: None,
            failure: None,
            progress: ProgressView::default(),
            estimated_events: None,
            events_total: None,
            percent: 0,
            eta_seconds: None,
            current_event_at: None,
            history: Vec::new(),
        }
    }

    /// What was asked for, by whom, and what happened to it.
    fn asked(scope: Scope, job: &Job) -> Self {
        let terms = &job.terms;
        Self {
            id: Some(job.id.to_string()),
            name: terms.name.clone(),
            start_at: Some(job.window.start().to_string()),
            end_at: Some(job.window.end().to_string()),
            kinds: terms.kinds.iter().map(|kind| kind.name()).collect(),
            unacknowledged_only: terms.unacknowledged_only,
            destination_id: terms.target.destination.map(|id| id.to_string()),
            log_format: terms.target.log_format.map(auditrelay_model::destination::LogFormat::name),
            retry_of: terms.remainder.map(|remainder| remainder.of.to_string()),
            actor: Some(job.actor.clone()),
            accepted_at: Some(job.accepted_at.to_string()),
            paused: job.paused.as_ref().map(|pause| PauseView {
                since: pause.since.to_string(),
                actor: pause.actor.clone(),
                reason: pause.reason.clone(),
            }),
            history: job.steps.iter().map(StepView::of).collect(),
            ..Self::unconfigured(scope)
        }
    }
}

fn state(job: &Job, place: Option<usize>) -> &'static str {
    if job.paused.is_some() {
        "paused"
    } else if place.is_some() {
        "queued"
    } else {
        job.state_name()
    }
}

fn holder(phase: &Phase) -> Option<String> {
    match phase {
        Phase::Running { holder, .. } => Some(holder.clone()),
        Phase::Accepted
        | Phase::Pending(_)
        | Phase::Completed(_)
        | Phase::Failed { .. }
        | Phase::Cancelled { .. } => None,
    }
}

impl FailureView {
    fn of(phase: &Phase) -> Option<Self> {
        match phase {
            Phase::Failed { failure, .. } => Some(Self {
                code: failure.code.clone(),
                reason: failure.reason.clone(),
                who_acts: failure.actor().name(),
            }),
            Phase::Cancelled { reason, .. } => Some(Self {
                code: "cancelled".to_owned(),
                reason: reason.clone(),
                who_acts: "nobody",
            }),
            Phase::Accepted | Phase::Pending(_) | Phase::Running { .. } | Phase::Completed(_) => {
                None
            }
        }
    }
}

impl HoldView {
    fn of(hold: &Hold) -> Self {
        Self {
            since: hold.since.to_string(),
            reason: hold.reason.clone(),
            who_acts: if hold.customer_must_act { "organization" } else { "nobody" },
        }
    }
}

impl StepView {
    fn of(step: &auditrelay_model::replay::Step) -> Self {
        Self {
            at: step.at.to_string(),
            actor: step.actor.clone(),
            what: step.what,
            reason: step.reason.clone(),
        }
    }
}

impl From<Progress> for ProgressView {
    fn from(progress: Progress) -> Self {
        Self {
            events_sent: progress.events_sent,
            events_skipped: progress.events_skipped,
            events_quarantined: progress.events_quarantined,
            events_expired: progress.events_expired,
            bytes_sent: progress.bytes_sent,
            requests: progress.requests,
        }
    }
}

/// What the lane has done, unless the job already knows of more.
fn newest(progress: Progress, lane: &LaneState) -> Progress {
    let of_lane = Progress::of(lane);
    if of_lane.accounted() >= progress.accounted() { of_lane } else { progress }
}

/// Whole percent, at most 99 until the job says that it is complete.
fn percent(progress: Progress, estimate: Option<u64>) -> u64 {
    let Some(estimate) = estimate.filter(|estimate| *estimate > 0) else { return 0 };
    (progress.accounted().saturating_mul(100) / estimate).min(99)
}

/// As long again for what is left as for what is done.
fn eta(job: &Job, progress: Progress, now: Timestamp) -> Option<u64> {
    let left = job.plan()?.estimated_events.saturating_sub(progress.accounted());
    let done = progress.accounted();
    if done == 0 || job.paused.is_some() {
        return None;
    }
    let worked = u64::try_from(job.worked(now).as_millis()).ok()?;
    Some((worked.saturating_mul(left) / done).div_ceil(1_000))
}
