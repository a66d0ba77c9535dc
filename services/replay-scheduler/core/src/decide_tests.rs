use auditrelay_model::Timestamp;
use auditrelay_model::id::{JobId, OrgId};
use auditrelay_model::replay::{ReplayEvent, evolve};
use auditrelay_model::scope::Scope;
use uuid::Uuid;

use super::*;

const WINDOW: Window = Window::stored(Timestamp::from_nanos(0), Timestamp::from_nanos(9));
const OTHER_WINDOW: Window = Window::stored(Timestamp::from_nanos(0), Timestamp::from_nanos(8));
const PLAN: Plan = Plan { from_sequence: 1, until_sequence: 5, estimated_events: 7, ..Plan::EMPTY };

fn id(job: u128) -> JobId {
    JobId::from_uuid(Uuid::from_u128(job))
}

fn at(sequence: u64) -> Progress {
    Progress { sequence, requests: sequence, events_sent: sequence, ..Progress::default() }
}

fn gap() -> Failure {
    Failure { code: "gap".to_owned(), reason: "gap".to_owned() }
}

fn command(job: u128, action: Action) -> Command {
    Command { job: id(job), action }
}

fn configure_as(job: u128, window: Window) -> Command {
    command(job, wish(window, false))
}

fn wish(window: Window, may_wait: bool) -> Action {
    let terms = Terms::default();
    Action::Configure { window, terms, snapshot_sequence: 5, may_wait }
}

fn pause() -> Action {
    Action::Pause { reason: "night".to_owned() }
}

fn start(holder: &str) -> Action {
    Action::Start { holder: holder.to_owned() }
}

fn cancel() -> Action {
    Action::Cancel { reason: "enough".to_owned(), progress: at(0) }
}

fn fail() -> Action {
    Action::Fail { failure: gap(), progress: at(0) }
}

fn apply(state: Jobs, decided: &[Decided]) -> Jobs {
    decided.iter().fold(state, |state, decided| {
        let event = ReplayEvent {
            at: Timestamp::from_nanos(1),
            scope: Scope::Organization(OrgId::from_uuid(Uuid::nil())),
            job: decided.job,
            actor: "test".to_owned(),
            origin: None,
            fact: decided.fact.clone(),
        };
        evolve(state, &event).expect("decided facts stay in the machine")
    })
}

/// The state after commands to job 1, which are all lawful.
fn after(actions: &[Action]) -> Jobs {
    let none = Jobs::default();
    let decided = decide(&none, &configure_as(1, WINDOW)).unwrap();
    let configured = apply(none, &decided);
    actions.iter().fold(configured, |state, action| {
        let decided = decide(&state, &command(1, action.clone())).unwrap();
        apply(state, &decided)
    })
}

fn states() -> [(&'static str, Jobs); 8] {
    let running = [Action::Schedule(PLAN), start("a"), Action::Advance(at(2))];
    let completed = [&running[..], &[Action::Complete(at(5))]].concat();
    [
        ("unconfigured", Jobs::default()),
        ("accepted", after(&[])),
        ("pending", after(&[Action::Schedule(PLAN)])),
        ("running", after(&running)),
        ("running", after(&[&running[..], &[pause()]].concat())),
        ("completed", after(&completed)),
        ("failed", after(&[fail()])),
        ("cancelled", after(&[cancel()])),
    ]
}

/// The facts in words; `·` for silence, `!` and the code for a refusal.
fn outcome(state: &Jobs, command: &Command) -> String {
    match decide(state, command) {
        Err(denial) => format!("!{}", denial.code()),
        Ok(decided) if decided.is_empty() => "·".to_owned(),
        Ok(decided) => {
            apply(state.clone(), &decided);
            let names: Vec<_> = decided.iter().map(|decided| decided.fact.to_string()).collect();
            names.join("+")
        }
    }
}

fn name(jobs: &Jobs) -> &'static str {
    jobs.newest.as_ref().map_or("unconfigured", Job::state_name)
}

#[test]
fn every_pair_of_state_and_command_is_decided() {
    let columns = [
        ("configure", configure_as(2, OTHER_WINDOW)),
        ("line up", command(2, wish(OTHER_WINDOW, true))),
        ("schedule", command(1, Action::Schedule(PLAN))),
        ("start", command(1, start("b"))),
        ("advance", command(1, Action::Advance(at(3)))),
        ("complete", command(1, Action::Complete(at(5)))),
        ("pause", command(1, pause())),
        ("resume", command(1, Action::Resume)),
        ("cancel", command(1, cancel())),
        ("fail", command(1, fail())),
    ];
    let table = [
        "unconfigured  accepted        accepted · · · · !no_such_job !no_such_job !no_such_job ·",
        "accepted      failed+accepted accepted scheduled · · · paused · cancelled failed",
        "pending       failed+accepted accepted · started · completed paused · cancelled failed",
        "running       !running accepted · started advanced completed paused · cancelled failed",
        "running       !running accepted · started advanced completed · resumed cancelled failed",
        "completed     accepted accepted · · · · !ended !ended · ·",
        "failed        accepted accepted · · · · !ended !ended · ·",
        "cancelled     accepted accepted · · · · !ended !ended · ·",
    ];
    for ((expected, state), row) in states().into_iter().zip(table) {
        let mut row = row.split_whitespace();
        assert_eq!((expected, name(&state)), (row.next().unwrap(), expected));
        for (column, command) in &columns {
            assert_eq!(outcome(&state, command), row.next().unwrap(), "{expected} + {column}");
        }
    }
}

#[test]
fn commands_about_another_job_are_silence_and_people_are_told_so() {
    for (name, state) in states() {
        for action in [Action::Schedule(PLAN), start("b"), Action::Advance(at(3))] {
            assert_eq!(outcome(&state, &command(9, action)), "·", "{name}");
        }
        assert_eq!(outcome(&state, &command(9, Action::Complete(at(5)))), "·", "{name}");
        assert_eq!(outcome(&state, &command(9, fail())), "·", "{name}");
        for action in [cancel(), pause(), Action::Resume] {
            assert_eq!(outcome(&state, &command(9, action)), "!no_such_job", "{name}");
        }
    }
}

#[test]
fn a_job_that_waits_can_be_cancelled_and_nothing_else() {
    let running = after(&[Action::Schedule(PLAN), start("a")]);
    let line_up = |job, window| command(job, wish(window, true));
    let state = apply(running.clone(), &decide(&running, &line_up(2, WINDOW)).unwrap());
    assert_eq!((state.newest.as_ref().unwrap().id, state.waiting[0].id), (id(1), id(2)));
    assert_eq!(outcome(&state, &line_up(2, WINDOW)), "·", "the same request again");
    for action in [pause(), Action::Resume] {
        assert_eq!(outcome(&state, &command(2, action)), "!waiting");
    }
    for action in [start("a"), Action::Complete(at(5)), fail()] {
        assert_eq!(outcome(&state, &command(2, action)), "·");
    }
    let without = apply(state.clone(), &decide(&state, &command(2, cancel())).unwrap());
    assert!(without.waiting.is_empty());
    assert_eq!(outcome(&without, &command(2, cancel())), "!ended");
    // Nobody takes the place that others wait for.
    let pending = after(&[Action::Schedule(PLAN)]);
    let pending = apply(pending.clone(), &decide(&pending, &line_up(2, WINDOW)).unwrap());
    assert_eq!(outcome(&pending, &configure_as(3, OTHER_WINDOW)), "!running");
    let ended = apply(state.clone(), &decide(&state, &command(1, cancel())).unwrap());
    assert_eq!((ended.newest.as_ref().unwrap().id, name(&ended)), (id(2), "accepted"));
}

#[test]
fn only_so_many_jobs_wait() {
    let mut state = after(&[]);
    for job in 2.. {
        match decide(&state, &command(job, wish(WINDOW, true))) {
            Ok(decided) => state = apply(state, &decided),
            Err(denial) => {
                assert_eq!(denial.code(), "queue_full");
                break;
            }
        }
    }
    assert_eq!(state.waiting.len(), WAITING_MAX);
}

#[test]
fn the_same_job_is_never_configured_twice() {
    for (name, state) in states().into_iter().skip(1) {
        assert_eq!(outcome(&state, &configure_as(1, OTHER_WINDOW)), "·", "{name}");
    }
}

#[test]
fn the_same_window_before_anything_was_sent_keeps_the_job() {
    let again = configure_as(2, WINDOW);
    assert_eq!(outcome(&after(&[]), &again), "·");
    assert_eq!(outcome(&after(&[Action::Schedule(PLAN)]), &again), "·");
    let running = [Action::Schedule(PLAN), start("a")];
    assert_eq!(outcome(&after(&running), &again), "·");
    let sent = [&running[..], &[Action::Advance(at(1))]].concat();
    assert_eq!(outcome(&after(&sent), &again), "!running");
}

#[test]
fn a_replaced_job_ends_as_superseded_by_its_own_id() {
    let decided = decide(&after(&[]), &configure_as(2, OTHER_WINDOW)).unwrap();
    let jobs: Vec<_> = decided.iter().map(|decided| decided.job).collect();
    assert_eq!(jobs, [id(1), id(2)]);
    let ReplayFact::Failed { failure, .. } = &decided[0].fact else { panic!("{decided:?}") };
    assert_eq!(failure.code, "superseded");
    let state = apply(after(&[]), &decided);
    assert_eq!((state.newest.as_ref().unwrap().id, name(&state)), (id(2), "accepted"));
    assert_eq!(state.past[0].id, id(1));
}

#[test]
fn an_empty_plan_completes_at_once() {
    let empty = command(1, Action::Schedule(Plan::EMPTY));
    assert_eq!(outcome(&after(&[]), &empty), "scheduled+completed");
    // After a crash between the two facts.
    let scheduled = Decided { job: id(1), fact: ReplayFact::Scheduled(Plan::EMPTY) };
    let half = apply(after(&[]), &[scheduled]);
    assert_eq!(outcome(&half, &command(1, Action::Complete(at(0)))), "completed");
}

#[test]
fn a_job_never_completes_before_its_end() {
    let running = after(&[Action::Schedule(PLAN), start("a")]);
    let early = command(1, Action::Complete(at(4)));
    assert_eq!(decide(&running, &early), Err(Denial::NotAtEnd { job: id(1), sequence: 4 }));
}

#[test]
fn the_same_holder_is_silence_and_progress_never_goes_back() {
    let running = after(&[Action::Schedule(PLAN), start("a"), Action::Advance(at(3))]);
    assert_eq!(outcome(&running, &command(1, start("a"))), "·");
    assert_eq!(outcome(&running, &command(1, Action::Advance(at(3)))), "·");
    assert_eq!(outcome(&running, &command(1, Action::Advance(at(2)))), "·");
}

#[test]
fn an_end_keeps_the_latest_progress() {
    let running = after(&[Action::Schedule(PLAN), start("a"), Action::Advance(at(3))]);
    for (told, kept) in [(1, 3), (4, 4)] {
        let action = Action::Fail { failure: gap(), progress: at(told) };
        let decided = decide(&running, &command(1, action)).unwrap();
        let job = apply(running.clone(), &decided).newest.unwrap();
        assert_eq!(job.progress(), at(kept));
    }
}
