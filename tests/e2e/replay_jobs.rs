//! Replay jobs of our own API: counted before, filtered, aimed, paused, queued, retried.

use std::time::Duration;

use auditrelay_testkit::builders::{Draft, ago, login, now, some};
use auditrelay_testkit::siem::{Answer, Siem};
use auditrelay_testkit::stack::{Org, Stack};
use auditrelay_testkit::wait;
use serde_json::{Value, json};

use crate::ledger::{at_least_once, exactly};

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test]
async fn what_is_counted_is_what_is_sent() {
    let stack = Stack::builder().set("sender.batch_events", "4").start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    org.deliver_to(&siem, "json").await;
    let (start, end) = (ago(2 * HOUR), ago(HOUR));
    let (inside, outside) = (start + HOUR / 2, end + Duration::from_nanos(1));
    let mut accepted = Vec::new();
    for ts in [inside, outside, inside, end, start, outside, inside] {
        accepted.extend(org.send(&[login().at(ts), login().at(ts)]).await);
    }
    siem.wait_for_live(&accepted).await;
    let before = siem.deliveries().len();
    let found = org.estimate(start, end, &json!({})).await.must(200).body;
    assert_eq!((&found["events"], &found["exact"]), (&json!(10), &json!(true)), "{found}");
    assert_eq!((&found["events_max"], &found["batches"]), (&json!(14), &json!(3)), "{found}");
    assert_eq!((&found["rate"], &found["overlaps"]), (&json!("assumed"), &json!([])), "{found}");
    assert!(found["stored_bytes"].as_u64() > Some(500), "{found}");
    let none = json!({"kinds": ["authorization"]});
    assert_eq!(org.estimate(start, end, &none).await.must(200).body["events"], 0);
    assert_eq!(siem.deliveries().len(), before, "nothing is sent");
    assert_eq!(org.job().await["state"], "unconfigured", "nothing is stored");

    let name = json!({"name": "after the outage"});
    let made = org.replay_job(start, end, &name).await.must(202);
    let job = org.wait_for_job_id(&made.text("id"), "completed").await;
    assert_eq!((&job["name"], &job["progress"]["events_sent"]), (&name["name"], &json!(10)));
    let again = org.estimate(start, end, &json!({})).await.must(200).body;
    assert_eq!(again["overlaps"][0]["id"], made.text("id"), "{again}");
    let history: Vec<_> =
        job["history"].as_array().unwrap().iter().map(|step| &step["what"]).collect();
    assert_eq!(history, ["accepted", "scheduled", "started", "completed"]);
}

#[tokio::test]
async fn only_the_kinds_that_are_asked_for_are_sent() {
    let stack = Stack::start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    org.deliver_to(&siem, "json").await;
    let drafts = some(12);
    let accepted = org.send(&drafts).await;
    siem.wait_for_live(&accepted).await;
    let access = json!({"kinds": ["gateway_access"]});
    let expected: Vec<_> = drafts
        .iter()
        .filter(|draft| draft.json()["type"] == "gateway_access")
        .map(Draft::id)
        .collect();
    assert!(!expected.is_empty() && expected.len() < drafts.len());
    let found = org.estimate(ago(HOUR), now(), &access).await.must(200).body;
    assert_eq!(found["events"], expected.len());
    let job = done(&org, &access).await;
    exactly(&siem.replayed_ids(job["id"].as_str().unwrap()), &expected);
    assert_eq!(job["progress"]["events_skipped"], drafts.len() - expected.len());
}

#[tokio::test]
async fn a_job_can_be_sent_to_another_destination_in_another_format() {
    let stack = Stack::start().await;
    let org = stack.org().await;
    let (siem, archive) = (Siem::start().await, Siem::start().await);
    org.deliver_to(&siem, "json").await;
    let accepted = org.send(&some(5)).await;
    siem.wait_for_live(&accepted).await;
    let destination = org.destination(&archive, "json").await;
    let there = json!({"destination_id": destination, "log_format": "cef"});
    let job = done(&org, &there).await;
    exactly(&archive.replayed_ids(job["id"].as_str().unwrap()), &accepted);
    let lines: Vec<_> =
        archive.taken().iter().flat_map(auditrelay_testkit::siem::Delivery::lines).collect();
    assert!(lines.iter().all(|line| format!("{line:?}").contains("CEF:0|")), "{lines:?}");
    assert_eq!(siem.deliveries().iter().filter(|one| one.replay_job.is_some()).count(), 0);
    // Without a webhook too: the job names where it goes.
    let _ = org.delete("/v3/audit-log-webhook").await.must(204);
    done(&org, &there).await;
    let refused = org.replay_job(ago(HOUR), now(), &json!({})).await.must(400);
    assert_eq!(refused.body["invalid_parameters"][0]["field"], "audit_log_destination_id");
}

#[tokio::test]
async fn only_what_a_destination_has_not_acknowledged_is_sent() {
    let stack = Stack::builder().set("sender.batch_events", "5").start().await;
    let (org, first, second) = (stack.org().await, Siem::start().await, Siem::start().await);
    let to_first = org.deliver_to(&first, "json").await;
    let mut seen = org.send(&some(7)).await;
    first.wait_for_live(&seen).await;
    let to_second = org.deliver_to(&second, "json").await;
    let missed = org.send(&some(6)).await;
    second.wait_for_live(&missed).await;
    org.enable(&to_first).await;
    let rest = org.send(&some(4)).await;
    first.wait_for_live(&[seen.clone(), rest.clone()].concat()).await;
    let only = json!({"unacknowledged_only": true});
    let found = org.estimate(ago(HOUR), now(), &only).await.must(200).body;
    assert_eq!(found["events"], missed.len(), "{found}");
    let job = done(&org, &only).await;
    exactly(&first.replayed_ids(job["id"].as_str().unwrap()), &missed);
    // What a replay brought is acknowledged as well.
    assert_eq!(done(&org, &only).await["progress"]["events_sent"], 0);
    seen.extend(rest);
    let elsewhere = json!({"unacknowledged_only": true, "destination_id": to_second});
    let job = done(&org, &elsewhere).await;
    exactly(&second.replayed_ids(job["id"].as_str().unwrap()), &seen);
}

#[tokio::test]
async fn a_paused_job_waits_and_goes_on_where_it_was() {
    let stack = Stack::builder().set("sender.batch_events", "2").start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    org.deliver_to(&siem, "json").await;
    let accepted = org.send(&some(20)).await;
    siem.wait_for_live(&accepted).await;
    siem.answer_always(Answer::Slow(Duration::from_millis(150), 200));
    let made = org.replay_job(ago(HOUR), now(), &json!({})).await.must(202);
    let id = made.text("id");
    org.wait_for_job_id(&id, "running").await;
    let act = |what: &str| format!("/v1/replay-jobs/{id}/{what}");
    let paused = org.post(&act("pause"), &json!({"reason": "night"})).await.must(200).body;
    assert_eq!(
        (&paused["state"], &paused["paused"]["reason"]),
        (&json!("paused"), &json!("night"))
    );
    assert_eq!(org.get("/v3/audit-log-replay-job").await.must(200).body["status"], "running");
    let _ = org.replay(ago(2 * HOUR), now()).await.must(409);
    siem.answer_always(Answer::Status(200));
    let live = async || {
        for _ in 0..5 {
            siem.wait_for_live(&org.send(&some(1)).await).await;
        }
        siem.replayed_ids(&id).len()
    };
    // What was in hand has been finished meanwhile.
    let so_far = live().await;
    assert!(so_far < accepted.len(), "it was sent to its end");
    assert_eq!(live().await, so_far, "live delivery goes on, the job does not");
    let _ = org.post(&act("resume"), &json!({})).await.must(200);
    let job = org.wait_for_job_id(&id, "completed").await;
    exactly(&siem.replayed_ids(&id), &accepted);
    assert_eq!(siem.replayed_ids(&id).len(), accepted.len(), "what was in hand was finished");
    assert_eq!(job["progress"]["events_sent"], accepted.len());
    let _ = org.post(&act("pause"), &json!({})).await.must(409);
}

#[tokio::test]
async fn jobs_of_a_log_wait_for_each_other_and_the_rest_of_one_can_be_sent() {
    let stack = Stack::builder().set("sender.batch_events", "2").start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    org.deliver_to(&siem, "json").await;
    let accepted = org.send(&some(16)).await;
    siem.wait_for_live(&accepted).await;
    siem.answer_always(Answer::Slow(Duration::from_millis(150), 200));
    let first = org.replay_job(ago(HOUR), now(), &json!({})).await.must(202).text("id");
    org.wait_for_job_id(&first, "running").await;
    let second = org.replay_job(ago(HOUR), now(), &json!({"name": "again"})).await.must(202);
    let (second, answer) = (second.text("id"), second.body);
    assert_eq!((&answer["state"], &answer["queue_position"]), (&json!("queued"), &json!(1)));
    assert_eq!(answer["overlaps"][0]["id"], first);
    let act = |id: &str, what: &str| format!("/v1/replay-jobs/{id}/{what}");
    let _ = org.post(&act(&second, "pause"), &json!({})).await.must(409);
    wait::until("some of it to be sent", async || {
        let came = siem.replayed_ids(&first).len();
        if came >= 6 { Ok(()) } else { Err(came.to_string()) }
    })
    .await;
    let _ = org.post(&act(&first, "cancel"), &json!({"reason": "enough"})).await.must(200);
    siem.answer_always(Answer::Status(200));
    let job = org.wait_for_job_id(&second, "completed").await;
    exactly(&siem.replayed_ids(&second), &accepted);
    assert_eq!(job["name"], "again");

    let _ = org.post(&act(&second, "retry"), &json!({})).await.must(409);
    let rest = org.post(&act(&first, "retry"), &json!({})).await.must(202);
    assert_eq!(rest.text("retry_of"), first);
    let job = org.wait_for_job_id(&rest.text("id"), "completed").await;
    let (done, rest) = (siem.replayed_ids(&first), siem.replayed_ids(&rest.text("id")));
    at_least_once(&[done.clone(), rest.clone()].concat(), &accepted);
    assert!(done.len() + rest.len() <= accepted.len() + 2, "one batch may come twice");
    assert_eq!(job["progress"]["events_sent"], rest.len());

    let list = org.get("/v1/replay-jobs?page[size]=2").await.must(200).body;
    assert_eq!((&list["meta"]["page"]["total"], &list["data"][0]["id"]), (&json!(3), &job["id"]));
    let cancelled = org.get(&format!("/v1/replay-jobs/{first}")).await.must(200).body;
    assert_eq!(cancelled["failure"]["reason"], "enough");
    let last = cancelled["history"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["what"], &last["reason"]), (&json!("cancelled"), &json!("enough")));
}

/// Replays the last hour to its end.
async fn done(org: &Org, more: &Value) -> Value {
    let made = org.replay_job(ago(HOUR), now(), more).await.must(202);
    org.wait_for_job_id(&made.text("id"), "completed").await
}
