//! May the job change, and how? The table is in the crate's documentation.

use auditrelay_model::Window;
use auditrelay_model::replay::{Failure, Job, Phase, Plan, Progress, ReplayFact};

use crate::command::{Action, Command, Decided, Denial};

/// Chooses the facts that a command leads to; none when there is nothing to record.
pub fn decide(state: &Option<Job>, command: &Command) -> Result<Vec<Decided>, Denial> {
    if let Action::Configure { window, snapshot_sequence } = &command.action {
        return configure(state.as_ref(), command, *window, *snapshot_sequence);
    }
    match state {
        Some(job) if job.id == command.job => {
            let facts = change(job, &command.action)?;
            Ok(facts.into_iter().map(|fact| Decided { job: job.id, fact }).collect())
        }
        Some(_) | None => match command.action {
            Action::Cancel { .. } => Err(Denial::NoSuchJob { job: command.job }),
            Action::Configure { .. }
            | Action::Schedule(_)
            | Action::Start { .. }
            | Action::Advance(_)
            | Action::Complete(_)
            | Action::Fail { .. } => Ok(Vec::new()),
        },
    }
}

fn configure(
    state: Option<&Job>,
    command: &Command,
    window: Window,
    snapshot_sequence: u64,
) -> Result<Vec<Decided>, Denial> {
    let accepted =
        Decided { job: command.job, fact: ReplayFact::Accepted { window, snapshot_sequence } };
    let Some(job) = state else { return Ok(vec![accepted]) };
    if job.id == command.job {
        return Ok(Vec::new());
    }
    match &job.phase {
        Phase::Accepted | Phase::Pending(_) if job.window == window => Ok(Vec::new()),
        Phase::Accepted | Phase::Pending(_) => Ok(vec![superseded(job, command), accepted]),
        Phase::Running { progress, .. } if job.window == window && progress.requests == 0 => {
            Ok(Vec::new())
        }
        Phase::Running { .. } => Err(Denial::Running { job: job.id }),
        Phase::Completed(_) | Phase::Failed { .. } | Phase::Cancelled { .. } => Ok(vec![accepted]),
    }
}

fn superseded(job: &Job, by: &Command) -> Decided {
    let failure = Failure {
        code: "superseded".to_owned(),
        reason: format!("replaced by replay job {} before it ran", by.job),
    };
    Decided { job: job.id, fact: ReplayFact::Failed { failure, progress: job.progress() } }
}

fn change(job: &Job, action: &Action) -> Result<Vec<ReplayFact>, Denial> {
    match action {
        Action::Configure { .. } => Ok(Vec::new()),
        Action::Schedule(plan) => Ok(schedule(job, *plan)),
        Action::Start { holder } => Ok(start(job, holder)),
        Action::Advance(progress) => Ok(advance(job, *progress)),
        Action::Complete(progress) => complete(job, *progress),
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

fn schedule(job: &Job, plan: Plan) -> Vec<ReplayFact> {
    match job.phase {
        Phase::Accepted if plan.is_empty() => {
            vec![ReplayFact::Scheduled(plan), ReplayFact::Completed(Progress::default())]
        }
        Phase::Accepted => vec![ReplayFact::Scheduled(plan)],
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
