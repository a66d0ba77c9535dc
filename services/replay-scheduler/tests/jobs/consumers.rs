//! What a job's lane reads through.

use std::time::Duration;

use auditrelay_model::{Clock, Window};
use auditrelay_streams::ReplayReply;

use crate::support::{job_id, pass_until, world};

#[tokio::test]
async fn the_consumer_brings_every_record_of_the_plan_in_order() {
    let world = world().await;
    let sequences = world.records(3).await;
    let scheduler = world.scheduler().await;
    let job = world.configured(&scheduler).await;
    pass_until(&world, &scheduler, "pending").await;
    let mut reader = world.streams.replay_reader(job).await.unwrap().unwrap();
    let mut read = Vec::new();
    while read.len() < 3 {
        let pulled = reader.next(10, Duration::from_secs(5)).await.unwrap();
        assert!(!pulled.is_empty(), "only {read:?} of {sequences:?}");
        read.extend(pulled.iter().map(|pulled| pulled.head.sequence));
    }
    assert_eq!(read, sequences);
}

#[tokio::test]
async fn a_replaced_job_loses_its_consumer() {
    let world = world().await;
    world.records(1).await;
    let scheduler = world.scheduler().await;
    let old = world.configured(&scheduler).await;
    pass_until(&world, &scheduler, "pending").await;
    let now = world.clock.now();
    let new = world.configure(Window::stored(now - Duration::from_hours(9), now));
    let reply = scheduler.answer(&new).await;
    assert!(matches!(reply, ReplayReply::Stored { .. }), "{reply:?}");
    pass_until(&world, &scheduler, "pending").await;
    assert!(!world.has_consumer(old).await);
    assert!(world.has_consumer(new.job).await);
}

#[tokio::test]
async fn a_sweep_removes_what_a_crash_left_and_makes_what_was_lost() {
    let world = world().await;
    world.records(1).await;
    let scheduler = world.scheduler().await;
    let orphan = job_id();
    world.streams.create_replay_consumer(world.scope, orphan, 1).await.unwrap();
    let job = world.configured(&scheduler).await;
    scheduler.sweep().await.unwrap();
    assert!(!world.has_consumer(orphan).await);

    pass_until(&world, &scheduler, "pending").await;
    world.streams.delete_replay_consumer(job).await.unwrap();
    scheduler.sweep().await.unwrap();
    assert!(world.has_consumer(job).await);
}
