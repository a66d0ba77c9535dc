//! A replay is exact whatever happens to it, and can be followed and proven.

use std::time::Duration;

use auditrelay_model::id::EventId;
use auditrelay_model::replay::SentIds;
use auditrelay_model::stream::StreamSpec;
use auditrelay_streams::{NatsSettings, StreamName, Streams, connect};
use auditrelay_testkit::builders::{ago, login, now, some};
use auditrelay_testkit::siem::{Answer, Siem};
use auditrelay_testkit::stack::{Org, Service, Stack};
use auditrelay_testkit::wait;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::ledger::{at_least_once, exactly, repeated};

const HOUR: Duration = Duration::from_hours(1);
const BATCH: usize = 5;

#[tokio::test]
async fn a_replay_whose_processes_are_killed_again_and_again_brings_everything() {
    let batch = BATCH.to_string();
    let mut stack = Stack::builder().set("sender.batch_events", &batch).start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    org.deliver_to(&siem, "json").await;
    let accepted = org.send(&some(100)).await;
    siem.wait_for_live(&accepted).await;
    siem.answer_always(Answer::Slow(Duration::from_millis(60), 200));
    let id = org.replay_job(ago(HOUR), now(), &json!({})).await.must(202).text("id");
    for percent in [10, 50, 90] {
        wait::until_so(&format!("{percent} percent"), || {
            let came = siem.replayed_ids(&id).len();
            if came >= percent { Ok(()) } else { Err(came.to_string()) }
        })
        .await;
        stack.kill(Service::Sender);
        stack.kill(Service::Scheduler);
        stack.run(Service::Scheduler).await;
        stack.run(Service::Sender).await;
    }
    let job = org.wait_for_job_id(&id, "completed").await;
    let came = siem.replayed_ids(&id);
    at_least_once(&came, &accepted);
    assert!(repeated(&came) <= 3 * BATCH, "more than one batch for each kill");
    assert_eq!(job["progress"]["events_sent"], accepted.len());
    let ends = job["history"].as_array().unwrap().iter().filter(|step| {
        ["completed", "failed", "cancelled"].contains(&step["what"].as_str().unwrap())
    });
    assert_eq!(ends.count(), 1, "{job}");
    prove(&stack, &org, &id, &accepted).await;
}

#[tokio::test]
async fn edges_that_fall_on_exact_milliseconds_are_inside() {
    let stack = Stack::start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    org.deliver_to(&siem, "json").await;
    let (milli, nano) = (Duration::from_millis(1), Duration::from_nanos(1));
    let start = auditrelay_model::Timestamp::from_nanos(
        ago(2 * HOUR).nanos() / 1_000_000_000 * 1_000_000_000,
    );
    let end = start + 3 * milli;
    let times = [start - milli, start - nano, start, start + milli, end, end + nano, end + milli];
    let mut accepted = Vec::new();
    for ts in times {
        accepted.extend(org.send(&[login().at(ts)]).await);
    }
    siem.wait_for_live(&accepted).await;
    let id = org.replay_job(start, end, &json!({})).await.must(202).text("id");
    org.wait_for_job_id(&id, "completed").await;
    exactly(&siem.replayed_ids(&id), &accepted[2..5]);
    // The next window begins where this one ended: only what lies on the edge comes twice.
    let next = org.replay_job(end + nano, end + milli, &json!({})).await.must(202).text("id");
    org.wait_for_job_id(&next, "completed").await;
    exactly(&siem.replayed_ids(&next), &accepted[5..]);
}

#[tokio::test]
async fn a_window_over_a_restart_of_the_broker_is_whole() {
    let mut stack = Stack::start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    org.deliver_to(&siem, "json").await;
    let mut accepted = org.insist(&some(6)).await;
    stack.nats.kill().await;
    stack.nats.restart().await;
    accepted.extend(org.insist(&some(6)).await);
    siem.wait_for_live(&accepted).await;
    let id = org.replay_job(ago(HOUR), now(), &json!({})).await.must(202).text("id");
    org.wait_for_job_id(&id, "completed").await;
    exactly(&siem.replayed_ids(&id), &accepted);
}

#[tokio::test]
async fn what_expires_while_a_job_runs_is_counted() {
    let stack = Stack::builder()
        .set("sender.batch_events", "2")
        .set("scheduler.grace", "1s")
        .set("scheduler.look_interval", "1s");
    let mut stack = stack.start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    org.deliver_to(&siem, "json").await;
    let mut accepted = Vec::new();
    for _ in 0..10 {
        accepted.extend(org.send(&some(2)).await);
    }
    siem.wait_for_live(&accepted).await;
    siem.answer_always(Answer::Slow(Duration::from_millis(200), 200));
    let id = org.replay_job(ago(HOUR), now(), &json!({})).await.must(202).text("id");
    org.wait_for_job_id(&id, "running").await;
    let act = |what: &str| format!("/v1/replay-jobs/{id}/{what}");
    let _ = org.post(&act("pause"), &json!({})).await.must(200);
    // Retention would set it right.
    stack.kill(Service::Retention);
    keep_for(&stack, Duration::from_secs(1)).await;
    let _ = org.post(&act("resume"), &json!({})).await.must(200);
    let job = org.wait_for_job_id(&id, "failed").await;
    assert_eq!(job["failure"]["code"], "expired", "{job}");
    assert_eq!(job["failure"]["who_acts"], "nobody", "{job}");
    let sent = siem.replayed_ids(&id).len();
    let told = |name: &str| usize::try_from(job["progress"][name].as_u64().unwrap()).unwrap();
    assert_eq!(told("events_sent"), sent, "{job}");
    assert_eq!(told("events_sent") + told("events_expired"), accepted.len(), "{job}");
}

#[tokio::test]
async fn a_job_can_be_followed_by_so_many_and_no_more() {
    let stack = Stack::builder().set("sender.batch_events", "2").start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    org.deliver_to(&siem, "json").await;
    // Several records: one that is only begun is not behind the job yet.
    let mut accepted = Vec::new();
    for _ in 0..5 {
        accepted.extend(org.send(&some(4)).await);
    }
    siem.wait_for_live(&accepted).await;
    siem.answer_always(Answer::Slow(Duration::from_millis(200), 200));
    let id = org.replay_job(ago(HOUR), now(), &json!({})).await.must(202).text("id");
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/v1/replay-jobs/{id}/events", stack.console());
    let follow = || http.get(&url).bearer_auth(&org.admin).send();
    let mut streams = Vec::new();
    for _ in 0..8 {
        let stream = follow().await.unwrap();
        assert_eq!(stream.status().as_u16(), 200);
        assert_eq!(stream.headers()["content-type"], "text/event-stream");
        streams.push(stream);
    }
    assert_eq!(follow().await.unwrap().status().as_u16(), 429);
    let stranger = stack.org().await;
    let theirs = http.get(&url).bearer_auth(&stranger.admin).send().await.unwrap();
    assert_eq!(theirs.status().as_u16(), 404);
    let text = streams.remove(0).text().await.unwrap();
    drop(streams);
    let told: Vec<Value> = text
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    assert!(text.contains("retry: 2000") && text.contains("id: "), "{text}");
    assert_eq!(text.matches("event: end").count(), 1, "{text}");
    let last = told.last().unwrap();
    assert_eq!((&last["state"], &last["percent"]), (&json!("completed"), &json!(100)));
    assert!(told.iter().any(|job| job["eta_seconds"].is_u64()), "{text}");
    assert!(told.iter().any(|job| job["current_event_at"].is_string()), "{text}");
    prove(&stack, &org, &id, &accepted).await;
}

#[tokio::test]
async fn fifty_thousand_events_are_replayed_and_counted_to_the_id() {
    many(50_000).await;
}

#[tokio::test]
#[ignore = "takes minutes and gigabytes: a million events"]
async fn a_million_events_are_replayed_and_counted_to_the_id() {
    many(1_000_000).await;
}

/// Replays so many events to an archive while live delivery goes on.
async fn many(count: usize) {
    let stack = Stack::start().await;
    let org = stack.org().await;
    let (live, archive) = (Siem::start().await, Siem::start().await);
    let ts = ago(2 * HOUR);
    let mut accepted = Vec::with_capacity(count);
    for _ in 0..count.div_ceil(1_000) {
        let drafts: Vec<_> = (0..1_000).map(|_| login().at(ts)).collect();
        accepted.extend(org.send(&drafts).await);
    }
    // Clocks differ: what was stored just before a webhook was made counts as after it, and would
    // be delivered first.
    tokio::time::sleep(Duration::from_secs(6)).await;
    org.deliver_to(&live, "json").await;
    let there = json!({"destination_id": org.destination(&archive, "json").await});
    let found = org.estimate(ago(3 * HOUR), ago(HOUR), &there).await.must(200).body;
    assert!(found["exact"] == false || found["events"] == count, "{found}");
    let alone = delays(&org, &live).await;
    let begun = Instant::now();
    let made = org.replay_job(ago(3 * HOUR), ago(HOUR), &there).await.must(202);
    let id = made.text("id");
    org.wait_for_job_id(&id, "running").await;
    let beside = delays(&org, &live).await;
    let job = loop {
        let job = org.get(&format!("/v1/replay-jobs/{id}")).await.must(200).body;
        if ["completed", "failed", "cancelled"].contains(&job["state"].as_str().unwrap()) {
            break job;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let took = begun.elapsed();
    assert_eq!(
        (&job["state"], &job["progress"]["events_sent"]),
        (&json!("completed"), &json!(count))
    );
    let came = archive.replayed_ids(&id);
    assert_eq!(came.len(), count);
    exactly(&came, &accepted);
    prove(&stack, &org, &id, &accepted).await;
    println!(
        "{count} events in {took:?}; live delivery took {alone:?} alone, {beside:?} beside it"
    );
}

/// How long live delivery takes from the request to the receiver: the median and the longest.
async fn delays(org: &Org, siem: &Siem) -> (Duration, Duration) {
    let mut delays = Vec::new();
    for _ in 0..20 {
        let begun = Instant::now();
        siem.wait_for_live(&org.send(&some(1)).await).await;
        delays.push(begun.elapsed());
    }
    delays.sort();
    (delays[delays.len() / 2], delays[delays.len() - 1])
}

/// The signed report of a job says what was sent, to the id.
async fn prove(stack: &Stack, org: &Org, id: &str, sent: &[String]) {
    let document = org.get(&format!("/v1/replay-jobs/{id}/report")).await.must(200).body;
    let jws = document["jws"].as_str().unwrap();
    let payload = stack.verifier().open_jws("auditrelay-replay-report+json", jws).unwrap();
    let report: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(report, document["report"]);
    let ids = sent.iter().map(|id| id.parse::<EventId>().unwrap());
    let digest = SentIds::extend(None, ids).unwrap().digest_text();
    assert_eq!(report["ids_digest"], digest, "{report}");
    assert_eq!(report["counts"]["events_sent"], sent.len(), "{report}");
    assert_eq!(report["first_event_id"], sent[0]);
    assert_eq!(report["last_event_id"], sent[sent.len() - 1]);
    let mut parts: Vec<&str> = jws.split('.').collect();
    parts.swap(0, 1);
    let forged = parts.join(".");
    assert_eq!(stack.verifier().open_jws("auditrelay-replay-report+json", &forged), None);
}

/// Lets EVENTS keep what it holds for so long, and waits until it is gone.
async fn keep_for(stack: &Stack, age: Duration) {
    let settings = NatsSettings {
        url: stack.nats.url("retention"),
        credentials: None,
        name: "test".to_owned(),
    };
    let streams: Streams = connect(&settings).await.unwrap();
    let spec = streams.observe(StreamName::Events).await.unwrap().unwrap().spec;
    let brief = StreamSpec { max_age: age, duplicate_window: age, ..spec };
    streams.update_stream(&brief).await.unwrap();
    wait::until("everything to expire", async || {
        let held = streams.events_state().await.unwrap().messages;
        if held == 0 { Ok(()) } else { Err(format!("{held} are held")) }
    })
    .await;
}
