//! What should happen next to a job, given what is seen of it.

use std::time::Duration;

use auditrelay_model::Timestamp;
use auditrelay_model::config::OrgConfig;
use auditrelay_model::delivery::LaneState;
use auditrelay_model::replay::{Failure, Job, Phase, Plan, Progress, Target};
use auditrelay_model::scope::Scope;

use crate::command::{Action, Command};

/// Everything that is seen of a job.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// What the job is sent to.
    pub webhook: WebhookState,
    /// It is the job's turn, among those of its organization.
    pub is_its_turn: bool,
    /// The job's lane, once it has stored a fact.
    pub lane: Option<LaneSeen<'a>>,
    /// The oldest sequence that EVENTS still holds; 0 when it was not looked up.
    pub oldest_sequence: u64,
    /// The time now.
    pub now: Timestamp,
}

/// What is seen of a job's lane.
#[derive(Debug, Clone, Copy)]
pub struct LaneSeen<'a> {
    /// Its state after its last fact.
    pub state: &'a LaneState,
    /// The sender that stored the last fact; none when it was not looked up.
    pub holder: Option<&'a str>,
}

/// Whether a scope's events can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookState {
    /// Enabled, with a destination.
    Ready,
    /// Switched off.
    Disabled,
    /// There is none, or it has no destination.
    Missing,
    /// The destination that the job names is gone.
    NoDestination,
}

impl WebhookState {
    /// What a job of the scope is sent to: the destination that it names, or the scope's webhook.
    pub fn of(config: &OrgConfig, scope: Scope, target: Target) -> Self {
        if let Some(destination) = target.destination {
            let is_there = config.destinations.contains_key(&destination);
            return if is_there { Self::Ready } else { Self::NoDestination };
        }
        if config.enabled_destination(scope).is_some() {
            return Self::Ready;
        }
        match config.webhooks.get(&scope) {
            Some(webhook) if !webhook.enabled => Self::Disabled,
            Some(_) | None => Self::Missing,
        }
    }
}

/// How often and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Progress is recorded at most this often.
    pub min_interval: Duration,
    /// Progress below one percent is recorded this often, and ever more seldom the longer the job
    /// runs. It bounds the facts of one job: a subject of REPLAY keeps 10,000, and without its
    /// acceptance a job could not be folded.
    pub max_interval: Duration,
    /// A job whose receiver refuses everything for this long fails.
    pub patience: Duration,
    /// How long a lane may stand still after its records expired, or at its end with events that
    /// are not accounted for: its sender has the first word, because it knows what happened.
    pub grace: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            min_interval: Duration::from_secs(1),
            max_interval: Duration::from_secs(30),
            patience: Duration::from_hours(25),
            grace: Duration::from_mins(5),
        }
    }
}

/// About so many facts below one percent are recorded while the age of a job doubles.
const FACTS_A_DOUBLING: u32 = 128;

/// What should happen next.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "it is made, looked at and dropped")]
pub enum Next {
    /// Nothing now.
    Wait,
    /// Look up what the job has to read.
    Plan,
    /// Carry this out.
    Do(Command),
}

/// Chooses what happens next to `job`.
pub fn react(job: &Job, seen: &Seen<'_>, pace: &Pace) -> Next {
    let action = match &job.phase {
        Phase::Accepted => return accepted(job, seen),
        Phase::Pending(plan) => pending(plan, seen).or_else(|| obstacle(job, plan, seen, pace)),
        Phase::Running { plan, holder, progress } => running(plan, seen)
            .or_else(|| obstacle(job, plan, seen, pace))
            .or_else(|| handed_over(holder, seen))
            .or_else(|| advanced(job, plan, *progress, seen, pace)),
        Phase::Completed(_) | Phase::Failed { .. } | Phase::Cancelled { .. } => None,
    };
    action.map_or(Next::Wait, |action| Next::Do(Command { job: job.id, action }))
}

fn accepted(job: &Job, seen: &Seen<'_>) -> Next {
    match unsendable(seen.webhook) {
        Some(failure) => Next::Do(Command { job: job.id, action: fail(failure, seen) }),
        None if seen.is_its_turn => Next::Plan,
        None => Next::Wait,
    }
}

fn pending(plan: &Plan, seen: &Seen<'_>) -> Option<Action> {
    if plan.is_empty() {
        return Some(Action::Complete(Progress::default()));
    }
    let lane = seen.lane.filter(|lane| lane.state.stopped.is_none())?;
    Some(Action::Start { holder: lane.holder.unwrap_or("unknown").to_owned() })
}

fn running(plan: &Plan, seen: &Seen<'_>) -> Option<Action> {
    let lane = seen.lane?;
    if !is_done(plan, &lane) {
        return None;
    }
    let progress = Progress::of(lane.state);
    if progress.events_expired == 0 {
        return Some(Action::Complete(progress));
    }
    Some(Action::Fail { failure: expiry(progress.events_expired), progress })
}

/// The place alone proves nothing: a batch may end inside the last record, and a lane that lost
/// its way could come to the end without having seen everything before it.
fn is_done(plan: &Plan, lane: &LaneSeen<'_>) -> bool {
    is_at_end(plan, lane) && Progress::of(lane.state).accounted() >= plan.estimated_events
}

fn is_at_end(plan: &Plan, lane: &LaneSeen<'_>) -> bool {
    lane.state.cursor.is_some_and(|cursor| cursor.sequence >= plan.until_sequence)
}

/// A paused job waits for somebody: it ends only when there is nothing left to wait for.
fn obstacle(job: &Job, plan: &Plan, seen: &Seen<'_>, pace: &Pace) -> Option<Action> {
    let is_paused = job.paused.is_some();
    let outside = || unsendable(seen.webhook).or_else(|| impatient(seen, pace));
    let failed = stopped(seen).or_else(|| if is_paused { None } else { outside() });
    failed
        .map(|failure| fail(failure, seen))
        .or_else(|| expired(job, plan, seen, pace))
        .or_else(|| standing(job, plan, seen, pace))
}

fn stopped(seen: &Seen<'_>) -> Option<Failure> {
    let (code, reason) = seen.lane?.state.stopped.as_ref()?;
    Some(Failure { code: code.clone(), reason: reason.clone() })
}

fn unsendable(webhook: WebhookState) -> Option<Failure> {
    match webhook {
        WebhookState::Ready => None,
        WebhookState::Disabled => {
            Some(failure("disabled", "the webhook is disabled: enable it and replay again"))
        }
        WebhookState::Missing => Some(failure(
            "no_webhook",
            "no webhook with a destination is configured: configure one and replay again",
        )),
        WebhookState::NoDestination => Some(failure(
            "no_destination",
            "the destination was deleted: name another one and replay again",
        )),
    }
}

fn impatient(seen: &Seen<'_>, pace: &Pace) -> Option<Failure> {
    let hold = seen.lane?.state.hold.as_ref()?;
    (seen.now.since(hold.since) > pace.patience).then(|| {
        failure(
            "receiver",
            format!("the receiver took nothing since {}: {}", hold.since, hold.reason),
        )
    })
}

/// Its last record is gone, and its sender, who has the first word, says nothing any more: what
/// is not accounted for by now has expired.
fn expired(job: &Job, plan: &Plan, seen: &Seen<'_>, pace: &Pace) -> Option<Action> {
    let mut progress = still(job, seen, pace)?;
    if seen.oldest_sequence <= plan.until_sequence {
        return None;
    }
    let missing = plan.estimated_events.saturating_sub(progress.accounted());
    progress.events_expired += missing;
    Some(Action::Fail { failure: expiry(progress.events_expired), progress })
}

fn standing(job: &Job, plan: &Plan, seen: &Seen<'_>, pace: &Pace) -> Option<Action> {
    let progress = still(job, seen, pace)?;
    let lane = seen.lane?;
    if lane.state.hold.is_some() || !is_at_end(plan, &lane) {
        return None;
    }
    let missing = plan.estimated_events.saturating_sub(progress.accounted());
    let reason = format!("{missing} events before its end are not accounted for");
    Some(fail(failure("gap", reason), seen))
}

/// How far the job is, if that has not changed for a while.
fn still(job: &Job, seen: &Seen<'_>, pace: &Pace) -> Option<Progress> {
    let progress = seen.lane.map(|lane| Progress::of(lane.state)).unwrap_or_default();
    let waited = seen.now.since(job.updated_at) > pace.grace;
    (waited && progress == job.progress()).then_some(progress)
}

fn expiry(events: u64) -> Failure {
    failure(
        "expired",
        format!("{events} events expired before they could be delivered; all others were sent"),
    )
}

fn handed_over(holder: &str, seen: &Seen<'_>) -> Option<Action> {
    let by = seen.lane?.holder?;
    (by != holder).then(|| Action::Start { holder: by.to_owned() })
}

fn advanced(
    job: &Job,
    plan: &Plan,
    known: Progress,
    seen: &Seen<'_>,
    pace: &Pace,
) -> Option<Action> {
    let progress = Progress::of(seen.lane?.state);
    let waited = seen.now.since(job.updated_at);
    let due = waited >= pace.min_interval && is_a_percent(plan, known, progress);
    let seldom = pace.max_interval.max(seen.now.since(job.accepted_at) / FACTS_A_DOUBLING);
    let overdue = waited >= seldom && progress != known;
    (due || overdue).then_some(Action::Advance(progress))
}

fn is_a_percent(plan: &Plan, known: Progress, news: Progress) -> bool {
    let done = news.accounted().saturating_sub(known.accounted());
    done > 0 && done.saturating_mul(100) >= plan.estimated_events
}

fn fail(failure: Failure, seen: &Seen<'_>) -> Action {
    let progress = seen.lane.map(|lane| Progress::of(lane.state)).unwrap_or_default();
    Action::Fail { failure, progress }
}

fn failure(code: &str, reason: impl Into<String>) -> Failure {
    Failure { code: code.to_owned(), reason: reason.into() }
}

#[cfg(test)]
#[path = "react_tests.rs"]
mod tests;
