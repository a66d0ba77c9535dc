//! A store that is full, hangs or is gone: told as it is, and forgotten as soon as it is over.

use std::process::Command;
use std::time::Duration;

use auditrelay_model::stream::StreamSpec;
use auditrelay_streams::StreamName;
use reqwest::StatusCode;

use crate::support::{Answer, Instance, World, events};

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..1_500 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} did not come");
}

fn is_ready(instance: &Instance) -> bool {
    instance.context.readiness.missing().is_empty()
}

/// Sends until the store is full.
async fn fill(instance: &Instance) -> (usize, Answer) {
    let mut accepted = 0;
    loop {
        let answer = instance.post(events(500)).await;
        if answer.status != StatusCode::ACCEPTED {
            return (accepted, answer);
        }
        accepted += 500;
    }
}

fn assert_full(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
    assert_eq!(answer.body["detail"], "The event store is full");
    assert_eq!(answer.headers["retry-after"], "60");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_stream_refuses_keeps_what_it_has_and_takes_more_once_it_may() {
    let world = World::on(tempfile::tempdir().unwrap(), 300_000).await;
    let instance = world.instance().await;
    let (accepted, refused) = fill(&instance).await;
    assert_full(&refused);
    until("not ready", async || !is_ready(&instance)).await;
    let missing = instance.context.readiness.missing();
    assert_eq!(missing, [("ingest", "the event store is full".to_owned())]);
    // A request of several scopes is refused as a whole too.
    let portal = world.portal().await;
    let there = crate::support::event(&format!(r#","portal_id":"{portal}""#));
    let both = format!("{},{there}]", events(499).trim_end_matches(']'));
    assert_full(&instance.post(both).await);
    assert_eq!(world.stored_ids(world.scope()).await.len(), accepted);
    let metrics = instance.context.metrics.encode();
    let counted = r#"auditrelay_ingest_failures_total{reason="storage_full"} 2"#;
    assert!(metrics.contains(counted), "{metrics}");
    let spec = world.streams.observe(StreamName::Events).await.unwrap().unwrap().spec;
    world.streams.update_stream(&StreamSpec { max_bytes: -1, ..spec }).await.unwrap();
    instance.post(events(500)).await.ids();
    until("ready", async || is_ready(&instance)).await;
    assert_eq!(world.stored_ids(world.scope()).await.len(), accepted + 500);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_hangs_is_not_waited_for_longer_than_the_deadline() {
    let world = World::new().await;
    let instance = world.instance().await;
    let before = instance.post(events(1)).await.ids();
    let signal = |name: &str| {
        let pid = world.broker.as_ref().unwrap().pid().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    };
    signal("-STOP");
    let refused = instance.post(events(1)).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.body["detail"], "The event store is not reachable");
    assert_eq!(refused.headers["retry-after"], "5");
    until("not ready", async || !is_ready(&instance)).await;
    signal("-CONT");
    until("ready", async || is_ready(&instance)).await;
    let after = instance.post(events(1)).await.ids();
    let stored = world.stored_ids(world.scope()).await;
    assert!(stored.contains(&before[0]) && stored.contains(&after[0]));
}

/// A file system in memory; none where this user may not make one.
struct Small(tempfile::TempDir);

impl Small {
    fn new() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=12m", "tmpfs"])
            .arg(dir.path())
            .output();
        mount.is_ok_and(|mount| mount.status.success()).then(|| Self(dir))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_loses_nothing_that_was_accepted() {
    let Some(small) = Small::new() else {
        eprintln!("skipped: no file system can be mounted here");
        return;
    };
    let mut world = World::on(tempfile::tempdir_in(small.0.path()).unwrap(), -1).await;
    let instance = world.instance().await;
    let ballast = small.0.path().join("ballast");
    let accepted = instance.post(events(100)).await.ids();
    std::fs::write(&ballast, vec![7; 11 << 20]).unwrap();
    let (more, refused) = fill(&instance).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{refused:?}");
    assert!(refused.headers.contains_key("retry-after"));
    until("not ready", async || !is_ready(&instance)).await;
    std::fs::remove_file(&ballast).unwrap();
    // The broker itself gives a stream up whose writes failed until it is started again.
    world.kill_broker().await;
    world.start_broker().await;
    until("room", async || {
        instance.post(events(1)).await.status == StatusCode::ACCEPTED && is_ready(&instance)
    })
    .await;
    let stored = world.stored_ids(world.scope()).await;
    assert!(accepted.iter().all(|id| stored.contains(id)));
    assert!(stored.len() > accepted.len() + more);
    drop(world);
}
