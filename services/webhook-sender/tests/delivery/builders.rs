//! Things that are needed and do not matter.

use std::time::Duration;

use auditrelay_model::destination::{Destination, LogFormat, SealedSecret, TlsPolicy};
use auditrelay_model::event::{Access, AuditEvent, Detail};
use auditrelay_model::id::{DestinationId, EventId};
use auditrelay_model::stream::{Discard, Storage, StreamSpec};
use auditrelay_model::{Clock, Timestamp};
use auditrelay_runtime::clock::SystemClock;
use auditrelay_runtime::ids::uuid_v7;
use auditrelay_signing::{SealingKeys, SystemRandom};
use auditrelay_streams::StreamName;

use crate::receiver::Receiver;
use crate::world::AUTHORIZATION;

pub(crate) fn destination(receiver: &Receiver, sealing: &SealingKeys) -> Destination {
    let (id, now) = (DestinationId::from_uuid(uuid_v7()), SystemClock.now());
    let nonce = auditrelay_signing::random_nonce(&SystemRandom::new()).unwrap();
    let sealed = sealing.seal(AUTHORIZATION.as_bytes(), id.to_string().as_bytes(), nonce).unwrap();
    Destination {
        id,
        name: "siem".to_owned(),
        endpoint: receiver.url(),
        authorization: SealedSecret {
            key_id: sealed.key_id,
            nonce: sealed.nonce.to_vec(),
            ciphertext: sealed.ciphertext,
        },
        log_format: LogFormat::Json,
        tls: TlsPolicy::Verify,
        created_at: now,
        updated_at: now,
        implicit: false,
    }
}

pub(crate) fn spec(name: StreamName) -> StreamSpec {
    StreamSpec {
        name: name.to_string(),
        subjects: vec![name.subjects().to_owned()],
        max_age: Duration::ZERO,
        max_bytes: -1,
        max_messages_per_subject: -1,
        max_consumers: 1_000,
        discard: Discard::New,
        storage: Storage::File,
        replicas: 1,
        compressed: false,
        allow_direct: true,
        deny_delete: name != StreamName::Leases,
        duplicate_window: Duration::from_mins(2),
        allow_message_ttl: name == StreamName::Leases,
        allow_atomic: true,
        acks_before_write: false,
    }
}

pub(crate) fn event(ts: Timestamp) -> AuditEvent {
    AuditEvent {
        principal_id: "p-1".to_owned(),
        uri: "/".to_owned(),
        user_agent: "test".to_owned(),
        ..AuditEvent::new(
            EventId::from_uuid(uuid_v7()),
            ts,
            Detail::Access(Access {
                method: "GET".to_owned(),
                status_code: 200,
                query: String::new(),
            }),
        )
    }
}
