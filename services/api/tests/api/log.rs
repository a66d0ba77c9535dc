//! A log as ingest would have written it, and pages of it.

use auditrelay_model::event::{Access, AuditEvent, Authorization, Detail};
use auditrelay_model::id::{EventId, RecordId};
use auditrelay_model::record::{Digest, Record};
use auditrelay_model::{Clock, Scope, Timestamp};
use auditrelay_runtime::clock::SystemClock;
use auditrelay_runtime::ids::uuid_v7;
use auditrelay_streams::Streams;
use serde_json::Value;

use crate::support::World;

/// A scope's log as ingest would write it.
pub(crate) struct Log {
    streams: Streams,
    pub(crate) scope: Scope,
    pub(crate) epoch: u64,
    pub(crate) number: u64,
    last: u64,
    digest: Option<Digest>,
    /// What every event's client calls itself.
    pub(crate) agent: String,
}

impl Log {
    pub(crate) fn new(world: &World, scope: Scope) -> Self {
        let streams = world.streams.clone();
        Self { streams, scope, epoch: 1, number: 0, last: 0, digest: None, agent: String::new() }
    }

    /// Appends a record of events at these times; every tenth is an authorization.
    pub(crate) async fn append(&mut self, times: &[Timestamp]) {
        let first_number = self.number + 1;
        let events = (first_number..).zip(times).map(|(number, ts)| self.event(number, *ts));
        let record = Record {
            id: RecordId::from_uuid(uuid_v7()),
            scope: self.scope,
            epoch: self.epoch,
            first_number,
            previous_digest: self.digest,
            accepted_at: SystemClock.now(),
            idempotency_key: None,
            events: events.collect(),
        };
        let stored = self.streams.append_record(&record, self.last).await.unwrap();
        self.number += times.len() as u64;
        (self.last, self.digest) = (stored.sequence, Some(stored.digest));
    }

    fn event(&self, number: u64, ts: Timestamp) -> AuditEvent {
        let detail = if number.is_multiple_of(10) {
            Detail::Authorization(Authorization {
                service: "konnect".to_owned(),
                resource: "krn:konnect:org".to_owned(),
                action: "list".to_owned(),
                granted: true,
            })
        } else {
            let method = "GET".to_owned();
            Detail::Access(Access { method, status_code: 200, query: "q=1&\"<".to_owned() })
        };
        AuditEvent {
            principal_id: number.to_string(),
            uri: "/ü".to_owned(),
            user_agent: self.agent.clone(),
            ..AuditEvent::new(EventId::from_uuid(uuid_v7()), ts, detail)
        }
    }
}

/// Who did what is on a page.
pub(crate) fn numbers(page: &Value) -> Vec<u64> {
    let items = page["data"].as_array().unwrap().iter();
    items.map(|item| item["principal_id"].as_str().unwrap().parse().unwrap()).collect()
}

pub(crate) fn link<'a>(page: &'a Value, name: &str) -> Option<&'a str> {
    page["meta"]["page"][name].as_str()
}
