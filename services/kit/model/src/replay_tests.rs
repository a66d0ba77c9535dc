use super::*;
use crate::id::OrgId;
use crate::scope::Scope;
use uuid::Uuid;

const WINDOW: Window = Window::stored(Timestamp::from_nanos(0), Timestamp::from_nanos(9));
const PLAN: Plan = Plan { from_sequence: 1, until_sequence: 5, estimated_events: 7, ..Plan::EMPTY };

fn event(job: u128, fact: ReplayFact) -> ReplayEvent {
    ReplayEvent {
        at: Timestamp::from_nanos(1),
        scope: Scope::Organization(OrgId::from_uuid(Uuid::nil())),
        job: JobId::from_uuid(Uuid::from_u128(job)),
        actor: "test".to_owned(),
        origin: None,
        fact,
    }
}

fn accepted(waits: bool) -> ReplayFact {
    let terms = Terms::default();
    ReplayFact::Accepted { window: WINDOW, snapshot_sequence: 5, terms, waits }
}

fn facts() -> Vec<ReplayFact> {
    let progress = Progress::default();
    let failure = Failure { code: "gap".to_owned(), reason: "gap".to_owned() };
    vec![
        accepted(false),
        ReplayFact::Scheduled(PLAN),
        ReplayFact::Started { holder: "a".to_owned() },
        ReplayFact::Advanced(progress),
        ReplayFact::Paused { reason: "night".to_owned() },
        ReplayFact::Completed(progress),
        ReplayFact::Failed { failure, progress },
        ReplayFact::Cancelled { reason: "no".to_owned(), progress },
    ]
}

fn fold(facts: &[ReplayFact]) -> Jobs {
    facts
        .iter()
        .fold(Jobs::default(), |state, fact| evolve(state, &event(1, fact.clone())).unwrap())
}

#[test]
fn every_pair_of_state_and_fact_is_either_a_step_or_corrupt() {
    let [accepted, scheduled, started, advanced, paused, completed, failed, cancelled] =
        <[ReplayFact; 8]>::try_from(facts()).unwrap();
    let way = [accepted.clone(), scheduled.clone(), started.clone()];
    // Rows: the state; columns: the fact, in the order of `facts()`. "-" is corrupt.
    let end = ["accepted", "-", "-", "-", "-", "-", "-", "-"];
    let table = [
        (
            &way[..1],
            "accepted",
            ["accepted", "pending", "-", "-", "accepted", "-", "failed", "cancelled"],
        ),
        (
            &way[..2],
            "pending",
            ["accepted", "-", "running", "-", "pending", "completed", "failed", "cancelled"],
        ),
        (
            &way[..3],
            "running",
            ["accepted", "-", "running", "running", "running", "completed", "failed", "cancelled"],
        ),
        (&[accepted.clone(), scheduled, completed.clone()], "completed", end),
        (&[accepted.clone(), failed.clone()], "failed", end),
        (&[accepted.clone(), cancelled.clone()], "cancelled", end),
    ];
    assert_eq!(
        facts(),
        [accepted, way[1].clone(), started, advanced, paused, completed, failed, cancelled]
    );
    for (history, state, row) in table {
        let jobs = fold(history);
        assert_eq!(jobs.newest.as_ref().map(Job::state_name), Some(state));
        for (fact, expected) in facts().into_iter().zip(row) {
            let next = evolve(jobs.clone(), &event(1, fact.clone()));
            let name = next
                .as_ref()
                .map_or("-", |jobs| jobs.newest.as_ref().map_or("none", Job::state_name));
            assert_eq!(name, expected, "{state} + {fact}");
        }
    }
}

#[test]
fn news_about_a_job_that_is_not_under_way_is_silence() {
    let jobs = fold(&facts()[..2]);
    for fact in facts().into_iter().skip(1) {
        assert_eq!(evolve(jobs.clone(), &event(2, fact.clone())), Ok(jobs.clone()));
        assert_eq!(evolve(Jobs::default(), &event(2, fact)), Ok(Jobs::default()));
    }
}

#[test]
fn a_pause_can_begin_and_end_once_and_its_length_is_known() {
    let at = |second: i64, fact: &ReplayFact| ReplayEvent {
        at: Timestamp::from_nanos(second * 1_000_000_000),
        ..event(1, fact.clone())
    };
    let pause = ReplayFact::Paused { reason: "night".to_owned() };
    let started = ReplayFact::Started { holder: "a".to_owned() };
    let plan = ReplayFact::Scheduled(PLAN);
    let fold = |facts: &[(i64, &ReplayFact)]| {
        facts
            .iter()
            .fold(Jobs::default(), |jobs, (second, fact)| evolve(jobs, &at(*second, fact)).unwrap())
    };
    let way = [(0, &accepted(false)), (1, &plan), (10, &started), (20, &pause)];
    let paused = fold(&way);
    assert!(evolve(paused.clone(), &at(30, &pause)).is_err());
    let resumed = evolve(paused.clone(), &at(50, &ReplayFact::Resumed)).unwrap();
    assert!(evolve(resumed.clone(), &at(51, &ReplayFact::Resumed)).is_err());
    let worked = |jobs: &Jobs, second: i64| {
        let now = Timestamp::from_nanos(second * 1_000_000_000);
        jobs.newest.as_ref().unwrap().worked(now).as_secs()
    };
    assert_eq!((worked(&paused, 49), worked(&resumed, 60)), (10, 20));
    let ended = evolve(paused, &at(45, &facts()[7])).unwrap();
    assert_eq!(worked(&ended, 99), 10);
    assert_eq!(ended.newest.as_ref().unwrap().paused, None);
    let told: Vec<_> = ended.newest.unwrap().steps.iter().map(|step| step.what).collect();
    assert_eq!(told, ["accepted", "scheduled", "started", "paused", "cancelled"]);
}

#[test]
fn jobs_that_wait_come_one_after_the_other() {
    let end = facts()[7].clone();
    let queued = (2..=4)
        .fold(fold(&facts()[..1]), |jobs, job| evolve(jobs, &event(job, accepted(true))).unwrap());
    let id = |job| JobId::from_uuid(Uuid::from_u128(job));
    let ids = |jobs: &[Job]| jobs.iter().map(|job| job.id).collect::<Vec<_>>();
    assert_eq!(ids(&queued.waiting), [id(2), id(3), id(4)]);
    assert_eq!((queued.place(id(3)), queued.place(id(1))), (Some(2), None));
    // One that waits can be ended; anything else said about it is silence.
    let without = evolve(queued, &event(3, end.clone())).unwrap();
    assert_eq!(evolve(without.clone(), &event(4, facts()[1].clone())), Ok(without.clone()));
    let next = evolve(without, &event(1, end)).unwrap();
    assert_eq!(next.newest.as_ref().map(|job| job.id), Some(id(2)));
    assert_eq!((ids(&next.waiting), ids(&next.past)), (vec![id(4)], vec![id(3), id(1)]));
    let found = next.find(id(3)).map(|job| (job.id, job.state_name()));
    assert_eq!(found, Some((id(3), "cancelled")));
    // Where nothing is under way, nobody waits.
    let first = evolve(Jobs::default(), &event(1, accepted(true))).unwrap();
    assert_eq!(first.newest.map(|job| job.id), Some(id(1)));
}

#[test]
fn a_history_never_grows_beyond_its_bounds() {
    let mut jobs = Jobs::default();
    for job in 0..150 {
        jobs = evolve(jobs, &event(job, accepted(false))).unwrap();
    }
    assert_eq!(jobs.past.len(), PAST_MAX);
    jobs = evolve(jobs, &event(149, ReplayFact::Scheduled(PLAN))).unwrap();
    for _ in 0..100 {
        let started = ReplayFact::Started { holder: "a".to_owned() };
        jobs = evolve(jobs, &event(149, started)).unwrap();
    }
    let job = jobs.newest.unwrap();
    assert_eq!((job.steps.len(), job.steps[0].what), (STEPS_MAX, "accepted"));
}

#[test]
fn what_was_paused_failed_or_cancelled_says_why() {
    let facts = facts();
    let told: Vec<&str> = facts.iter().map(ReplayFact::reason).collect();
    assert_eq!(told, ["", "", "", "", "night", "", "gap", "no"]);
}

#[test]
fn a_plan_of_one_record_is_not_empty() {
    assert!(Plan::EMPTY.is_empty());
    let one = Plan { from_sequence: 5, until_sequence: 5, ..Plan::EMPTY };
    assert!(!one.is_empty());
}

#[test]
fn every_failure_names_who_can_act() {
    let acts = |code: &str| Failure { code: code.to_owned(), reason: String::new() }.actor().name();
    assert_eq!([acts("receiver"), acts("disabled")], ["organization"; 2]);
    assert_eq!([acts("gap"), acts("corrupt")], ["operator"; 2]);
    assert_eq!(acts("expired"), "nobody");
}
