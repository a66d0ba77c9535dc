//! A job from its request to its end.

use std::time::Duration;

use auditrelay_broker::{Broker, find_or_provide};
use auditrelay_model::delivery::DeliveryFact;
use auditrelay_model::record::Position;
use auditrelay_model::replay::Phase;

use crate::support::{bare_world, pass_until, world};

#[tokio::test]
async fn a_job_is_accepted_planned_run_and_completed() {
    let world = world().await;
    let sequences = world.records(3).await;
    let scheduler = world.scheduler().await;
    let job = world.configured(&scheduler).await;
    assert_eq!(world.state().await, "accepted");

    assert_eq!(scheduler.step(world.scope).await.unwrap().len(), 1);
    assert_eq!(world.state().await, "pending");
    assert!(world.has_consumer(job).await);
    assert!(scheduler.step(world.scope).await.unwrap().is_empty(), "no sender has it yet");

    world.delivered(job, 1, 3, sequences[1]).await;
    scheduler.step(world.scope).await.unwrap();
    let Some(Phase::Running { holder, plan, .. }) = world.job().await.map(|job| job.phase) else {
        panic!("{:?}", world.job().await);
    };
    assert_eq!(holder, "sender-a");
    assert_eq!((plan.from_sequence, plan.until_sequence), (sequences[0], sequences[2]));
    assert_eq!(plan.estimated_events, 6);

    world.clock.advance(Duration::from_secs(2));
    world.delivered(job, 4, 5, sequences[2]).await;
    pass_until(&world, &scheduler, "running").await;
    assert_eq!(
        world.job().await.unwrap().progress().events_sent,
        5,
        "a batch ended in the last record"
    );

    world.delivered(job, 6, 6, sequences[2]).await;
    pass_until(&world, &scheduler, "completed").await;
    let progress = world.job().await.unwrap().progress();
    assert_eq!((progress.events_sent, progress.requests, progress.sequence), (6, 3, sequences[2]));
    assert!(!world.has_consumer(job).await);
}

#[tokio::test]
async fn a_scheduler_that_is_killed_at_any_step_is_replaced_by_the_next() {
    let world = world().await;
    let sequences = world.records(2).await;
    let job = world.configured(&world.scheduler().await).await;
    pass_until(&world, &world.scheduler().await, "pending").await;
    world.delivered(job, 1, 2, sequences[0]).await;
    pass_until(&world, &world.scheduler().await, "running").await;
    world.delivered(job, 3, 4, sequences[1]).await;
    let last = world.scheduler().await;
    pass_until(&world, &last, "completed").await;
    assert!(!world.has_consumer(job).await);
}

#[tokio::test]
async fn a_restart_of_the_broker_in_the_middle_is_survived() {
    let mut world = world().await;
    let sequences = world.records(2).await;
    let scheduler = world.scheduler().await;
    let job = world.configured(&scheduler).await;
    pass_until(&world, &scheduler, "pending").await;

    let again = world.broker.same_again();
    let binary = find_or_provide().await.unwrap();
    world.broker.kill().await;
    world.broker = Broker::start(&binary, again).await.unwrap();
    let back = async {
        while world.streams.events_state().await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), back).await.unwrap();
    world.delivered(job, 1, 4, sequences[1]).await;
    pass_until(&world, &scheduler, "completed").await;
}

#[tokio::test]
async fn a_stopped_lane_fails_its_job_with_its_reason() {
    let world = world().await;
    let sequences = world.records(2).await;
    let scheduler = world.scheduler().await;
    let job = world.configured(&scheduler).await;
    pass_until(&world, &scheduler, "pending").await;
    world.delivered(job, 1, 2, sequences[0]).await;
    let stopped =
        DeliveryFact::Stopped { code: "gap".to_owned(), reason: "number 3 is missing".to_owned() };
    world.fact(job, "sender-a", stopped).await;
    pass_until(&world, &scheduler, "failed").await;
    assert_eq!(world.failure().await.as_deref(), Some("gap"));
    assert_eq!(world.job().await.unwrap().progress().events_sent, 2);
    assert!(!world.has_consumer(job).await);
}

#[tokio::test]
async fn events_that_expired_on_the_way_fail_the_job() {
    let world = world().await;
    let sequences = world.records(2).await;
    let scheduler = world.scheduler().await;
    let job = world.configured(&scheduler).await;
    pass_until(&world, &scheduler, "pending").await;
    let to = Position { epoch: 1, number: 4, sequence: sequences[1] };
    world.fact(job, "sender-a", DeliveryFact::Expired { to, events: 4, early: false }).await;
    pass_until(&world, &scheduler, "failed").await;
    assert_eq!(world.failure().await.as_deref(), Some("expired"));
}

#[tokio::test]
async fn a_lane_that_is_handed_over_names_its_new_holder() {
    let world = world().await;
    let sequences = world.records(2).await;
    let scheduler = world.scheduler().await;
    let job = world.configured(&scheduler).await;
    pass_until(&world, &scheduler, "pending").await;
    world.delivered(job, 1, 2, sequences[0]).await;
    pass_until(&world, &scheduler, "running").await;
    let to = Position { epoch: 1, number: 3, sequence: sequences[1] };
    world.fact(job, "sender-b", DeliveryFact::Passed { to, events: 1 }).await;
    scheduler.step(world.scope).await.unwrap();
    let Some(Phase::Running { holder, .. }) = world.job().await.map(|job| job.phase) else {
        panic!("{:?}", world.job().await);
    };
    assert_eq!(holder, "sender-b");
}

#[tokio::test]
async fn a_webhook_that_is_missing_or_disabled_fails_the_job_at_any_time() {
    let world = bare_world().await;
    world.records(1).await;
    let scheduler = world.scheduler().await;
    world.configured(&scheduler).await;
    pass_until(&world, &scheduler, "failed").await;
    assert_eq!(world.failure().await.as_deref(), Some("no_webhook"));

    world.webhook(true).await;
    world.configured(&scheduler).await;
    pass_until(&world, &scheduler, "pending").await;
    world.webhook(false).await;
    pass_until(&world, &scheduler, "failed").await;
    assert_eq!(world.failure().await.as_deref(), Some("disabled"));
}
