//! Records: appended by expectation, found by place and time, read in order.

use std::time::Duration;

use auditrelay_model::id::JobId;
use auditrelay_runtime::ids::uuid_v7;
use auditrelay_streams::{
    AppendError, LEASE_TTL, NatsSettings, Pulled, Reader, SHARDS, connect, shard_of,
};

use crate::support::{chain, record, scope, world};

const WAIT: Duration = Duration::from_secs(5);

async fn read(reader: &mut Reader, count: usize) -> Vec<Pulled> {
    let mut records = Vec::new();
    while records.len() < count {
        let more = reader.next(100, WAIT).await.unwrap();
        assert!(!more.is_empty(), "only {} of {count} came", records.len());
        records.extend(more);
    }
    records
}

fn sequences(records: &[Pulled]) -> Vec<u64> {
    records.iter().map(|pulled| pulled.head.sequence).collect()
}

#[tokio::test]
async fn a_record_comes_back_as_it_was_stored() {
    let world = world().await;
    let scope = scope();
    let written = record(scope, 1, None);
    let appended = world.streams.append_record(&written, 0).await.unwrap();
    let last = world.streams.last_record(scope).await.unwrap().unwrap();
    assert_eq!(
        (last.record, last.sequence, last.digest),
        (written, appended.sequence, appended.digest)
    );
}

#[tokio::test]
async fn a_wrong_expectation_is_a_conflict_and_stores_nothing() {
    let world = world().await;
    let scope = scope();
    let first = world.streams.append_record(&record(scope, 1, None), 0).await.unwrap();
    for stale in [0, first.sequence + 7] {
        let answer = world.streams.append_record(&record(scope, 3, None), stale).await;
        assert_eq!(answer, Err(AppendError::Conflict));
    }
    assert_eq!(world.streams.events_state().await.unwrap().messages, 1);
}

#[tokio::test]
async fn records_are_found_by_time_and_by_place() {
    let world = world().await;
    let (scope, other) = (scope(), scope());
    let mine = chain(&world.streams, scope, 3).await;
    chain(&world.streams, other, 2).await;
    let second = world.streams.next_record(scope, mine[0] + 1).await.unwrap().unwrap();
    assert_eq!(second.sequence, mine[1]);
    let from_second = world.streams.first_record_at(scope, second.stored_at).await.unwrap();
    assert_eq!(from_second.map(|head| head.sequence), Some(mine[1]));
    let after = world.streams.first_record_at(scope, second.stored_at + Duration::from_hours(1));
    assert_eq!(after.await.unwrap(), None);
    let up_to = |sequence| world.streams.last_record_up_to(scope, sequence);
    assert_eq!(up_to(mine[1]).await.unwrap().map(|head| head.last_number), Some(4));
    assert_eq!(up_to(mine[2] + 2).await.unwrap().map(|head| head.sequence), Some(mine[2]));
    assert_eq!(up_to(mine[0] - 1).await.unwrap(), None);
}

#[tokio::test]
async fn a_shard_brings_again_in_order_what_was_not_acknowledged() {
    let world = world().await;
    let scope = scope();
    let stored = chain(&world.streams, scope, 6).await;
    let mut reader = world.streams.shard_reader(shard_of(scope)).await.unwrap();
    let records = read(&mut reader, 6).await;
    assert_eq!(sequences(&records), stored);
    assert_eq!(records[5].decode().unwrap().first_number, 11);
    for done in [0, 1, 4] {
        records[done].acker().ack().await;
    }
    world.streams.flush().await.unwrap();
    drop(reader);
    let mut reader = world.streams.shard_reader(shard_of(scope)).await.unwrap();
    let again = read(&mut reader, 3).await;
    assert_eq!(sequences(&again)[..2], stored[2..4]);
    let elsewhere = (shard_of(scope) + 1) % SHARDS;
    let mut reader = world.streams.shard_reader(elsewhere).await.unwrap();
    assert!(reader.next(10, Duration::from_millis(300)).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_scope_is_read_from_any_place_without_acknowledgements() {
    let world = world().await;
    let (scope, other) = (scope(), scope());
    let stored = chain(&world.streams, scope, 4).await;
    chain(&world.streams, other, 4).await;
    for _ in 0..2 {
        let mut reader = world.streams.scope_reader("lane-x", scope, stored[1]).await.unwrap();
        assert_eq!(sequences(&read(&mut reader, 3).await), stored[1..]);
    }
}

#[tokio::test]
async fn a_replay_consumer_starts_at_a_sequence_and_goes_on_where_it_was() {
    let world = world().await;
    let scope = scope();
    let job = JobId::from_uuid(uuid_v7());
    let stored = chain(&world.streams, scope, 5).await;
    assert!(world.streams.replay_reader(job).await.unwrap().is_none());
    for _ in 0..2 {
        world.streams.create_replay_consumer(scope, job, stored[2]).await.unwrap();
    }
    let mut reader = world.streams.replay_reader(job).await.unwrap().unwrap();
    let records = read(&mut reader, 3).await;
    assert_eq!((sequences(&records).as_slice(), reader.pending()), (&stored[2..], 0));
    records[0].acker().ack().await;
    world.streams.flush().await.unwrap();
    drop(reader);
    let mut reader = world.streams.replay_reader(job).await.unwrap().unwrap();
    assert_eq!(sequences(&read(&mut reader, 2).await), stored[3..]);
    assert_eq!(world.streams.replay_consumers().await.unwrap(), [job]);
    for _ in 0..2 {
        world.streams.delete_replay_consumer(job).await.unwrap();
    }
    assert!(world.streams.replay_reader(job).await.unwrap().is_none());
}

#[tokio::test]
async fn a_message_that_is_no_record_stops_nobody() {
    let world = world().await;
    let scope = scope();
    let (group, org) = (scope.group(), scope.org());
    let subject = format!("audit.events.{}.{}.{org}.org", group / 8, group % 8);
    let client = async_nats::connect(world.broker.url()).await.unwrap();
    let context = async_nats::jetstream::new(client);
    let stored = context.publish(subject, "not a record".into()).await.unwrap().await;
    let foreign = stored.unwrap().sequence;
    let record = record(scope, 1, None);
    let stored = world.streams.append_record(&record, foreign).await.unwrap().sequence;
    for _ in 0..2 {
        let mut reader = world.streams.shard_reader(shard_of(scope)).await.unwrap();
        assert_eq!(sequences(&read(&mut reader, 1).await), [stored]);
    }
}

/// A sender whose machine is gone: its connection stays open, and nobody is behind it. It lives
/// until the returned sender is dropped.
fn vanished(url: String, shard: u8) -> std::sync::mpsc::SyncSender<()> {
    let (asked, has_asked) = std::sync::mpsc::sync_channel(1);
    let (end, ended) = std::sync::mpsc::sync_channel::<()>(1);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _reader = runtime.block_on(async {
            let settings = NatsSettings { url, credentials: None, name: "vanished".to_owned() };
            let streams = connect(&settings).await.unwrap();
            let mut reader = streams.shard_reader(shard).await.unwrap();
            reader.next(1, Duration::from_millis(100)).await.unwrap();
            reader
        });
        asked.send(()).unwrap();
        // Nothing of the client runs from here on.
        let _ = ended.recv();
    });
    has_asked.recv().unwrap();
    end
}

#[tokio::test]
async fn who_takes_a_shard_over_from_a_sender_that_vanished_gets_every_record() {
    let world = world().await;
    let scope = scope();
    let vanished = vanished(world.broker.url(), shard_of(scope));
    // Its lease had last been renewed three seconds before.
    tokio::time::sleep(LEASE_TTL.saturating_sub(Duration::from_secs(3))).await;
    let mut reader = world.streams.shard_reader(shard_of(scope)).await.unwrap();
    let stored = chain(&world.streams, scope, 6).await;
    assert_eq!(sequences(&read(&mut reader, 6).await), stored);
    drop(vanished);
}

#[tokio::test]
async fn a_reader_knows_what_is_still_to_come_before_the_first_record_came() {
    let world = world().await;
    let scope = scope();
    let stored = chain(&world.streams, scope, 3).await;
    let reader = world.streams.scope_reader("reader", scope, stored[1]).await.unwrap();
    assert_eq!(reader.pending(), 2);
    let job = JobId::from_uuid(uuid_v7());
    world.streams.create_replay_consumer(scope, job, 1).await.unwrap();
    let reader = world.streams.replay_reader(job).await.unwrap().unwrap();
    assert_eq!(reader.pending(), 3);
}
