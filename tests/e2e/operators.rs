//! What an operator may do to the broker with its own tools, by mistake or in need: consumers go or
//! are changed, streams are emptied or made anew. What is still there is delivered, what is gone is
//! counted, and nobody has to start anything.

use std::time::Duration;

use auditrelay_testkit::builders::{ago, now, some};
use auditrelay_testkit::siem::{Answer, Siem};
use auditrelay_testkit::stack::{Org, Service, Stack};
use auditrelay_testkit::wait;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::ledger::{at_least_once, exactly};
use crate::wire::Wire;

/// A system with a webhook that has got its first events.
struct Scene {
    stack: Stack,
    org: Org,
    siem: Siem,
    wire: Wire,
    accepted: Vec<String>,
}

impl Scene {
    async fn begin() -> Self {
        let stack = Stack::builder()
            .alone()
            .set("retention.interval", "1s")
            .set("sender.batch_events", "5")
            .start()
            .await;
        let (org, siem) = (stack.org().await, Siem::start().await);
        org.deliver_to(&siem, "json").await;
        let accepted = org.send(&some(10)).await;
        siem.wait_for_live(&accepted).await;
        let wire = Wire::to(&stack).await;
        Self { stack, org, siem, wire, accepted }
    }

    async fn consumers(&mut self) -> Vec<String> {
        let listed = self.wire.manage("CONSUMER.NAMES.EVENTS", &json!({})).await;
        let names = listed["consumers"].as_array().unwrap().iter();
        names.map(|name| name.as_str().unwrap().to_owned()).collect()
    }

    /// Deletes the consumers of EVENTS whose names begin like this.
    async fn delete_consumers(&mut self, prefix: &str) {
        let names = self.consumers().await;
        let mut deleted = 0;
        for name in names.iter().filter(|name| name.starts_with(prefix)) {
            let _ = self.wire.manage(&format!("CONSUMER.DELETE.EVENTS.{name}"), &json!({})).await;
            deleted += 1;
        }
        assert!(deleted > 0, "{prefix}: {names:?}");
    }

    /// Lets every consumer of EVENTS hand a record out once and no more.
    async fn change_consumers(&mut self) {
        for name in self.consumers().await {
            let mut config = self.config_of(&name).await;
            (config["max_deliver"], config["ack_wait"]) = (json!(1), json!(1_000_000_000));
            let what = format!("CONSUMER.DURABLE.CREATE.EVENTS.{name}");
            let change = json!({"stream_name": "EVENTS", "config": config});
            let changed = self.wire.manage(&what, &change).await;
            assert_eq!(changed["config"]["max_deliver"], 1, "{changed}");
        }
    }

    /// The shards' consumers that are still so.
    async fn changed_consumers(&mut self) -> Vec<String> {
        let mut changed = Vec::new();
        for name in self.consumers().await.into_iter().filter(|name| name.starts_with("live-")) {
            let config = self.config_of(&name).await;
            if config["max_deliver"].as_i64().unwrap_or(-1) != -1 {
                changed.push(name);
            }
        }
        changed
    }

    async fn config_of(&mut self, name: &str) -> Value {
        let what = format!("CONSUMER.INFO.EVENTS.{name}");
        self.wire.manage(&what, &json!({})).await["config"].clone()
    }

    async fn purge(&mut self, stream: &str) {
        let _ = self.wire.manage(&format!("STREAM.PURGE.{stream}"), &json!({})).await;
    }

    /// The receiver takes nothing, and so many events wait for it.
    async fn wait_with(&mut self, count: usize) -> Vec<String> {
        self.siem.answer_always(Answer::Status(503));
        let waiting = self.org.send(&some(count)).await;
        wait::until("the webhook to fall behind", async || {
            let delivery = self.org.get("/v1/webhooks/org/delivery").await.must(200).body;
            if delivery["behind"].is_object() { Ok(()) } else { Err(delivery.to_string()) }
        })
        .await;
        waiting
    }

    /// A few more events are accepted and come behind all others.
    async fn go_on(&mut self) {
        self.siem.answer_always(Answer::Status(200));
        self.accepted.extend(self.org.insist(&some(5)).await);
        self.siem.wait_for_live(&self.accepted).await;
    }
}

#[tokio::test]
async fn consumers_that_are_deleted_are_made_again_and_nothing_is_missing() {
    let mut scene = Scene::begin().await;
    let waiting = scene.wait_with(20).await;
    scene.accepted.extend(waiting);
    scene.delete_consumers("").await;
    scene.go_on().await;
    at_least_once(&scene.siem.live_ids(), &scene.accepted);
    scene.delete_consumers("live-").await;
    scene.go_on().await;
    at_least_once(&scene.siem.live_ids(), &scene.accepted);
    assert!(scene.siem.live_ids().len() <= scene.accepted.len() + 5, "one batch may come twice");

    scene.siem.answer_always(Answer::Slow(Duration::from_millis(200), 200));
    let made = scene.org.replay_job(ago(Duration::from_hours(1)), now(), &json!({})).await;
    let id = made.must(202).text("id");
    scene.org.wait_for_job_id(&id, "running").await;
    scene.delete_consumers("replay-").await;
    scene.siem.answer_always(Answer::Status(200));
    scene.org.wait_for_job_id(&id, "completed").await;
    at_least_once(&scene.siem.replayed_ids(&id), &scene.accepted);
}

/// A broker that hands records out only once would skip them after a crash.
#[tokio::test]
async fn consumers_that_are_changed_are_set_right_by_whoever_reads_next() {
    let mut scene = Scene::begin().await;
    scene.change_consumers().await;
    // Handed out once, and not done when the sender dies.
    scene.siem.answer_always(Answer::Silence);
    scene.accepted.extend(scene.org.send(&some(20)).await);
    scene.siem.wait_for_requests(scene.siem.taken().len() + 1).await;
    scene.stack.kill(Service::Sender);
    tokio::time::sleep(Duration::from_secs(2)).await;
    scene.stack.run(Service::Sender).await;
    scene.go_on().await;
    at_least_once(&scene.siem.live_ids(), &scene.accepted);
    assert_eq!(scene.changed_consumers().await, [] as [String; 0]);
}

#[tokio::test]
async fn consumers_that_are_changed_while_they_are_read_are_set_right_soon() {
    let mut scene = Scene::begin().await;
    scene.change_consumers().await;
    assert_eq!(scene.changed_consumers().await.len(), 8);
    let begun = Instant::now();
    while !scene.changed_consumers().await.is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(50), "not yet right");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    scene.go_on().await;
    exactly(&scene.siem.live_ids(), &scene.accepted);
}

fn paused(stack: &Stack) -> String {
    let metrics = stack.metrics(Service::Sender);
    let mut lines = metrics.lines();
    let count = lines.find_map(|line| line.strip_prefix("auditrelay_webhook_shards_paused "));
    count.unwrap().to_owned()
}

#[tokio::test]
async fn a_consumer_that_is_paused_is_told_of_and_goes_on_with_everything() {
    let mut scene = Scene::begin().await;
    let pause = |until: Duration| json!({"pause_until": (now() + until).to_string()});
    assert_eq!(paused(&scene.stack), "0");
    for name in scene.consumers().await {
        let what = format!("CONSUMER.PAUSE.EVENTS.{name}");
        let _ = scene.wire.manage(&what, &pause(Duration::from_secs(40))).await;
    }
    let waiting = scene.org.send(&some(5)).await;
    wait::until("all shards to be told of", async || {
        let count = paused(&scene.stack);
        if count == "8" { Ok(()) } else { Err(count) }
    })
    .await;
    exactly(&scene.siem.live_ids(), &scene.accepted);
    scene.accepted.extend(waiting);
    scene.go_on().await;
    exactly(&scene.siem.live_ids(), &scene.accepted);
    wait::until("nothing to be paused", async || {
        let count = paused(&scene.stack);
        if count == "0" { Ok(()) } else { Err(count) }
    })
    .await;
}

#[tokio::test]
async fn what_was_purged_before_it_was_delivered_is_counted_and_the_rest_flows() {
    let mut scene = Scene::begin().await;
    scene.siem.answer_always(Answer::Status(403));
    let gone = scene.org.send(&some(20)).await;
    // It is held: what was in memory is forgotten, but for the event of a probe.
    scene.org.wait_for_status("inactive").await;
    scene.purge("EVENTS").await;
    scene.siem.answer_always(Answer::Status(200));
    let more = scene.org.insist(&some(5)).await;
    let all = wait::until("the rest to come and what is gone to be counted", async || {
        let delivery = scene.org.get("/v1/webhooks/org/delivery").await.must(200).body;
        let came = scene.siem.live_ids();
        let expired = delivery["totals"]["events_expired"].as_u64().unwrap_or(0);
        let counted = came.len() + usize::try_from(expired).unwrap() == 10 + 20 + 5;
        let ready = counted && came.ends_with(&more);
        if ready { Ok(came) } else { Err(format!("{came:?} {delivery}")) }
    })
    .await;
    assert!(all.len() < 10 + gone.len(), "something is gone: {all:?}");
}

#[tokio::test]
async fn a_stream_of_events_that_is_made_anew_is_delivered_from_its_beginning() {
    let mut scene = Scene::begin().await;
    let (other, slow) = (scene.stack.org().await, Siem::start().await);
    other.deliver_to(&slow, "json").await;
    slow.wait_for_live(&other.send(&some(5)).await).await;
    let gone = scene.wait_with(20).await;
    let _ = scene.wire.manage("STREAM.DELETE.EVENTS", &json!({})).await;
    scene.go_on().await;
    // Some of it was in memory.
    let mut came = scene.siem.live_ids();
    came.retain(|id| !gone.contains(id));
    exactly(&came, &scene.accepted);
    let more = other.insist(&some(5)).await;
    slow.wait_for_live(&more).await;
    assert_eq!(slow.live_ids().len(), 10, "each once");
    scene.siem.answer_always(Answer::Status(200));
    let _ = scene.org.replay(ago(Duration::from_hours(1)), now()).await.must(202);
    let job = scene.org.wait_for_job("completed").await;
    let replayed = scene.siem.replayed_ids(job["id"].as_str().unwrap());
    exactly(&replayed, &scene.accepted[10..]);
}

/// Its sequences are beyond what they were before anybody looks.
#[tokio::test]
async fn a_stream_that_is_made_anew_while_nobody_sends_is_delivered_from_its_beginning_too() {
    let mut scene = Scene::begin().await;
    for _ in 0..5 {
        let _gone = scene.org.send(&some(1)).await;
    }
    let _gone = scene.wait_with(5).await;
    scene.stack.stop(Service::Sender).await;
    let before = scene.siem.live_ids();
    let _ = scene.wire.manage("STREAM.DELETE.EVENTS", &json!({})).await;
    let mut more = Vec::new();
    for _ in 0..20 {
        more.extend(scene.org.insist(&some(2)).await);
    }
    scene.siem.answer_always(Answer::Status(200));
    scene.stack.run(Service::Sender).await;
    scene.siem.wait_for_live(&more).await;
    exactly(&scene.siem.live_ids(), &[before, more].concat());
}

#[tokio::test]
async fn leases_and_facts_of_delivery_that_are_purged_cost_nothing_but_repeats() {
    let mut scene = Scene::begin().await;
    for stream in ["LEASES", "ACCESS", "RETENTION"] {
        scene.purge(stream).await;
        scene.go_on().await;
    }
    exactly(&scene.siem.live_ids(), &scene.accepted);
    scene.purge("DELIVERY").await;
    scene.go_on().await;
    at_least_once(&scene.siem.live_ids(), &scene.accepted);
}
