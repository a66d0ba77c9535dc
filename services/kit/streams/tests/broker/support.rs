//! A broker of its own for each test, with the streams as small as the test needs them.

use std::time::Duration;

use auditrelay_broker::{Broker, BrokerOptions, find_or_provide};
use auditrelay_model::event::{Access, AuditEvent, Detail};
use auditrelay_model::id::{EventId, OrgId, RecordId};
use auditrelay_model::record::{Digest, Record};
use auditrelay_model::stream::{Discard, Storage, StreamSpec};
use auditrelay_model::{Scope, Timestamp};
use auditrelay_runtime::ids::uuid_v7;
use auditrelay_streams::{NatsSettings, StreamName, Streams, connect};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) struct World {
    pub(crate) streams: Streams,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
    pub(crate) broker: Broker,
    _store: tempfile::TempDir,
}

pub(crate) async fn world() -> World {
    let store = tempfile::tempdir().unwrap();
    let binary = find_or_provide().await.unwrap();
    let broker = Broker::start(&binary, BrokerOptions::new(store.path())).await.unwrap();
    let streams = dial(&broker).await;
    for name in StreamName::ALL {
        streams.create_stream(&spec(name)).await.unwrap();
    }
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    World { streams, stop, tasks, broker, _store: store }
}

pub(crate) async fn dial(broker: &Broker) -> Streams {
    let settings = NatsSettings { url: broker.url(), credentials: None, name: "test".to_owned() };
    connect(&settings).await.unwrap()
}

pub(crate) fn spec(name: StreamName) -> StreamSpec {
    StreamSpec {
        name: name.to_string(),
        subjects: vec![name.subjects().to_owned()],
        max_age: Duration::from_hours(24),
        max_bytes: -1,
        max_messages_per_subject: if name == StreamName::Leases { 1 } else { -1 },
        max_consumers: 1_000,
        discard: Discard::New,
        storage: Storage::File,
        replicas: 1,
        compressed: true,
        allow_direct: true,
        deny_delete: false,
        duplicate_window: Duration::from_mins(2),
        allow_message_ttl: name == StreamName::Leases,
        allow_atomic: true,
        acks_before_write: false,
    }
}

pub(crate) fn scope() -> Scope {
    Scope::Organization(OrgId::from_uuid(uuid_v7()))
}

pub(crate) fn event(ts: i64) -> AuditEvent {
    AuditEvent {
        principal_id: "p".to_owned(),
        client_ip: Some("10.0.0.1".parse().unwrap()),
        uri: "/".to_owned(),
        ..AuditEvent::new(
            EventId::from_uuid(uuid_v7()),
            Timestamp::from_nanos(ts),
            Detail::Access(Access {
                method: "GET".to_owned(),
                status_code: 200,
                query: String::new(),
            }),
        )
    }
}

/// A record of two events that follows `previous`.
pub(crate) fn record(scope: Scope, first_number: u64, previous: Option<Digest>) -> Record {
    let ts = i64::try_from(first_number).unwrap() * 1_000;
    Record {
        id: RecordId::from_uuid(uuid_v7()),
        scope,
        epoch: 1,
        first_number,
        previous_digest: previous,
        accepted_at: Timestamp::from_nanos(5),
        idempotency_key: None,
        events: vec![event(ts), event(ts + 1)],
    }
}

/// Appends `count` records of two events each to an empty scope; returns their sequences.
pub(crate) async fn chain(streams: &Streams, scope: Scope, count: u64) -> Vec<u64> {
    let (mut last, mut digest, mut sequences) = (0, None, Vec::new());
    for index in 0..count {
        let record = record(scope, 1 + 2 * index, digest);
        let appended = streams.append_record(&record, last).await.unwrap();
        (last, digest) = (appended.sequence, Some(appended.digest));
        sequences.push(last);
    }
    sequences
}
