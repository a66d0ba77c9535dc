//! May the job change, and how? The table is in the crate's documentation.

use auditrelay_model::Window;
use auditrelay_model::id::JobId;
use auditrelay_model::replay::{
    Failure, Job, Jobs, Phase, Plan, Progress, ReplayFact, Terms, WAITING_MAX,
};

use crate::command::{Action, Command, Decided, Denial};

/// Chooses the facts that a command leads to; none when there is nothing to record.
pub fn decide(state: &Jobs, command: &Command) -> Result<Vec<Decided>, Denial> {
    let Command { job: id, action } = command;
    if let Action::Configure { window, terms, snapshot_sequence, may_wait } = action {
        let wish = Wish { window: *window, terms, snapshot_sequence: *snapshot_sequence, job: *id };
        return if *may_wait { line_up(state, &wish) } else { configure(state, &wish) };
    }
    let facts = match state.newest.as_ref().filter(|job| job.id == *id) {
        Some(job) => change(job, action)?,
        None => elsewhere(state, *id, action)?,
    };
    Ok(facts.into_iter().map(|fact| Decided { job: *id, fact }).collect())
}

/// A job to make.
struct Wish<'a> {
    window: Window,
    terms: &'a Terms,
    snapshot_sequence: u64,
    job: JobId,
}

impl Wish<'_> {
    fn accepted(&self, waits: bool) -> Decided {
        let Wish { window, terms, snapshot_sequence, job } = *self;
        let terms = terms.clone();
        Decided { job, fact: ReplayFact::Accepted { window, snapshot_sequence, terms, waits } }
    }

    fn is_asked_again_by(&self, job: &Job) -> bool {
        job.window == self.window && job.terms == *self.terms && job.paused.is_none()
    }
}

/// The next job takes the place of one that has not begun, and is refused while one is running.
fn configure(state: &Jobs, wish: &Wish<'_>) -> Result<Vec<Decided>, Denial> {
    if state.find(wish.job).is_some() {
        return Ok(Vec::new());
    }
    let Some(job) = state.living() else { return Ok(vec![wish.accepted(false)]) };
    let again = wish.is_asked_again_by(job);
    match &job.phase {
        Phase::Accepted | Phase::Pending(_) if again => Ok(Vec::new()),
        Phase::Running { progress, .. } if again && progress.requests == 0 => Ok(Vec::new()),
        Phase::Accepted | Phase::Pending(_) if job.paused.is_none() && state.waiting.is_empty() => {
            Ok(vec![superseded(job, wish.job), wish.accepted(false)])
        }
        Phase::Accepted
        | Phase::Pending(_)
        | Phase::Running { .. }
        | Phase::Completed(_)
        | Phase::Failed { .. }
        | Phase::Cancelled { .. } => Err(Denial::Running { job: job.id }),
    }
}

/// The next job waits for those before it.
fn line_up(state: &Jobs, wish: &Wish<'_>) -> Result<Vec<Decided>, Denial> {
    if state.find(wish.job).is_some() {
        return Ok(Vec::new());
    }
    let waiting = state.waiting.len();
    if waiting >= WAITING_MAX {
        return Err(Denial::QueueFull { waiting });
    }
    Ok(vec![wish.accepted(state.living().is_some())])
}

/// A job that is not the newest: one that waits can be cancelled; news about any other comes late,
/// and only people are told so.
fn elsewhere(state: &Jobs, job: JobId, action: &Action) -> Result<Vec<ReplayFact>, Denial> {
    let waits = state.waiting.iter().any(|waiting| waiting.id == job);
    match action {
        Action::Cancel { reason, .. } if waits => {
            let (reason, progress) = (reason.clone(), Progress::default());
            Ok(vec![ReplayFact::Cancelled { reason, progress }])
        }
        Action::Pause { .. } | Action::Resume if waits => Err(Denial::Waits { job }),
        Action::Cancel { .. } | Action::Pause { .. } | Action::Resume => {
            Err(if state.find(job).is_some() {
                Denial::Ended { job }
            } else {
                Denial::NoSuchJob { job }
            })
        }
        Action::Configure { .. }
        | Action::Schedule(_)
        | Action::Start { .. }
        | Action::Advance(_)
        | Action::Complete(_)
        | Action::Fail { .. } => Ok(Vec::new()),
    }
}

fn superseded(job: &Job, by: JobId) -> Decided {
    let failure = Failure {
        code: "superseded".to_owned(),
        reason: format!("replaced by replay job {by} before it ran"),
    };
    Decided { job: job.id, fact: ReplayFact::Failed { failure, progress: job.progress() } }
}

fn change(job: &Job, action: &Action) -> Result<Vec<ReplayFact>, Denial> {
    match action {
        Action::Schedule(plan) => Ok(schedule(job, plan)),
        Action::Start { holder } => Ok(start(job, holder)),
        Action::Advance(progress) => Ok(advance(job, *progress)),
        Action::Complete(progress) => complete(job, *progress),
        Action::Pause { .. } | Action::Resume if job.is_ended() => {
            Err(Denial::Ended { job: job.id })
        }
        Action::Pause { reason } if job.paused.is_none() => {
            Ok(vec![ReplayFact::Paused { reason: reason.clone() }])
        }
        Action::Resume if job.paused.is_some() => Ok(vec![ReplayFact::Resumed]),
        Action::Configure { .. } | Action::Pause { .. } | Action::Resume => Ok(Vec::new()),
        Action::Cancel { reason, progress } => Ok(end(job, || ReplayFact::Cancelled {
            reason: reason.clone(),
            progress: latest(job.progress(), *progress),
        })),
        Action::Fail { failure, progress } => Ok(end(job, || ReplayFact::Failed {
            failure: failure.clone(),
            progress: latest(job.progress(), *progress),
        })),
    }
}

fn schedule(job: &Job, plan: &Plan) -> Vec<ReplayFact> {
    let scheduled = || ReplayFact::Scheduled(plan.clone());
    match job.phase {
        Phase::Accepted if plan.is_empty() => {
            vec![scheduled(), ReplayFact::Completed(Progress::default())]
        }
        Phase::Accepted => vec![scheduled()],
        Phase::Pending(_)
        | Phase::Running { .. }
        | Phase::Completed(_)
        | Phase::Failed { .. }
        | Phase::Cancelled { .. } => Vec::new(),
    }
}

fn start(job: &Job, by: &str) -> Vec<ReplayFact> {
    let taken = || vec![ReplayFact::Started { holder: by.to_owned() }];
    match &job.phase {
        Phase::Pending(_) => taken(),
        Phase::Running { holder, .. } if holder != by => taken(),
        Phase::Accepted
        | Phase::Running { .. }
        | Phase::Completed(_)
        | Phase::Failed { .. }
        | Phase::Cancelled { .. } => Vec::new(),
    }
}

fn advance(job: &Job, now: Progress) -> Vec<ReplayFact> {
    match &job.phase {
        Phase::Running { progress, .. } if is_ahead(now, *progress) => {
            vec![ReplayFact::Advanced(now)]
        }
        Phase::Accepted
        | Phase::Pending(_)
        | Phase::Running { .. }
        | Phase::Completed(_)
        | Phase::Failed { .. }
        | Phase::Cancelled { .. } => Vec::new(),
    }
}

fn complete(job: &Job, progress: Progress) -> Result<Vec<ReplayFact>, Denial> {
    match &job.phase {
        Phase::Pending(plan) | Phase::Running { plan, .. } => {
            if plan.is_empty() || progress.sequence >= plan.until_sequence {
                Ok(vec![ReplayFact::Completed(progress)])
            } else {
                Err(Denial::NotAtEnd { job: job.id, sequence: progress.sequence })
            }
        }
        Phase::Accepted | Phase::Completed(_) | Phase::Failed { .. } | Phase::Cancelled { .. } => {
            Ok(Vec::new())
        }
    }
}

fn end(job: &Job, fact: impl FnOnce() -> ReplayFact) -> Vec<ReplayFact> {
    if job.is_ended() { Vec::new() } else { vec![fact()] }
}

fn latest(known: Progress, news: Progress) -> Progress {
    if is_ahead(news, known) { news } else { known }
}

/// A lane's counts only grow; news that would turn them back was overtaken on its way.
fn is_ahead(news: Progress, known: Progress) -> bool {
    news != known && news.sequence >= known.sequence && news.requests >= known.requests
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
