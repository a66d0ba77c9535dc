//! Killing any process at any time loses nothing; what it did is taken up where it stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use auditrelay_testkit::builders::{ago, now, some};
use auditrelay_testkit::siem::{Answer, Siem};
use auditrelay_testkit::stack::{Org, Service, Stack};
use auditrelay_testkit::wait;
use tokio::task::JoinHandle;

use crate::ledger::{at_least_once, repeated};

/// Events in one batch.
const BATCH: usize = 5;

#[tokio::test]
async fn ingest_is_killed_under_load() {
    let mut scene = Scene::begin(1).await;
    scene.stack.kill(Service::Ingest);
    scene.stack.run(Service::Ingest).await;
    scene.end(0).await;
}

#[tokio::test]
async fn the_api_is_killed_under_load() {
    let mut scene = Scene::begin(1).await;
    scene.stack.kill(Service::Api);
    scene.stack.run(Service::Api).await;
    scene.end(0).await;
}

#[tokio::test]
async fn the_scheduler_is_killed_in_the_middle_of_a_replay() {
    let mut scene = Scene::begin(1).await;
    scene.stack.kill(Service::Scheduler);
    scene.stack.run(Service::Scheduler).await;
    scene.end(0).await;
}

#[tokio::test]
async fn retention_is_killed_under_load() {
    let mut scene = Scene::begin(1).await;
    scene.stack.kill(Service::Retention);
    scene.stack.run(Service::Retention).await;
    scene.end(0).await;
}

#[tokio::test]
async fn the_sender_is_killed_in_the_middle_of_live_delivery_and_a_replay() {
    let mut scene = Scene::begin(1).await;
    scene.stack.kill(Service::Sender);
    scene.stack.run(Service::Sender).await;
    scene.end(1).await;
}

#[tokio::test]
async fn another_sender_takes_over_from_one_that_is_killed() {
    let mut scene = Scene::begin(2).await;
    scene.stack.kill_one(Service::Sender);
    scene.end(1).await;
}

#[tokio::test]
async fn the_broker_is_killed_and_comes_back() {
    let mut scene = Scene::begin(1).await;
    scene.stack.nats.kill().await;
    scene.stack.nats.restart().await;
    scene.end(1).await;
}

#[tokio::test]
async fn everything_is_killed_at_once() {
    let mut scene = Scene::begin(1).await;
    for service in Service::ALL {
        scene.stack.kill(service);
    }
    scene.stack.nats.kill().await;
    scene.stack.nats.restart().await;
    for service in Service::ALL {
        scene.stack.run(service).await;
    }
    scene.end(1).await;
}

/// A system in the middle of its work: a producer that does not stop, and a replay.
struct Scene {
    stack: Stack,
    org: Org,
    siem: Siem,
    /// What the replay has to bring.
    past: Vec<String>,
    producer: JoinHandle<Vec<String>>,
    enough: Arc<AtomicBool>,
    sent: Arc<AtomicUsize>,
}

impl Scene {
    async fn begin(senders: usize) -> Self {
        let batch = BATCH.to_string();
        let stack = Stack::builder().senders(senders).set("sender.batch_events", &batch);
        let stack = stack.start().await;
        let (org, siem) = (stack.org().await, Siem::start().await);
        org.deliver_to(&siem, "json").await;
        let past = org.send(&some(8 * BATCH)).await;
        siem.wait_for_live(&past).await;
        siem.answer_by(|delivery| match delivery.replay_job {
            Some(_) => Answer::Slow(Duration::from_millis(300), 200),
            None => Answer::Status(200),
        });
        let _ = org.replay(ago(Duration::from_hours(1)), now()).await.must(202);
        let (enough, sent) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let producer = tokio::spawn(produce(org.clone(), Arc::clone(&enough), Arc::clone(&sent)));
        let scene = Self { stack, org, siem, past, producer, enough, sent };
        scene.in_the_middle().await;
        scene
    }

    /// Waits until the producer has begun and the replay has come some way.
    async fn in_the_middle(&self) {
        wait::until_so("the middle of everything", || {
            let sent = self.sent.load(Ordering::SeqCst);
            let replayed = self.siem.taken().iter().filter(|one| one.replay_job.is_some()).count();
            if sent >= 3 && replayed >= 2 { Ok(()) } else { Err(format!("{sent} {replayed}")) }
        })
        .await;
    }

    /// Lets the producer go on for a while, then looks at what arrived. So many kills may have
    /// repeated a batch of each lane.
    async fn end(self, kills: usize) {
        let more = self.sent.load(Ordering::SeqCst) + 5;
        wait::until_so("the producer to go on", || {
            let sent = self.sent.load(Ordering::SeqCst);
            if sent >= more { Ok(()) } else { Err(format!("{sent} of {more}")) }
        })
        .await;
        self.enough.store(true, Ordering::SeqCst);
        let mut accepted = self.past.clone();
        accepted.extend(self.producer.await.unwrap());
        self.siem.wait_for_live(&accepted).await;
        let job = self.org.wait_for_job("completed").await;
        let replayed = self.siem.replayed_ids(job["id"].as_str().unwrap());
        at_least_once(&self.siem.live_ids(), &accepted);
        at_least_once(&replayed, &self.past);
        assert!(repeated(&replayed) <= kills * BATCH, "more than one batch was repeated");
        assert_eq!(job["progress"]["events_sent"], self.past.len(), "{job}");
        assert_eq!(job["progress"]["events_quarantined"], 0, "{job}");
        self.siem.assert_signed(&self.stack.verifier());
    }
}

/// Sends small requests one after another, each until it is accepted.
async fn produce(org: Org, enough: Arc<AtomicBool>, sent: Arc<AtomicUsize>) -> Vec<String> {
    let mut accepted = Vec::new();
    while !enough.load(Ordering::SeqCst) {
        accepted.extend(org.insist(&some(3)).await);
        sent.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    accepted
}
