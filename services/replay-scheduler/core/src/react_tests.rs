use auditrelay_model::Window;
use auditrelay_model::delivery::{Hold, Totals};
use auditrelay_model::id::{DestinationId, JobId, OrgId};
use auditrelay_model::record::Position;
use auditrelay_model::replay::{Pause, Terms};
use auditrelay_model::webhook::Webhook;
use uuid::Uuid;

use super::*;

const PLAN: Plan =
    Plan { from_sequence: 1, until_sequence: 500, estimated_events: 1_000, ..Plan::EMPTY };
const START: Timestamp = Timestamp::from_nanos(1_800_000_000_000_000_000);

fn job(phase: Phase) -> Job {
    Job {
        id: JobId::from_uuid(Uuid::nil()),
        window: Window::stored(START, START),
        terms: Terms::default(),
        snapshot_sequence: 600,
        actor: "test".to_owned(),
        accepted_at: START,
        started_at: None,
        updated_at: START,
        paused: None,
        rested: Duration::ZERO,
        steps: Vec::new(),
        phase,
    }
}

fn running(progress: Progress) -> Job {
    job(Phase::Running { plan: PLAN, holder: "a".to_owned(), progress })
}

fn lane(number: u64, sequence: u64, delivered: u64) -> LaneState {
    LaneState {
        cursor: Some(Position { epoch: 1, number, sequence }),
        totals: Totals { events_delivered: delivered, requests: 1, ..Totals::default() },
        ..LaneState::default()
    }
}

fn seen(lane: Option<&LaneState>, after: u64) -> Seen<'_> {
    let lane = lane.map(|state| LaneSeen { state, holder: Some("a") });
    Seen {
        webhook: WebhookState::Ready,
        is_its_turn: true,
        lane,
        oldest_sequence: 1,
        now: START + Duration::from_secs(after),
    }
}

fn next(job: &Job, seen: &Seen<'_>) -> Next {
    react(job, seen, &Pace::default())
}

fn action(job: &Job, seen: &Seen<'_>) -> Option<Action> {
    match next(job, seen) {
        Next::Do(command) => Some(command.action),
        Next::Wait | Next::Plan => None,
    }
}

fn failed_with(job: &Job, seen: &Seen<'_>) -> Option<String> {
    match action(job, seen) {
        Some(Action::Fail { failure, .. }) => Some(failure.code),
        _ => None,
    }
}

#[test]
fn an_accepted_job_is_planned_unless_nothing_can_be_sent() {
    let job = job(Phase::Accepted);
    let ready = seen(None, 0);
    assert_eq!(next(&job, &ready), Next::Plan);
    let disabled = Seen { webhook: WebhookState::Disabled, ..ready };
    assert_eq!(failed_with(&job, &disabled).as_deref(), Some("disabled"));
    let missing = Seen { webhook: WebhookState::Missing, ..ready };
    assert_eq!(failed_with(&job, &missing).as_deref(), Some("no_webhook"));
    let gone = Seen { webhook: WebhookState::NoDestination, ..ready };
    assert_eq!(failed_with(&job, &gone).as_deref(), Some("no_destination"));
    assert_eq!(next(&job, &Seen { is_its_turn: false, ..ready }), Next::Wait);
}

#[test]
fn a_paused_job_waits_whatever_its_webhook_is_but_not_for_what_is_gone() {
    let pause = Pause { since: START, actor: "a".to_owned(), reason: String::new() };
    let state = lane(10, 4, 9);
    for job in [job(Phase::Pending(PLAN)), running(Progress::of(&state))] {
        let job = Job { paused: Some(pause.clone()), ..job };
        let lane = matches!(job.phase, Phase::Running { .. }).then_some(&state);
        let off = Seen { webhook: WebhookState::Disabled, ..seen(lane, 9_999) };
        assert_eq!(next(&job, &off), Next::Wait);
        let gone = Seen { oldest_sequence: 501, ..off };
        assert_eq!(failed_with(&job, &gone).as_deref(), Some("expired"));
    }
    // What its sender had in hand still counts.
    let job = Job { paused: Some(pause), ..running(Progress::of(&state)) };
    let done = lane(2_000, 500, 1_000);
    assert!(matches!(action(&job, &seen(Some(&done), 0)), Some(Action::Complete(_))));
}

#[test]
fn a_pending_job_starts_with_the_first_fact_of_its_lane() {
    let job = job(Phase::Pending(PLAN));
    assert_eq!(next(&job, &seen(None, 9)), Next::Wait);
    let state = LaneState::default();
    assert_eq!(
        action(&job, &seen(Some(&state), 0)),
        Some(Action::Start { holder: "a".to_owned() })
    );
}

#[test]
fn a_pending_job_without_anything_to_read_completes() {
    let job = job(Phase::Pending(Plan::EMPTY));
    assert_eq!(action(&job, &seen(None, 0)), Some(Action::Complete(Progress::default())));
}

#[test]
fn a_webhook_that_goes_away_fails_the_job() {
    for job in [job(Phase::Pending(PLAN)), running(Progress::default())] {
        let disabled = Seen { webhook: WebhookState::Disabled, ..seen(None, 0) };
        assert_eq!(failed_with(&job, &disabled).as_deref(), Some("disabled"));
        let missing = Seen { webhook: WebhookState::Missing, ..seen(None, 0) };
        assert_eq!(failed_with(&job, &missing).as_deref(), Some("no_webhook"));
    }
}

#[test]
fn a_stopped_lane_fails_the_job_with_its_own_words() {
    let mut state = lane(10, 4, 9);
    state.stopped = Some(("gap".to_owned(), "number 11 is missing".to_owned()));
    for job in [job(Phase::Pending(PLAN)), running(Progress::default())] {
        let Some(Action::Fail { failure, progress }) = action(&job, &seen(Some(&state), 0)) else {
            panic!("the job goes on");
        };
        assert_eq!(
            (failure.code.as_str(), failure.reason.as_str()),
            ("gap", "number 11 is missing")
        );
        assert_eq!((progress.sequence, progress.events_sent), (4, 9));
    }
}

#[test]
fn the_job_completes_at_its_end_when_every_event_is_accounted_for() {
    let job = running(Progress::default());
    let completes = |sequence, delivered| {
        let state = lane(2_000, sequence, delivered);
        matches!(action(&job, &seen(Some(&state), 0)), Some(Action::Complete(_)))
    };
    assert!(completes(500, 1_000));
    assert!(completes(501, 1_001));
    assert!(!completes(499, 1_000));
    assert!(!completes(500, 999), "a batch ended inside the last record");
}

#[test]
fn a_lane_that_stands_at_its_end_with_events_missing_fails_the_job() {
    let mut state = lane(2_000, 500, 990);
    let job = running(Progress::of(&state));
    assert_eq!(next(&job, &seen(Some(&state), 299)), Next::Wait);
    let Some(Action::Fail { failure, .. }) = action(&job, &seen(Some(&state), 301)) else {
        panic!("the job hangs");
    };
    assert_eq!(failure.code, "gap");
    assert!(failure.reason.starts_with("10 events"), "{failure:?}");
    state.hold =
        Some(Hold { reason: "503".to_owned(), customer_must_act: false, since: START, probes: 0 });
    assert_eq!(next(&job, &seen(Some(&state), 301)), Next::Wait, "the last of it is not taken yet");
}

#[test]
fn a_job_that_lost_events_to_expiry_never_completes() {
    let mut state = lane(2_000, 501, 900);
    state.totals.events_expired = 100;
    assert_eq!(
        failed_with(&running(Progress::default()), &seen(Some(&state), 0)).as_deref(),
        Some("expired")
    );
}

#[test]
fn being_done_wins_over_a_webhook_that_goes_away() {
    let state = lane(2_000, 501, 1_000);
    let gone = Seen { webhook: WebhookState::Missing, ..seen(Some(&state), 0) };
    assert!(matches!(action(&running(Progress::default()), &gone), Some(Action::Complete(_))));
}

#[test]
fn another_sender_on_the_lane_is_recorded() {
    let state = lane(10, 4, 9);
    let mut seen = seen(Some(&state), 0);
    seen.lane = seen.lane.map(|lane| LaneSeen { holder: Some("b"), ..lane });
    let by = Action::Start { holder: "b".to_owned() };
    assert_eq!(action(&running(Progress::default()), &seen), Some(by));
}

#[test]
fn progress_is_recorded_by_the_percent_and_seldom_below_it() {
    let job = running(Progress::default());
    let table = [(10, 0, false), (10, 1, true), (9, 1, false), (9, 29, false), (9, 30, true)];
    for (delivered, after, recorded) in table {
        let state = lane(10, 4, delivered);
        let advanced = matches!(action(&job, &seen(Some(&state), after)), Some(Action::Advance(_)));
        assert_eq!(advanced, recorded, "{delivered} events after {after} s");
    }
    let state = lane(10, 4, 10);
    let known = running(Progress::of(&state));
    assert_eq!(next(&known, &seen(Some(&state), 3_000)), Next::Wait);
}

#[test]
fn a_receiver_that_takes_nothing_for_too_long_fails_the_job() {
    let mut state = lane(10, 4, 0);
    state.hold =
        Some(Hold { reason: "503".to_owned(), customer_must_act: false, since: START, probes: 0 });
    let job = running(Progress::of(&state));
    assert_eq!(next(&job, &seen(Some(&state), 24 * 3600)), Next::Wait);
    assert_eq!(failed_with(&job, &seen(Some(&state), 26 * 3600)).as_deref(), Some("receiver"));
}

#[test]
fn records_that_expire_under_a_standing_lane_fail_the_job() {
    let gone = |after| Seen { oldest_sequence: 501, ..seen(None, after) };
    let pending = job(Phase::Pending(PLAN));
    assert_eq!(failed_with(&pending, &gone(301)).as_deref(), Some("expired"));
    assert_eq!(failed_with(&pending, &gone(299)), None);
    // Exactly what is not accounted for has expired.
    let state = lane(10, 4, 300);
    let seen_gone = Seen { oldest_sequence: 501, ..seen(Some(&state), 301) };
    let Some(Action::Fail { progress, .. }) = action(&running(Progress::of(&state)), &seen_gone)
    else {
        panic!("the job hangs");
    };
    assert_eq!((progress.events_sent, progress.events_expired), (300, 700));
    let part = Seen { oldest_sequence: 500, ..seen(None, 301) };
    assert_eq!(failed_with(&pending, &part), None);
}

#[test]
fn an_ended_job_is_left_alone() {
    let failure = Failure { code: "gap".to_owned(), reason: "gap".to_owned() };
    let progress = Progress::default();
    let state = lane(2_000, 501, 900);
    for phase in [
        Phase::Completed(progress),
        Phase::Failed { failure, progress },
        Phase::Cancelled { reason: "x".to_owned(), progress },
    ] {
        let gone = Seen { webhook: WebhookState::Missing, ..seen(Some(&state), 9_999) };
        assert_eq!(next(&job(phase), &gone), Next::Wait);
    }
}

#[test]
fn a_job_of_a_week_leaves_room_for_its_acceptance_on_its_subject() {
    // A receiver that takes a little every second, and far less than a percent in all.
    let (until_sequence, estimated_events) = (u64::MAX, u64::MAX);
    let plan = Plan { from_sequence: 1, until_sequence, estimated_events, ..Plan::EMPTY };
    let phase = Phase::Running {
        plan: plan.clone(),
        holder: "a".to_owned(),
        progress: Progress::default(),
    };
    let (mut job, mut facts) = (job(phase), 0);
    for second in 1..=7 * 24 * 3_600 {
        let lane = lane(second, second, second);
        let seen = seen(Some(&lane), second);
        if let Some(Action::Advance(progress)) = action(&job, &seen) {
            facts += 1;
            job.updated_at = seen.now;
            job.phase = Phase::Running { plan: plan.clone(), holder: "a".to_owned(), progress };
        }
    }
    assert!((100..5_000).contains(&facts), "{facts} facts");
}

#[test]
fn a_scope_that_cannot_be_sent_to_says_why() {
    let scope = Scope::Organization(OrgId::from_uuid(Uuid::nil()));
    let webhook = |enabled| Webhook { destination: None, enabled, since: None, updated_at: START };
    let with = |webhook| OrgConfig { webhooks: [(scope, webhook)].into(), ..OrgConfig::default() };
    let of = |config: &OrgConfig, target| WebhookState::of(config, scope, target);
    let any = Target::default();
    assert_eq!(of(&OrgConfig::default(), any), WebhookState::Missing);
    assert_eq!(of(&with(webhook(false)), any), WebhookState::Disabled);
    assert_eq!(of(&with(webhook(true)), any), WebhookState::Missing);
    let gone = Target { destination: Some(DestinationId::from_uuid(Uuid::nil())), ..any };
    assert_eq!(of(&with(webhook(true)), gone), WebhookState::NoDestination);
}
