//! The streams are kept what they must be, on a real nats-server.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a failed test panics")]

use std::time::Duration;

use auditrelay_broker::{Broker, BrokerOptions, find_or_provide};
use auditrelay_model::clock::ManualClock;
use auditrelay_model::delivery::{DeliveryEvent, DeliveryFact, Lane, LaneState};
use auditrelay_model::event::{Access, AuditEvent, Detail};
use auditrelay_model::id::{EventId, OrgId, RecordId};
use auditrelay_model::record::{Position, Record};
use auditrelay_model::stream::{Discard, Storage, StreamSpec};
use auditrelay_model::{Clock, Scope, Timestamp};
use auditrelay_retention::{Config, Keeper, start};
use auditrelay_retention_core::policy::Policy;
use auditrelay_runtime::clock::SystemClock;
use auditrelay_runtime::context::Context;
use auditrelay_runtime::lifecycle::Stopped;
use auditrelay_streams::{NatsSettings, StreamName, Streams, connect};
use uuid::Uuid;

struct World {
    streams: Streams,
    context: Context,
    broker: Broker,
    _store: tempfile::TempDir,
}

async fn world() -> World {
    let store = tempfile::tempdir().unwrap();
    let options = BrokerOptions::new(store.path());
    let broker = Broker::start(&find_or_provide().await.unwrap(), options).await.unwrap();
    let settings = NatsSettings { url: broker.url(), credentials: None, name: "test".to_owned() };
    let streams = connect(&settings).await.unwrap();
    World { streams, context: Context::new("test".to_owned()), broker, _store: store }
}

fn wanted(name: StreamName) -> StreamSpec {
    let policy = Policy::new(Config::default().choice);
    let mut streams = policy.streams().iter();
    streams.find(|wanted| wanted.spec.name == name.as_str()).unwrap().spec.clone()
}

async fn observed(streams: &Streams, name: StreamName) -> StreamSpec {
    streams.observe(name).await.unwrap().unwrap().spec
}

async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let waited = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waited).await.expect(what);
}

#[tokio::test]
async fn missing_streams_are_made_as_they_must_be() {
    let world = world().await;
    let mut keeper = Keeper::new(Config::default(), world.streams.clone(), &world.context);
    let plan = keeper.pass().await.unwrap();
    assert_eq!(plan.create.len(), StreamName::ALL.len());
    for name in StreamName::ALL {
        assert_eq!(observed(&world.streams, name).await, wanted(name));
    }
    assert!(keeper.pass().await.unwrap().is_empty(), "the second pass finds everything true");
    let told = world.streams.observe(StreamName::Retention).await.unwrap().unwrap().state.messages;
    assert_eq!(
        told,
        StreamName::ALL.len() as u64 + 1,
        "every stream created and the first coverage"
    );
}

#[tokio::test]
async fn a_broker_that_no_longer_syncs_is_a_risk_until_it_does_again() {
    for (sync_always, count) in [(false, "1"), (true, "0")] {
        let store = tempfile::tempdir().unwrap();
        let options =
            BrokerOptions { sync_always, monitor: true, ..BrokerOptions::new(store.path()) };
        let broker = Broker::start(&find_or_provide().await.unwrap(), options).await.unwrap();
        let settings =
            NatsSettings { url: broker.url(), credentials: None, name: "test".to_owned() };
        let streams = connect(&settings).await.unwrap();
        let monitors = vec![broker.monitor_url().unwrap(), "http://127.0.0.1:1".to_owned()];
        let context = Context::new("test".to_owned());
        let config = Config { monitors, ..Config::default() };
        Keeper::new(config, streams, &context).pass().await.unwrap();
        let shown = format!("auditrelay_retention_risks{{kind=\"sync\"}} {count}\n");
        let metrics = context.metrics.encode();
        assert!(metrics.contains(&shown), "{metrics}");
        broker.stop().await;
    }
}

#[tokio::test]
async fn drift_is_repaired() {
    let world = world().await;
    let mut keeper = Keeper::new(Config::default(), world.streams.clone(), &world.context);
    keeper.pass().await.unwrap();
    let drifted = StreamSpec {
        max_age: Duration::from_hours(24),
        max_bytes: 1 << 20,
        discard: Discard::Old,
        compressed: true,
        allow_direct: false,
        duplicate_window: Duration::from_secs(1),
        ..wanted(StreamName::Events)
    };
    world.streams.update_stream(&drifted).await.unwrap();
    let plan = keeper.pass().await.unwrap();
    assert_eq!(plan.update.len(), 1);
    assert_eq!(plan.update[0].changes.len(), 6, "{plan:?}");
    assert_eq!(observed(&world.streams, StreamName::Events).await, wanted(StreamName::Events));
    assert!(keeper.pass().await.unwrap().is_empty());
    let metrics = world.context.metrics.encode();
    assert!(
        metrics.contains("auditrelay_retention_repairs_total{stream=\"EVENTS\"} 2"),
        "{metrics}"
    );
}

#[tokio::test]
async fn streams_that_others_made_are_brought_to_what_they_must_be() {
    let world = world().await;
    let by_hand = StreamSpec {
        max_consumers: 5,
        deny_delete: false,
        max_age: Duration::from_hours(1),
        ..wanted(StreamName::Events)
    };
    world.streams.create_stream(&by_hand).await.unwrap();
    let mut keeper = Keeper::new(Config::default(), world.streams.clone(), &world.context);
    keeper.pass().await.unwrap();
    assert_eq!(observed(&world.streams, StreamName::Events).await, wanted(StreamName::Events));
}

#[tokio::test]
async fn what_can_not_be_changed_in_place_is_said_and_left() {
    let world = world().await;
    let in_memory = StreamSpec { storage: Storage::Memory, ..wanted(StreamName::Config) };
    world.streams.create_stream(&in_memory).await.unwrap();
    let mut keeper = Keeper::new(Config::default(), world.streams.clone(), &world.context);
    let plan = keeper.pass().await.unwrap();
    assert_eq!(plan.create.len(), StreamName::ALL.len() - 1);
    assert!(plan.refuse[0].reason.contains("storage is Memory instead of File"), "{plan:?}");
    assert_eq!(observed(&world.streams, StreamName::Config).await, in_memory);
    let metrics = world.context.metrics.encode();
    assert!(metrics.contains("auditrelay_retention_refusals 1"), "{metrics}");
}

#[tokio::test]
async fn the_service_goes_on_repairing_over_a_restart_of_the_broker() {
    let World { streams, context, broker, _store } = world().await;
    let config = Config { interval: Duration::from_millis(100), ..Config::default() };
    start(config, streams.clone(), context.clone()).await.unwrap();
    until("streams exist", || async {
        streams.observe(StreamName::Leases).await.is_ok_and(|stream| stream.is_some())
    })
    .await;
    until("ready", || async { context.readiness.missing().is_empty() }).await;

    let options = broker.same_again();
    broker.kill().await;
    until("not ready", || async { !context.readiness.missing().is_empty() }).await;
    let _broker = Broker::start(&find_or_provide().await.unwrap(), options).await.unwrap();
    until("ready again", || async { context.readiness.missing().is_empty() }).await;

    let drifted = StreamSpec { max_age: Duration::from_hours(1), ..wanted(StreamName::Delivery) };
    streams.update_stream(&drifted).await.unwrap();
    until("repaired", || async {
        observed(&streams, StreamName::Delivery).await == wanted(StreamName::Delivery)
    })
    .await;
    assert_eq!(context.drain.stop(Duration::from_secs(2)).await, Stopped::Clean);
}

#[tokio::test]
async fn an_undelivered_event_near_its_end_is_a_risk() {
    let mut world = world().await;
    let clock = ManualClock::at(SystemClock.now());
    world.context.clock = std::sync::Arc::new(clock.clone());
    let mut keeper = Keeper::new(Config::default(), world.streams.clone(), &world.context);
    keeper.pass().await.unwrap();
    let scope = Scope::Organization(OrgId::from_uuid(Uuid::from_u128(7)));
    world.streams.append_record(&record(scope, clock.now()), 0).await.unwrap();
    fall_behind(&world.streams, scope, clock.now()).await;

    let risk = |count| format!("auditrelay_retention_risks{{kind=\"expiry\"}} {count}");
    keeper.pass().await.unwrap();
    assert!(world.context.metrics.encode().contains(&risk(0)));
    clock.advance(Duration::from_hours(6 * 24));
    let metrics = &world.context.metrics;
    let keeper = tokio::sync::Mutex::new(keeper);
    until("the risk is seen", || async {
        keeper.lock().await.pass().await.unwrap();
        metrics.encode().contains(&risk(1))
    })
    .await;
}

fn record(scope: Scope, at: Timestamp) -> Record {
    let event = AuditEvent {
        uri: "/".to_owned(),
        ..AuditEvent::new(
            EventId::from_uuid(Uuid::from_u128(1)),
            at,
            Detail::Access(Access {
                method: "GET".to_owned(),
                status_code: 200,
                query: String::new(),
            }),
        )
    };
    Record {
        id: RecordId::from_uuid(Uuid::from_u128(2)),
        scope,
        epoch: 1,
        first_number: 1,
        previous_digest: None,
        accepted_at: at,
        idempotency_key: None,
        events: vec![event],
    }
}

async fn fall_behind(streams: &Streams, scope: Scope, at: Timestamp) {
    let fact = DeliveryFact::FellBehind { cursor: Position::default(), reason: "held".to_owned() };
    let state = LaneState::default().evolve(at, &fact);
    let event =
        DeliveryEvent { at, scope, lane: Lane::Live, sender: "test".to_owned(), fact, state };
    streams.append_delivery(&event, 0).await.unwrap();
}
