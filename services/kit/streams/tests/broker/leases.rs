//! Leases: one holder, freed by release or by silence.

use std::time::Duration;

use auditrelay_streams::LEASE_TTL;

use crate::support::world;

#[tokio::test]
async fn a_lease_has_one_holder_until_it_is_released() {
    let world = world().await;
    let lease = world.streams.try_lease("shard-1", "a").await.unwrap().unwrap();
    assert!(world.streams.try_lease("shard-1", "b").await.unwrap().is_none());
    assert_eq!(world.streams.count_leases("shard-").await.unwrap(), 1);
    assert_eq!(world.streams.count_leases("member-").await.unwrap(), 0);
    lease.release().await;
    assert!(world.streams.try_lease("shard-1", "b").await.unwrap().is_some());
}

#[tokio::test]
async fn a_held_lease_outlives_its_time_and_a_dropped_one_does_not() {
    let world = world().await;
    let lease = world.streams.try_lease("job", "a").await.unwrap().unwrap();
    tokio::time::sleep(LEASE_TTL + Duration::from_secs(1)).await;
    assert!(!lease.lost().is_cancelled());
    assert!(world.streams.try_lease("job", "b").await.unwrap().is_none());
    drop(lease);
    let freed = async {
        while world.streams.try_lease("job", "b").await.unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(LEASE_TTL + Duration::from_secs(3), freed).await.expect("still held");
}
