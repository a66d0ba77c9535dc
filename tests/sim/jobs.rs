//! A replay job from its wish to its end, by a scheduler that is killed before and after each fact.

use auditrelay_model::id::{JobId, OrgId};
use auditrelay_model::replay::{Job, Jobs, Plan, Progress, ReplayEvent, Terms, evolve};
use auditrelay_model::{Scope, Timestamp, Window};
use auditrelay_replay_scheduler_core::{Action, Command, decide};
use auditrelay_webhook_sender_core::lane::Arrival;
use uuid::Uuid;

use crate::random::Random;
use crate::replay;

/// Plans a job over the log, lets its lane run and completes it.
pub(crate) fn replay(log: Vec<Arrival>, until: u64, at_once: usize, random: Random) {
    let mut facts = Vec::new();
    let window = Window::stored(Timestamp::from_nanos(30), Timestamp::from_nanos(70));
    let (terms, may_wait) = (Terms::default(), false);
    carry_out(&mut facts, Action::Configure { window, terms, snapshot_sequence: until, may_wait });
    let from_sequence = log.first().map_or(1, |record| record.sequence);
    let plan = Plan { from_sequence, until_sequence: until, ..Plan::EMPTY };
    carry_out(&mut facts, Action::Schedule(plan));
    carry_out(&mut facts, Action::Start { holder: "a".to_owned() });
    let stored = fold(&facts).living().and_then(|job| job.plan().cloned());
    let planned = stored.map(|plan| plan.until_sequence);
    assert_eq!(planned, Some(until), "the lane reads what the facts say");
    replay::over(log, until, at_once, random);
    carry_out(&mut facts, Action::Complete(Progress { sequence: until, ..Progress::default() }));
    let jobs = fold(&facts);
    let newest = jobs.newest.as_ref().map(Job::state_name);
    assert_eq!(newest, Some("completed"), "{facts:?}");
}

/// Stores what is decided; whoever comes next and asks the same changes nothing.
fn carry_out(facts: &mut Vec<ReplayEvent>, action: Action) {
    let job = JobId::from_uuid(Uuid::from_u128(7));
    let command = Command { job, action };
    let decided = decide(&fold(facts), &command).unwrap();
    facts.extend(decided.into_iter().map(|decided| ReplayEvent {
        at: Timestamp::from_nanos(1),
        scope: Scope::Organization(OrgId::from_uuid(Uuid::nil())),
        job: decided.job,
        actor: "test".to_owned(),
        origin: None,
        fact: decided.fact,
    }));
    let again = decide(&fold(facts), &command);
    assert!(again.is_err() || again.is_ok_and(|decided| decided.is_empty()), "{command:?}");
}

fn fold(facts: &[ReplayEvent]) -> Jobs {
    facts.iter().fold(Jobs::default(), |jobs, event| evolve(jobs, event).unwrap())
}
