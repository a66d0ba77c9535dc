//! Things that a lane is told, made short.

use std::sync::Arc;
use std::time::Duration;

use auditrelay_model::Timestamp;
use auditrelay_model::backoff::Chance;
use auditrelay_model::destination::LogFormat;
use auditrelay_model::event::{Access, AuditEvent, Detail};
use auditrelay_model::id::{BatchId, DestinationId, EventId, OrgId, RecordId};
use auditrelay_model::record::Record;
use auditrelay_model::scope::Scope;
use auditrelay_webhook_sender_core::lane::{Arrival, Body, Moment, Target, Tried};
use auditrelay_webhook_sender_core::outcome::Outcome;
use uuid::Uuid;

pub(crate) fn target(changed: i64, in_flight: usize) -> Target {
    Target {
        destination: DestinationId::from_uuid(Uuid::nil()),
        log_format: LogFormat::Json,
        in_flight,
        changed_at: Timestamp::from_nanos(changed),
    }
}

pub(crate) fn moment(id: u128) -> Moment {
    Moment {
        now: Timestamp::from_nanos(1_000_000),
        chance: Chance(0),
        running: Duration::from_millis(u64::try_from(id).unwrap()),
        fresh: BatchId::from_uuid(Uuid::from_u128(id << 32)),
    }
}

pub(crate) fn tried(outcome: Outcome) -> Tried {
    Tried {
        outcome,
        started_at: Timestamp::from_nanos(0),
        duration: Duration::ZERO,
        body_bytes: 4_000,
        trace_id: String::new(),
    }
}

pub(crate) fn answered(status: u16) -> Outcome {
    Outcome::Answered { status, retry_after: None, message: String::new() }
}

/// A record with events at these times.
pub(crate) fn arrival(sequence: u64, first_number: u64, times: &[i64]) -> Arrival {
    let record = Record {
        id: RecordId::from_uuid(Uuid::nil()),
        scope: Scope::Organization(OrgId::from_uuid(Uuid::nil())),
        epoch: 1,
        first_number,
        previous_digest: None,
        accepted_at: Timestamp::from_nanos(0),
        idempotency_key: None,
        events: times.iter().map(|ts| event(*ts)).collect(),
    };
    Arrival {
        sequence,
        stored_at: Timestamp::from_nanos(0),
        oldest: 0,
        epoch: 1,
        first_number,
        last_number: record.last_number(),
        body: Body::Record(Arc::new(record)),
        ended: Vec::new(),
        lost: None,
    }
}

fn event(ts: i64) -> AuditEvent {
    let access = Access { method: "GET".to_owned(), status_code: 200, query: String::new() };
    AuditEvent::new(
        EventId::from_uuid(Uuid::nil()),
        Timestamp::from_nanos(ts),
        Detail::Access(access),
    )
}
