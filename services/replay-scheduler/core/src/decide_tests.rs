use auditrelay_model::Timestamp;
use auditrelay_model::id::{JobId, OrgId};
use auditrelay_model::replay::{ReplayEvent, evolve};
use auditrelay_model::scope::Scope;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const WINDOW: Window = Window::stored(Timestamp::from_nanos(0), Timestamp::from_nanos(9));
const OTHER_WINDOW: Window = Window::stored(Timestamp::from_nanos(0), Timestamp::from_nanos(8));
const PLAN: Plan = Plan { from_sequence: 1, until_sequence: 5, estimated_events: 7 };

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
    command(job, Action::Configure { window, snapshot_sequence: 5 })
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

fn apply(state: Option<Job>, decided: &[Decided]) -> Option<Job> {
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
fn after(actions: &[Action]) -> Option<Job> {
    let configured = apply(None, &decide(&None, &configure_as(1, WINDOW)).unwrap());
    actions.iter().fold(configured, |state, action| {
        let decided = decide(&state, &command(1, action.clone())).unwrap();
        apply(state, &decided)
    })
}

fn states() -> [(&'static str, Option<Job>); 7] {
    let running = [Action::Schedule(PLAN), start("a"), Action::Advance(at(2))];
    let completed = [&running[..], &[Action::Complete(at(5))]].concat();
    [
        ("unconfigured", None),
        ("accepted", after(&[])),
        ("pending", after(&[Action::Schedule(PLAN)])),
        ("running", after(&running)),
        ("completed", after(&completed)),
        ("failed", after(&[fail()])),
        ("cancelled", after(&[cancel()])),
    ]
}

#[expect(clippy::ref_option, reason = "as `decide` takes it")]
/// The facts in words; `·` for silence, `!` and the code for a refusal.
fn outcome(state: &Option<Job>, command: &Command) -> String {
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

#[test]
fn every_pair_of_state_and_command_is_decided() {
    let columns = [
        ("configure", configure_as(2, OTHER_WINDOW)),
        ("schedule", command(1, Action::Schedule(PLAN))),
        ("start", command(1, start("b"))),
        ("advance", command(1, Action::Advance(at(3)))),
        ("complete", command(1, Action::Complete(at(5)))),
        ("cancel", command(1, cancel())),
        ("fail", command(1, fail())),
    ];
    let table = [
        ("unconfigured", ["accepted", "·", "·", "·", "·", "!no_such_job", "·"]),
        ("accepted", ["failed+accepted", "scheduled", "·", "·", "·", "cancelled", "failed"]),
        ("pending", ["failed+accepted", "·", "started", "·", "completed", "cancelled", "failed"]),
        ("running", ["!running", "·", "started", "advanced", "completed", "cancelled", "failed"]),
        ("completed", ["accepted", "·", "·", "·", "·", "·", "·"]),
        ("failed", ["accepted", "·", "·", "·", "·", "·", "·"]),
        ("cancelled", ["accepted", "·", "·", "·", "·", "·", "·"]),
    ];
    for ((name, state), (row, expected)) in states().into_iter().zip(table) {
        assert_eq!((name, state.as_ref().map_or("unconfigured", Job::state_name)), (row, row));
        for ((column, command), expected) in columns.iter().zip(expected) {
            assert_eq!(outcome(&state, command), expected, "{row} + {column}");
        }
    }
}

#[test]
fn commands_about_another_job_are_silence_and_cancelling_it_is_refused() {
    for (name, state) in states() {
        for action in [Action::Schedule(PLAN), start("b"), Action::Advance(at(3))] {
            assert_eq!(outcome(&state, &command(9, action)), "·", "{name}");
        }
        assert_eq!(outcome(&state, &command(9, Action::Complete(at(5)))), "·", "{name}");
        assert_eq!(outcome(&state, &command(9, fail())), "·", "{name}");
        assert_eq!(outcome(&state, &command(9, cancel())), "!no_such_job", "{name}");
    }
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
    let state = apply(after(&[]), &decided).unwrap();
    assert_eq!((state.id, state.state_name()), (id(2), "accepted"));
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
        assert_eq!(apply(running.clone(), &decided).unwrap().progress(), at(kept));
    }
}

fn any_action() -> impl Strategy<Value = Action> {
    let plan = (0u64..9, 0u64..9).prop_map(|(from_sequence, until_sequence)| Plan {
        from_sequence,
        until_sequence,
        estimated_events: 7,
    });
    let window = prop_oneof![Just(WINDOW), Just(OTHER_WINDOW)];
    prop_oneof![
        window.prop_map(|window| Action::Configure { window, snapshot_sequence: 5 }),
        plan.prop_map(Action::Schedule),
        "[ab]".prop_map(|holder| Action::Start { holder }),
        (0u64..9).prop_map(|sequence| Action::Advance(at(sequence))),
        (0u64..9).prop_map(|sequence| Action::Complete(at(sequence))),
        (0u64..9).prop_map(|n| Action::Cancel { reason: "x".to_owned(), progress: at(n) }),
        (0u64..9).prop_map(|n| Action::Fail { failure: gap(), progress: at(n) }),
    ]
}

proptest! {
    #[test]
    fn folding_decisions_never_leaves_the_machine(
        commands in prop::collection::vec((1u128..4, any_action()), 0..40)
    ) {
        let mut state = None;
        for (job, action) in commands {
            let command = command(job, action);
            let Ok(decided) = decide(&state, &command) else { continue };
            let was = state.clone();
            state = apply(state, &decided);
            // The same command again changes nothing: it may be repeated after a lost answer.
            if matches!(command.action, Action::Configure { .. }) && !decided.is_empty() {
                prop_assert_eq!(decide(&state, &command), Ok(Vec::new()));
            }
            // An ended job never comes back.
            if let (Some(was), Some(is)) = (was, &state)
                && was.is_ended() && was.id == is.id {
                prop_assert_eq!(&was, is);
            }
        }
    }
}
