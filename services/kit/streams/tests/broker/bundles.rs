//! Bundles: stored together or not at all, and what is told about a scope's end.

use auditrelay_model::record::Record;
use auditrelay_streams::{AppendError, Bundled, EncodedRecord, Link};

use crate::support::{World, record, scope, world};

fn link(record: &Record, expect_last: Option<u64>) -> Link {
    Link { record: EncodedRecord::of(record), expect_last }
}

async fn messages(world: &World) -> u64 {
    world.streams.events_state().await.unwrap().messages
}

#[tokio::test]
async fn a_bundle_is_stored_in_order_with_consecutive_sequences() {
    let world = world().await;
    let (one, two) = (scope(), scope());
    let first = record(one, 1, None);
    let second = record(one, 3, Some(EncodedRecord::of(&first).digest()));
    let other = record(two, 1, None);
    let links = || vec![link(&first, Some(0)), link(&second, None), link(&other, Some(0))];
    assert_eq!(world.streams.append_bundle(links()).await, Ok(Bundled::From(1)));
    let end = world.streams.chain_end(one).await.unwrap().unwrap();
    let last = end.link.unwrap();
    assert_eq!((end.sequence, end.is_damaged, last.record), (2, false, second.id));
    assert_eq!((last.epoch, last.last_number), (1, second.last_number()));
    assert_eq!(world.streams.chain_end(two).await.unwrap().unwrap().sequence, 3);
    // Sent again it is recognised, wherever it would stand.
    assert_eq!(world.streams.append_bundle(links()).await, Ok(Bundled::Before));
    let moved = vec![link(&first, Some(2)), link(&other, Some(3))];
    assert_eq!(world.streams.append_bundle(moved).await, Ok(Bundled::Before));
    assert_eq!(messages(&world).await, 3);
}

#[tokio::test]
async fn one_wrong_expectation_refuses_the_whole_bundle() {
    let world = world().await;
    let (one, two) = (scope(), scope());
    world.streams.append_record(&record(two, 1, None), 0).await.unwrap();
    let links = vec![link(&record(one, 1, None), Some(0)), link(&record(two, 3, None), Some(0))];
    assert_eq!(world.streams.append_bundle(links).await, Err(AppendError::Conflict));
    assert_eq!(messages(&world).await, 1);
    assert_eq!(world.streams.chain_end(one).await.unwrap(), None);
}
