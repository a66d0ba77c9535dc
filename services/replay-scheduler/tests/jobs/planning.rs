//! What a job reads.

use std::time::Duration;

use auditrelay_model::id::OrgId;
use auditrelay_model::replay::{Phase, Plan};
use auditrelay_model::{Clock, Scope, Window};
use auditrelay_runtime::ids::uuid_v7;

use crate::support::{World, pass_until, world};

async fn plan(world: &World) -> Plan {
    match world.job().await.map(|job| job.phase) {
        Some(Phase::Pending(plan)) => plan,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_scope_without_records_completes_at_once() {
    let world = world().await;
    let scheduler = world.scheduler().await;
    let job = world.configured(&scheduler).await;
    let facts = scheduler.step(world.scope).await.unwrap();
    assert_eq!(facts.len(), 2);
    assert_eq!(world.state().await, "completed");
    assert!(!world.has_consumer(job).await);
}

#[tokio::test]
async fn a_window_before_the_first_record_completes_at_once() {
    let world = world().await;
    world.records(2).await;
    let scheduler = world.scheduler().await;
    let end = world.clock.now() - Duration::from_hours(30);
    let window = Window::stored(end - Duration::from_hours(1), end);
    scheduler.answer(&world.configure(window)).await;
    pass_until(&world, &scheduler, "completed").await;
}

#[tokio::test]
async fn records_after_acceptance_and_of_other_scopes_are_not_part_of_the_job() {
    let mut world = world().await;
    let ours = world.scope;
    let sequences = world.records(2).await;
    let scheduler = world.scheduler().await;
    world.scope = Scope::Organization(OrgId::from_uuid(uuid_v7()));
    world.records(3).await;
    world.scope = ours;
    world.configured(&scheduler).await;
    let later = world.records(1).await;
    pass_until(&world, &scheduler, "pending").await;
    let plan = plan(&world).await;
    assert_eq!((plan.from_sequence, plan.until_sequence), (sequences[0], sequences[1]));
    assert!(later[0] > plan.until_sequence);
    assert_eq!(plan.estimated_events, 4);
    assert!(world.job().await.unwrap().snapshot_sequence >= 5);
}

#[tokio::test]
async fn a_late_event_is_part_of_the_job() {
    let world = world().await;
    // Stored now, about yesterday: the window is long over when its record is stored.
    let sequences = world.records(1).await;
    let scheduler = world.scheduler().await;
    let end = world.clock.now() - Duration::from_hours(23);
    let window = Window::stored(end - Duration::from_hours(1), end);
    scheduler.answer(&world.configure(window)).await;
    pass_until(&world, &scheduler, "pending").await;
    assert_eq!(plan(&world).await.until_sequence, sequences[0]);
}
