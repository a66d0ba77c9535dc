//! A replay sends its window, both ends included, and nothing else.

use std::time::Duration;

use auditrelay_model::Timestamp;
use auditrelay_testkit::builders::{Draft, ago, login, now, some};
use auditrelay_testkit::siem::{Answer, Siem};
use auditrelay_testkit::stack::{Org, Stack};
use serde_json::{Value, json};

use crate::ledger::exactly;

const NANO: Duration = Duration::from_nanos(1);

#[tokio::test]
async fn both_ends_are_included_and_nothing_else_is_sent() {
    let stack = Stack::start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    org.deliver_to(&siem, "json").await;
    let (start, end) = (ago(Duration::from_hours(2)), ago(Duration::from_hours(1)));
    let middle = start + Duration::from_mins(30);
    // In another order than that of their times: a log is in the order of acceptance.
    let times = [end + NANO, middle, start, start - NANO, end, middle, now()];
    let drafts: Vec<_> = times.iter().map(|ts| login().at(*ts)).collect();
    let mut accepted = Vec::new();
    for draft in &drafts {
        accepted.extend(org.send(std::slice::from_ref(draft)).await);
    }
    let portal = org.portal("p").await;
    org.send(&[login().at(middle).of_portal(portal)]).await;
    siem.wait_for_live(&accepted).await;

    let answer = org.replay(start, end).await.must(202);
    assert_eq!(Timestamp::parse_rfc3339(&answer.text("start_at")), Ok(start));
    assert_eq!(Timestamp::parse_rfc3339(&answer.text("end_at")), Ok(end));
    // Later events are no part of it, whatever they say of themselves.
    let late = org.send(&[login().at(middle)]).await;
    let job = org.wait_for_job("completed").await;
    let expected: Vec<_> = [1, 2, 4, 5].iter().map(|place| accepted[*place].clone()).collect();
    exactly(&siem.replayed_ids(job["id"].as_str().unwrap()), &expected);
    assert_eq!(job["progress"]["events_sent"], 4, "{job}");
    assert_eq!(job["progress"]["events_quarantined"], 0, "{job}");
    assert_eq!(job["percent"], 100, "{job}");
    siem.wait_for_live(&late).await;
    siem.assert_signed(&stack.verifier());
    assert_eq!(status(&org).await["status"], "completed");
}

#[tokio::test]
async fn a_replayed_line_is_the_delivered_line() {
    let stack = Stack::start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    org.deliver_to(&siem, "cef").await;
    let accepted = org.send(&some(6)).await;
    siem.wait_for_live(&accepted).await;
    let job = replayed(&org, ago(Duration::from_hours(1)), now()).await;
    exactly(&siem.replayed_ids(&job), &accepted);
    let lines = |job: Option<&str>| -> Vec<_> {
        let taken = siem.taken().into_iter().filter(move |one| one.replay_job.as_deref() == job);
        taken.flat_map(|one| one.lines()).collect()
    };
    assert_eq!(lines(None), lines(Some(&job)));
}

#[tokio::test]
async fn what_was_missed_by_one_receiver_is_replayed_to_the_next() {
    let stack = Stack::start().await;
    let (org, first) = (stack.org().await, Siem::start().await);
    org.deliver_to(&first, "json").await;
    let accepted = org.send(&some(9)).await;
    first.wait_for_live(&accepted).await;
    let second = Siem::start().await;
    org.deliver_to(&second, "cps").await;
    let job = replayed(&org, ago(Duration::from_hours(1)), now()).await;
    exactly(&second.replayed_ids(&job), &accepted);
    assert!(first.replayed_ids(&job).is_empty());
}

#[tokio::test]
async fn an_empty_window_completes_at_once() {
    let stack = Stack::start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    org.deliver_to(&siem, "json").await;
    let accepted = org.send(&some(3)).await;
    siem.wait_for_live(&accepted).await;
    let (start, end) = (ago(Duration::from_hours(9)), ago(Duration::from_hours(8)));
    let job = replayed(&org, start, end).await;
    assert!(siem.replayed_ids(&job).is_empty());
    let job = replayed(&org, start, start).await;
    assert!(siem.replayed_ids(&job).is_empty());
    assert_eq!(org.job().await["progress"]["events_sent"], 0);
}

#[tokio::test]
async fn one_job_runs_at_a_time_and_live_delivery_goes_on() {
    let stack = Stack::builder().set("sender.batch_events", "4").start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    org.deliver_to(&siem, "json").await;
    let accepted = org.send(&some(24)).await;
    siem.wait_for_live(&accepted).await;
    assert_eq!(status(&org).await["status"], "unconfigured");
    siem.answer_by(|delivery| match delivery.replay_job {
        Some(_) => Answer::Slow(Duration::from_millis(400), 200),
        None => Answer::Status(200),
    });
    let (start, end) = (ago(Duration::from_hours(1)), now());
    let _ = org.replay(start, end).await.must(202);
    org.wait_for_job("running").await;
    assert_eq!(status(&org).await["status"], "running");
    let refused = org.replay(ago(Duration::from_hours(2)), end).await.must(409);
    assert_eq!(refused.body["title"], "Resource Conflict");
    assert_eq!(refused.body["detail"], "A replay job is currently running");
    let live = org.send(&some(4)).await;
    siem.wait_for_live(&live).await;
    let job = org.wait_for_job("completed").await;
    exactly(&siem.replayed_ids(job["id"].as_str().unwrap()), &accepted);
    // It has ended: the next one may come.
    replayed(&org, start, end).await;
}

#[tokio::test]
async fn a_job_can_be_cancelled_while_it_runs() {
    let stack = Stack::builder().set("sender.batch_events", "2").start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    org.deliver_to(&siem, "json").await;
    let accepted = org.send(&some(40)).await;
    siem.wait_for_live(&accepted).await;
    siem.answer_always(Answer::Slow(Duration::from_millis(500), 200));
    let _ = org.replay(ago(Duration::from_hours(1)), now()).await.must(202);
    org.wait_for_job("running").await;
    let _ = org.post("/v1/replay-job/cancel", &json!({"reason": "enough"})).await.must(200);
    let job = org.wait_for_job("cancelled").await;
    // On the wire of the compatible API there is no such state.
    assert_eq!(status(&org).await["status"], "failed");
    siem.answer_always(Answer::Status(200));
    let next = replayed(&org, ago(Duration::from_hours(1)), now()).await;
    exactly(&siem.replayed_ids(&next), &accepted);
    let sent_before = siem.replayed_ids(job["id"].as_str().unwrap());
    assert!(sent_before.len() < accepted.len(), "it was sent to its end");
}

#[tokio::test]
async fn a_receiver_that_refuses_too_long_fails_the_job() {
    let stack = Stack::builder().set("sender.replay_patience", "2s").start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    org.deliver_to(&siem, "json").await;
    let accepted = org.send(&some(5)).await;
    siem.wait_for_live(&accepted).await;
    siem.answer_always(Answer::Status(401));
    let _ = org.replay(ago(Duration::from_hours(1)), now()).await.must(202);
    let job = org.wait_for_job("failed").await;
    assert_eq!(job["failure"]["code"], "receiver", "{job}");
    assert_eq!(job["progress"]["events_sent"], 0, "{job}");
}

#[tokio::test]
async fn a_poisonous_event_is_counted_and_the_job_completes() {
    let stack = Stack::start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    org.deliver_to(&siem, "json").await;
    let drafts: Vec<Draft> = some(6);
    let accepted = org.send(&drafts).await;
    siem.wait_for_live(&accepted).await;
    let poison = drafts[2].id();
    siem.answer_by(move |delivery| {
        Answer::Status(if delivery.brings(&poison) { 422 } else { 200 })
    });
    let job = replayed(&org, ago(Duration::from_hours(1)), now()).await;
    assert_eq!(siem.replayed_ids(&job).len(), 5);
    let job = org.job().await;
    assert_eq!(job["progress"]["events_quarantined"], 1, "{job}");
    assert_eq!(job["progress"]["events_sent"], 5, "{job}");
}

/// Replays a window to its end; returns the job's id.
async fn replayed(org: &Org, start: Timestamp, end: Timestamp) -> String {
    let _ = org.replay(start, end).await.must(202);
    let job = org.wait_for_job("completed").await;
    job["id"].as_str().unwrap().to_owned()
}

/// The job as the compatible API shows it.
async fn status(org: &Org) -> Value {
    org.get("/v3/audit-log-replay-job").await.must(200).body
}
