use std::time::Duration;

use auditrelay_model::delivery::{LaneState, Totals};
use auditrelay_model::destination::LogFormat;
use auditrelay_model::event::EventKind;
use auditrelay_model::id::{DestinationId, JobId, OrgId};
use auditrelay_model::record::Position;
use auditrelay_model::replay::{
    Failure, Job, Jobs, Pause, Phase, Plan, Progress, Remainder, Step, Tally, Target, Terms,
};
use serde_json::json;
use uuid::Uuid;

use super::*;

const NOW: &str = "2026-06-15T12:00:00Z";

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

fn parse(body: &str) -> Result<Window, Vec<Fault>> {
    parse_window(body.as_bytes(), at(NOW))
}

fn faults(start: &str, end: &str) -> Vec<Fault> {
    parse(&format!(r#"{{"start_at":{start},"end_at":{end}}}"#)).unwrap_err()
}

fn job(phase: Phase) -> Job {
    Job {
        id: JobId::from_uuid(Uuid::from_u128(3)),
        window: Window::stored(at("2026-06-14T00:00:00Z"), at("2026-06-15T00:00:00Z")),
        terms: Terms::default(),
        snapshot_sequence: 9,
        actor: "token".to_owned(),
        accepted_at: at(NOW),
        started_at: None,
        updated_at: at(NOW),
        paused: None,
        rested: Duration::ZERO,
        steps: Vec::new(),
        phase,
    }
}

const SCOPE: Scope = Scope::Organization(OrgId::from_uuid(Uuid::nil()));

fn seen(job: &Job, lane: &LaneState) -> Detail {
    Detail::of(SCOPE, job, &Seen { lane, now: at(NOW), place: None, event_at: None })
}

#[test]
fn a_window_is_two_times_that_are_still_kept() {
    let body = r#"{"start_at":"2026-06-14T00:00:00.123456789+02:00","end_at":"2026-06-15T00:00:00Z",
        "status":"completed"}"#;
    let window = parse(body).unwrap();
    assert_eq!(window.start(), at("2026-06-13T22:00:00.123456789Z"));
    let moment = r#"{"start_at":"2026-06-15T00:00:00Z","end_at":"2026-06-15T00:00:00Z"}"#;
    assert!(parse(moment).is_ok());
    // Within five minutes of a bound it is cut.
    let cut = r#"{"start_at":"2026-06-08T11:56:00Z","end_at":"2026-06-15T12:04:00Z"}"#;
    let window = parse(cut).unwrap();
    assert_eq!((window.start(), window.end()), (at("2026-06-08T12:00:00Z"), at(NOW)));
}

#[test]
fn bad_windows_have_their_answers() {
    let ok = "\"2026-06-15T00:00:00Z\"";
    let fault = |field, wrong| vec![Fault::body(field, wrong)];
    let both = |wrong| vec![Fault::body("start_at", wrong), Fault::body("end_at", wrong)];
    assert_eq!(parse("{}").unwrap_err(), both(Wrong::Required));
    assert_eq!(faults("null", ok), fault("start_at", Wrong::Required));
    assert_eq!(faults("1735689600", ok), fault("start_at", Wrong::Type("string")));
    for text in [
        "yesterday",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-01-01T00:00Z",
        "10000-01-01T00:00:00Z",
        "+2026-01-01T00:00:00Z",
        " 2026-06-15T00:00:00Z",
        "1e9",
        "2026-06-15T00:00:00Z\\u0000",
    ] {
        assert_eq!(
            faults(&format!("\"{text}\""), ok),
            fault("start_at", Wrong::DateTime),
            "{text}"
        );
    }
    assert_eq!(faults("\"\"", "\"\""), both(Wrong::Blank));
    for text in ["\"9998-12-31T23:59:59Z\"", "\"9999-12-31T23:59:59Z\""] {
        assert_eq!(faults(ok, text), fault("end_at", OUTSIDE), "{text}");
    }
    let after = Wrong::Invalid("must not be before start_at");
    assert_eq!(faults(ok, "\"2026-06-14T00:00:00Z\""), fault("end_at", after));
    let old = "\"2026-06-08T11:54:00Z\"";
    assert_eq!(faults(old, ok), fault("start_at", OUTSIDE));
    let future = Wrong::Invalid("must not be in the future");
    assert_eq!(faults(ok, "\"2026-06-15T12:06:00Z\""), fault("end_at", future));
    let twice = r#"{"start_at":"a","start_at":"b"}"#;
    assert_eq!(parse(twice).unwrap_err(), fault("body", Wrong::Syntax));
}

#[test]
fn a_cancelled_job_reads_failed_to_clients_that_know_no_cancel() {
    let reason = "wrong window".to_owned();
    let cancelled = job(Phase::Cancelled { reason, progress: Progress::default() });
    assert_eq!(View::of(Some(&cancelled)).status, "failed");
    let detail = seen(&cancelled, &LaneState::default());
    assert_eq!(detail.state, "cancelled");
    assert_eq!(detail.failure.unwrap().reason, "wrong window");
    let unset = json!({"status": "unconfigured", "start_at": "0001-01-01T00:00:00Z",
        "end_at": "0001-01-01T00:00:00Z", "updated_at": "0001-01-01T00:00:00Z"});
    assert_eq!(serde_json::to_value(View::of(None)).unwrap(), unset);
    assert_eq!(Detail::unconfigured(SCOPE).state, "unconfigured");
}

#[test]
fn progress_is_what_the_lane_or_the_job_knows_whichever_is_newer() {
    let plan = Plan { from_sequence: 1, until_sequence: 9, estimated_events: 200, ..Plan::EMPTY };
    let progress = Progress { events_sent: 40, events_skipped: 10, ..Progress::default() };
    let running = job(Phase::Running { plan, holder: "s".to_owned(), progress });
    let detail = seen(&running, &LaneState::default());
    assert_eq!((detail.percent, detail.progress.events_sent), (25, 40));
    let totals = Totals { events_delivered: 190, events_passed: 10, ..Totals::default() };
    let lane = LaneState { totals, ..LaneState::default() };
    let detail = seen(&running, &lane);
    assert_eq!((detail.percent, detail.progress.events_sent), (99, 190), "not complete yet");
    assert_eq!(seen(&job(Phase::Completed(progress)), &lane).percent, 100);
    let failure = Failure { code: "gap".to_owned(), reason: "number 7 is missing".to_owned() };
    let detail = seen(&job(Phase::Failed { failure, progress }), &lane);
    assert_eq!((detail.failure.unwrap().code.as_str(), detail.progress.events_sent), ("gap", 40));
    assert_eq!(seen(&job(Phase::Accepted), &LaneState::default()).percent, 0);
}

#[test]
fn a_cancel_request_is_ours_and_strict() {
    let all = CancelRequest::parse(b"{}").unwrap();
    assert_eq!((all.portal, all.reason.as_str()), (None, "cancelled by request"));
    let faults = CancelRequest::parse(br#"{"portal_id":"x","why":"y","reason":" "}"#).unwrap_err();
    let fields: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
    assert_eq!(fields, ["portal_id", "reason", "why"]);
}

#[test]
fn a_repeated_request_means_the_same_job() {
    let scope = |org| Scope::Organization(OrgId::from_uuid(Uuid::from_u128(org)));
    assert_eq!(job_of_key(scope(1), "k"), job_of_key(scope(1), "k"));
    assert_ne!(job_of_key(scope(1), "k"), job_of_key(scope(1), "l"));
    assert_ne!(job_of_key(scope(1), "k"), job_of_key(scope(2), "k"));
}

#[test]
fn a_paused_job_reads_running_to_clients_that_know_no_pause() {
    let pause = Pause { since: at(NOW), actor: "token".to_owned(), reason: "night".to_owned() };
    for phase in [Phase::Accepted, Phase::Pending(Plan::EMPTY)] {
        let paused = Job { paused: Some(pause.clone()), ..job(phase) };
        assert_eq!(View::of(Some(&paused)).status, "running");
        let detail = seen(&paused, &LaneState::default());
        assert_eq!((detail.state, detail.paused.unwrap().reason.as_str()), ("paused", "night"));
    }
}

#[test]
fn what_is_left_takes_as_long_as_what_is_done() {
    let plan = Plan { until_sequence: 9, from_sequence: 1, estimated_events: 400, ..Plan::EMPTY };
    let progress = Progress { events_sent: 100, ..Progress::default() };
    let phase = Phase::Running { plan, holder: "s".to_owned(), progress };
    let started_at = Some(at(NOW) - Duration::from_secs(10));
    let running = Job { started_at, ..job(phase) };
    let lane = LaneState::default();
    assert_eq!(seen(&running, &lane).eta_seconds, Some(30));
    let rested = Job { rested: Duration::from_secs(5), ..running.clone() };
    assert_eq!(seen(&rested, &lane).eta_seconds, Some(15));
    assert_eq!(seen(&job(Phase::Accepted), &lane).eta_seconds, None);
}

#[test]
fn overlaps_are_windows_that_touch_and_were_or_are_sent() {
    let sent = Progress { events_sent: 7, ..Progress::default() };
    let failure = || Failure { code: "gap".to_owned(), reason: String::new() };
    let numbered = |id, phase| Job { id: JobId::from_uuid(Uuid::from_u128(id)), ..job(phase) };
    let jobs = Jobs {
        past: vec![
            numbered(1, Phase::Completed(sent)),
            numbered(2, Phase::Failed { failure: failure(), progress: Progress::default() }),
        ],
        newest: Some(numbered(3, Phase::Failed { failure: failure(), progress: sent })),
        waiting: vec![numbered(4, Phase::Accepted)],
    };
    let found = |start: &str, end: &str, but: Option<&Job>| {
        let window = Window::stored(at(start), at(end));
        overlaps(&jobs, window, but).iter().map(|one| one.id.chars().last().unwrap()).collect()
    };
    let all: String = found("2026-06-15T00:00:00Z", "2026-06-15T01:00:00Z", None);
    assert_eq!(all, "431");
    let others: String =
        found("2026-06-15T00:00:00Z", "2026-06-15T01:00:00Z", jobs.waiting.first());
    assert_eq!(others, "31");
    let none: String = found("2026-06-15T00:00:01Z", "2026-06-15T01:00:00Z", None);
    assert_eq!(none, "");
}

fn asked() -> Job {
    let destination = DestinationId::from_uuid(Uuid::from_u128(4));
    let remainder = Remainder { of: JobId::from_uuid(Uuid::from_u128(2)), after: None };
    let step =
        Step { at: at(NOW), actor: "token".to_owned(), what: "accepted", reason: String::new() };
    let terms = Terms {
        name: Some("night".to_owned()),
        kinds: vec![EventKind::Authorization],
        unacknowledged_only: true,
        target: Target { destination: Some(destination), log_format: Some(LogFormat::Cps) },
        remainder: Some(remainder),
    };
    Job { terms, steps: vec![step], ..job(Phase::Accepted) }
}

#[test]
fn a_job_reads_as_it_was_asked_for() {
    let plan = Plan { until_sequence: 9, estimated_events: 200, ..Plan::EMPTY };
    let progress = Progress { events_sent: 50, ..Progress::default() };
    let phase = Phase::Running { plan, holder: "sender-1".to_owned(), progress };
    let started_at = Some(at("2026-06-15T11:59:00Z"));
    let shown = seen(&Job { phase, started_at, ..asked() }, &LaneState::default());
    let expected = json!({
        "id": "00000000-0000-0000-0000-000000000003", "name": "night", "scope": "org",
        "state": "running", "start_at": "2026-06-14T00:00:00Z", "end_at": "2026-06-15T00:00:00Z",
        "kinds": ["authorization"], "unacknowledged_only": true,
        "destination_id": "00000000-0000-0000-0000-000000000004", "log_format": "cps",
        "retry_of": "00000000-0000-0000-0000-000000000002", "actor": "token", "accepted_at": NOW,
        "started_at": "2026-06-15T11:59:00Z", "updated_at": NOW, "holder": "sender-1",
        "queue_position": null, "paused": null, "hold": null, "failure": null,
        "progress": {"events_sent": 50, "events_skipped": 0, "events_quarantined": 0,
            "events_expired": 0, "bytes_sent": 0, "requests": 0},
        "estimated_events": 200, "events_total": null, "percent": 25, "eta_seconds": 180,
        "current_event_at": null,
        "history": [{"at": NOW, "actor": "token", "what": "accepted", "reason": ""}],
    });
    assert_eq!(serde_json::to_value(shown).unwrap(), expected);
}

#[test]
fn where_a_job_is_is_said_only_while_it_is_under_way() {
    let lane = LaneState::default();
    let event_at = Some(at("2026-06-14T05:00:00Z"));
    let current = |job: &Job| {
        Detail::of(SCOPE, job, &Seen { lane: &lane, now: at(NOW), place: None, event_at })
            .current_event_at
    };
    assert_eq!(current(&job(Phase::Accepted)).as_deref(), Some("2026-06-14T05:00:00Z"));
    assert_eq!(current(&job(Phase::Completed(Progress::default()))), None);
}

#[test]
fn a_report_is_made_of_a_job_that_ended_and_of_no_other() {
    let progress = Progress { events_sent: 7, ..Progress::default() };
    let failure = Failure { code: "gap".to_owned(), reason: "number 7 is missing".to_owned() };
    let ended = |phase| {
        let report = Report::of(SCOPE, &Job { phase, ..asked() })?;
        assert_eq!((report.counts.events_sent, report.name.as_deref()), (7, Some("night")));
        Some((report.state, report.reason))
    };
    let told = |state, reason: &str| Some((state, Some(reason.to_owned())));
    assert_eq!(ended(Phase::Completed(progress)), Some(("completed", None)));
    let failed = Phase::Failed { failure, progress };
    assert_eq!(ended(failed), told("failed", "number 7 is missing"));
    let cancelled = Phase::Cancelled { reason: "no".to_owned(), progress };
    assert_eq!(ended(cancelled), told("cancelled", "no"));
    assert_eq!(ended(Phase::Accepted), None);
}

#[test]
fn what_is_left_of_a_job_is_what_is_still_kept_behind_its_last_event() {
    let cursor = Some(Position { epoch: 1, number: 7, sequence: 3 });
    let progress = Progress { cursor, ..Progress::default() };
    let cancelled = Phase::Cancelled { reason: String::new(), progress };
    let cancelled = Job { phase: cancelled, ..asked() };
    let (window, terms) = remainder(&cancelled, at(NOW)).unwrap();
    assert_eq!(window, cancelled.window);
    let left = Some(Remainder { of: cancelled.id, after: cursor });
    assert_eq!(terms, Terms { remainder: left, ..cancelled.terms.clone() });
    let (cut, _) = remainder(&cancelled, at("2026-06-21T12:00:00Z")).unwrap();
    assert_eq!((cut.start(), cut.end()), (at("2026-06-14T12:00:00Z"), cancelled.window.end()));
    assert!(remainder(&cancelled, at("2026-06-22T00:00:00Z")).is_ok(), "its last moment is kept");
    assert!(remainder(&cancelled, at("2026-06-22T00:00:01Z")).is_err());
    for phase in [Phase::Completed(progress), Phase::Accepted] {
        assert!(remainder(&job(phase), at(NOW)).is_err());
    }
}

#[test]
fn a_pause_has_no_end_in_sight_and_who_waits_is_not_running() {
    let plan = Plan { until_sequence: 9, estimated_events: 400, ..Plan::EMPTY };
    let progress = Progress { events_sent: 100, ..Progress::default() };
    let phase = Phase::Running { plan, holder: "s".to_owned(), progress };
    let pause = Pause { since: at(NOW), actor: "token".to_owned(), reason: "night".to_owned() };
    let started_at = Some(at(NOW) - Duration::from_secs(10));
    let paused = Job { started_at, paused: Some(pause), ..job(phase) };
    assert_eq!(seen(&paused, &LaneState::default()).eta_seconds, None);
    let statuses = [Phase::Accepted, Phase::Pending(Plan::EMPTY)]
        .map(|phase| View::of(Some(&job(phase))).status);
    assert_eq!(statuses, ["accepted", "pending"]);
}

#[test]
fn an_estimate_counts_the_jobs_that_come_first_and_rounds_the_rate() {
    let body = br#"{"start_at":"2026-06-15T00:00:00Z","end_at":"2026-06-15T01:00:00Z"}"#;
    let wish = JobWish::parse(body, at(NOW)).unwrap();
    let counted = Counted {
        tally: Tally::default(),
        exact: true,
        events_max: 10,
        duration: Duration::from_millis(1_001),
        events_per_second: 99.6,
        is_rate_measured: false,
    };
    let jobs = |newest| Jobs { newest, waiting: vec![job(Phase::Accepted); 2], past: Vec::new() };
    let shown = |newest| EstimateView::of(SCOPE, &wish, &counted, &jobs(newest));
    assert_eq!(shown(Some(job(Phase::Accepted))).jobs_before, 3);
    let ended = shown(Some(job(Phase::Completed(Progress::default()))));
    assert_eq!((ended.jobs_before, ended.events_per_second, ended.eta_seconds), (2, 100, 2));
}
