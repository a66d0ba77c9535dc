//! How facts change jobs.

use std::time::Duration;

use super::{
    Job, Jobs, PAST_MAX, Pause, Phase, Plan, Progress, ReplayEvent, ReplayFact, STEPS_MAX, Step,
};
use crate::aggregate::Corrupt;

/// Applies a fact. Acceptance always begins a new job, so a history whose beginning is gone still
/// folds; news about a job that is not under way is silence, unless it ends one that waits.
pub fn evolve(mut jobs: Jobs, event: &ReplayEvent) -> Result<Jobs, Corrupt> {
    if let Some(job) = accepted(event) {
        let waits = matches!(event.fact, ReplayFact::Accepted { waits: true, .. });
        if waits && jobs.living().is_some() {
            jobs.waiting.push(job);
        } else {
            jobs.begin(job);
        }
        return Ok(jobs);
    }
    if let Some(job) = jobs.newest.as_mut().filter(|job| job.id == event.job) {
        step(job, event)?;
        if job.is_ended() && !jobs.waiting.is_empty() {
            let next = jobs.waiting.remove(0);
            jobs.begin(next);
        }
    } else if event.fact.is_end()
        && let Some(place) = jobs.waiting.iter().position(|job| job.id == event.job)
    {
        let mut job = jobs.waiting.remove(place);
        step(&mut job, event)?;
        jobs.remember(job);
    }
    Ok(jobs)
}

impl Jobs {
    fn begin(&mut self, job: Job) {
        if let Some(old) = self.newest.replace(job) {
            self.remember(old);
        }
    }

    fn remember(&mut self, job: Job) {
        self.past.push(job);
        if self.past.len() > PAST_MAX {
            self.past.remove(0);
        }
    }
}

fn accepted(event: &ReplayEvent) -> Option<Job> {
    let ReplayFact::Accepted { window, snapshot_sequence, terms, .. } = &event.fact else {
        return None;
    };
    let mut job = Job {
        id: event.job,
        window: *window,
        terms: terms.clone(),
        snapshot_sequence: *snapshot_sequence,
        actor: event.actor.clone(),
        accepted_at: event.at,
        started_at: None,
        updated_at: event.at,
        paused: None,
        rested: Duration::ZERO,
        steps: Vec::new(),
        phase: Phase::Accepted,
    };
    note(&mut job, event);
    Some(job)
}

fn step(job: &mut Job, event: &ReplayEvent) -> Result<(), Corrupt> {
    match &event.fact {
        ReplayFact::Paused { reason } if !job.is_ended() && job.paused.is_none() => {
            let (since, actor, reason) = (event.at, event.actor.clone(), reason.clone());
            job.paused = Some(Pause { since, actor, reason });
        }
        ReplayFact::Resumed if !job.is_ended() && job.paused.is_some() => rest(job, event),
        fact => {
            job.phase = next_phase(job, fact)?;
            if matches!(fact, ReplayFact::Started { .. }) {
                job.started_at = job.started_at.or(Some(event.at));
            }
            if fact.is_end() {
                rest(job, event);
            }
        }
    }
    job.updated_at = event.at;
    note(job, event);
    Ok(())
}

fn rest(job: &mut Job, event: &ReplayEvent) {
    if let Some(pause) = job.paused.take() {
        job.rested += event.at.since(pause.since);
    }
}

fn note(job: &mut Job, event: &ReplayEvent) {
    if matches!(event.fact, ReplayFact::Advanced(_)) {
        return;
    }
    if job.steps.len() >= STEPS_MAX {
        job.steps.remove(1);
    }
    job.steps.push(Step {
        at: event.at,
        actor: event.actor.clone(),
        what: event.fact.name(),
        reason: event.fact.reason().to_owned(),
    });
}

#[expect(clippy::match_same_arms, reason = "a table: one row a step, whichever field it replaces")]
fn next_phase(job: &Job, fact: &ReplayFact) -> Result<Phase, Corrupt> {
    let running = |plan: &Plan, holder: &str, progress: Progress| Phase::Running {
        plan: plan.clone(),
        holder: holder.to_owned(),
        progress,
    };
    Ok(match (&job.phase, fact) {
        (Phase::Accepted, ReplayFact::Scheduled(plan)) => Phase::Pending(plan.clone()),
        (Phase::Pending(plan), ReplayFact::Started { holder }) => {
            running(plan, holder, Progress::default())
        }
        (Phase::Running { plan, progress, .. }, ReplayFact::Started { holder }) => {
            running(plan, holder, *progress)
        }
        (Phase::Running { plan, holder, .. }, ReplayFact::Advanced(progress)) => {
            running(plan, holder, *progress)
        }
        (Phase::Pending(_) | Phase::Running { .. }, ReplayFact::Completed(progress)) => {
            Phase::Completed(*progress)
        }
        (_, ReplayFact::Failed { failure, progress }) if !job.is_ended() => {
            Phase::Failed { failure: failure.clone(), progress: *progress }
        }
        (_, ReplayFact::Cancelled { reason, progress }) if !job.is_ended() => {
            Phase::Cancelled { reason: reason.clone(), progress: *progress }
        }
        _ => return Err(Corrupt::new(job.state_name(), fact)),
    })
}
