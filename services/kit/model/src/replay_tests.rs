use super::*;
use crate::id::OrgId;
use uuid::Uuid;

const WINDOW: Window = Window::stored(Timestamp::from_nanos(0), Timestamp::from_nanos(9));
const PLAN: Plan = Plan { from_sequence: 1, until_sequence: 5, estimated_events: 7 };

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

fn facts() -> Vec<ReplayFact> {
    let progress = Progress::default();
    let failure = Failure { code: "gap".to_owned(), reason: "gap".to_owned() };
    vec![
        ReplayFact::Accepted { window: WINDOW, snapshot_sequence: 5 },
        ReplayFact::Scheduled(PLAN),
        ReplayFact::Started { holder: "a".to_owned() },
        ReplayFact::Advanced(progress),
        ReplayFact::Completed(progress),
        ReplayFact::Failed { failure, progress },
        ReplayFact::Cancelled { reason: "no".to_owned(), progress },
    ]
}

fn fold(facts: &[ReplayFact]) -> Option<Job> {
    facts.iter().fold(None, |state, fact| evolve(state, &event(1, fact.clone())).unwrap())
}

#[test]
fn every_pair_of_state_and_fact_is_either_a_step_or_corrupt() {
    let [accepted, scheduled, started, advanced, completed, failed, cancelled] =
        <[ReplayFact; 7]>::try_from(facts()).unwrap();
    let way = [accepted.clone(), scheduled.clone(), started.clone()];
    // Rows: the state; columns: the fact, in the order of `facts()`. "-" is corrupt.
    let table = [
        (&way[..1], "accepted", ["accepted", "pending", "-", "-", "-", "failed", "cancelled"]),
        (
            &way[..2],
            "pending",
            ["accepted", "-", "running", "-", "completed", "failed", "cancelled"],
        ),
        (
            &way[..3],
            "running",
            ["accepted", "-", "running", "running", "completed", "failed", "cancelled"],
        ),
        (
            &[accepted.clone(), scheduled, completed.clone()],
            "completed",
            ["accepted", "-", "-", "-", "-", "-", "-"],
        ),
        (&[accepted.clone(), failed.clone()], "failed", ["accepted", "-", "-", "-", "-", "-", "-"]),
        (
            &[accepted.clone(), cancelled.clone()],
            "cancelled",
            ["accepted", "-", "-", "-", "-", "-", "-"],
        ),
    ];
    assert_eq!(
        facts(),
        [accepted, way[1].clone(), started, advanced, completed, failed, cancelled]
    );
    for (history, state, row) in table {
        let job = fold(history);
        assert_eq!(job.as_ref().map(Job::state_name), Some(state));
        for (fact, expected) in facts().into_iter().zip(row) {
            let next = evolve(job.clone(), &event(1, fact.clone()));
            let name =
                next.as_ref().map_or("-", |job| job.as_ref().map_or("none", Job::state_name));
            assert_eq!(name, expected, "{state} + {fact}");
        }
    }
}

#[test]
fn news_about_an_older_job_is_silence() {
    let job = fold(&facts()[..2]);
    for fact in facts().into_iter().skip(1) {
        assert_eq!(evolve(job.clone(), &event(2, fact.clone())), Ok(job.clone()));
        assert_eq!(evolve(None, &event(2, fact)), Ok(None));
    }
}
