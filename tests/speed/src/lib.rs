//! The hot paths, each as one call on events of the usual size: what `cargo bench` times and what
//! the guard counts.

#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "what cannot be measured ends the measurement"
)]

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use auditrelay_format::{Vendor, render_placed, seal_line};
use auditrelay_ingest_core::admit::{Admission, Limits, Sorted, Tenant};
use auditrelay_ingest_core::request::{Bounds, Media, read};
use auditrelay_model::Timestamp;
use auditrelay_model::event::{Access, AuditEvent, Detail};
use auditrelay_model::id::{EventId, OrgId, RecordId};
use auditrelay_model::record::{Place, Record};
use auditrelay_model::scope::Scope;
use auditrelay_signing::{KeySet, SigningKey};
use auditrelay_streams::EncodedRecord;
use serde_json::json;
use uuid::Uuid;

mod configured;
mod lane;

pub use auditrelay_model::destination::LogFormat;
pub use auditrelay_webhook_sender::gzip::gzip;
pub use configured::Configured;
pub use lane::{answer, deliver};

/// Events of the usual record.
pub const EVENTS: usize = 100;

const NOW: Timestamp = Timestamp::from_nanos(1_800_000_000_123_456_789);
const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn uuid(number: usize) -> Uuid {
    Uuid::from_u128((0x0190_9c5e_7a3b_7f00_8000 << 48) + number as u128)
}

/// Whose log all of them belong to.
pub fn scope() -> Scope {
    Scope::Organization(OrgId::from_uuid(uuid(0)))
}

/// An event of the usual size.
pub fn event(number: usize) -> AuditEvent {
    AuditEvent {
        id: EventId::from_uuid(uuid(number)),
        ts: NOW,
        principal_id: "a3d2699a-0ed3-4417-bb10-d8e74a1513a4".to_owned(),
        principal_name: "Élodie Marchand".to_owned(),
        actor_id: String::new(),
        client_ip: Some([198, 51, 100, 7].into()),
        uri: "/v3/portals/3e551b39-227d-4297-b911-e68fd5d77c17".to_owned(),
        user_agent: AGENT.to_owned(),
        trace_id: format!("8d1f4a2b{number:06}"),
        platform_initiated: false,
        traceparent: TRACEPARENT.to_owned(),
        detail: Detail::Access(Access {
            method: "PATCH".to_owned(),
            status_code: 200,
            query: "page[size]=20".to_owned(),
        }),
    }
}

/// A record of so many.
pub fn record(events: usize) -> Record {
    Record {
        id: RecordId::from_uuid(uuid(1)),
        scope: scope(),
        epoch: 1,
        first_number: 1,
        previous_digest: Some([7; 32]),
        accepted_at: NOW,
        idempotency_key: None,
        events: (0..events).map(event).collect(),
    }
}

/// The same as a producer posts it.
pub fn body(events: usize) -> Vec<u8> {
    let draft = |number: usize| {
        json!({
            "type": "gateway_access", "ts": NOW.to_string(),
            "principal_id": "a3d2699a-0ed3-4417-bb10-d8e74a1513a4",
            "principal_name": "Élodie Marchand", "client_ip": "198.51.100.7",
            "uri": "/v3/portals/3e551b39-227d-4297-b911-e68fd5d77c17", "user_agent": AGENT,
            "trace_id": format!("8d1f4a2b{number:06}"), "method": "PATCH", "status_code": 200,
            "query": "page[size]=20",
        })
    };
    serde_json::to_vec(&(0..events).map(draft).collect::<Vec<_>>()).unwrap()
}

/// Reads a body's drafts; how many there are.
pub fn decode(body: &[u8]) -> usize {
    let mut drafts = 0;
    let bounds = Bounds { events: usize::MAX, event_bytes: usize::MAX };
    let wrong = read(body, &Media::Json, bounds, &mut |_, _| drafts += 1);
    assert!(wrong.is_empty());
    drafts
}

/// Reads a body's drafts and admits them.
pub fn admit(body: &[u8]) -> Sorted {
    const DAY: Duration = Duration::from_hours(24);
    let limits = Limits {
        max_events: usize::MAX,
        max_event_bytes: usize::MAX,
        max_future: DAY,
        max_lateness: DAY,
    };
    let portals = BTreeMap::new();
    let tenant = Tenant { org: scope().org(), portals: &portals };
    let admission = Admission { now: NOW, limits: &limits, tenant, traceparent: TRACEPARENT };
    let mut number = 0;
    let sorted = admission.sort(body, &Media::Json, &mut || {
        number += 1;
        EventId::from_uuid(uuid(number))
    });
    assert!(sorted.rejections.is_empty(), "{:?}", sorted.rejections);
    sorted
}

/// Encodes a record.
pub fn encode(record: &Record) -> EncodedRecord {
    EncodedRecord::of(record)
}

/// Checks a record's bytes and decodes them.
pub fn open(encoded: &EncodedRecord) -> Record {
    encoded.decode().unwrap()
}

/// Writes an event's line, without its signature.
pub fn render(event: &AuditEvent, format: LogFormat) -> String {
    static VENDOR: LazyLock<Vendor> = LazyLock::new(Vendor::default);
    let place = Place { epoch: 1, number: 123_456 };
    render_placed(event, scope(), place, format, &VENDOR)
}

/// A key to sign with.
pub fn key() -> SigningKey {
    let seed = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    let file =
        json!({ "keys": [{ "kid": "a", "seed": seed, "created_at": "2026-01-01T00:00:00Z" }] });
    KeySet::from_json(&file.to_string()).unwrap().current().clone()
}

/// Signs a line and puts the signature into it.
pub fn seal(line: String, key: &SigningKey, format: LogFormat) -> String {
    let signature = key.sign(line.as_bytes());
    seal_line(line, format, &signature)
}

/// A delivery's body before compression.
pub fn letter(events: usize) -> Vec<u8> {
    let key = key();
    let line = |number| seal(render(&event(number), LogFormat::Json), &key, LogFormat::Json);
    (0..events).map(line).collect::<Vec<_>>().join("\n").into_bytes()
}
