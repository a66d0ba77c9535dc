//! Messages that were stored once are read for ever: the committed bytes decode to the same
//! values, and the values encode to the same bytes (a record's digest is taken over them).

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::fmt::Debug;
use std::path::Path;
use std::{env, fs};

use auditrelay_proto::config::v1::{
    ConfigChange, ConfigEvent, Destination, LogFormat, Portal, Role, SealedSecret, TokenIssued,
    WebhookChanged, config_change::Change,
};
use auditrelay_proto::delivery::v1::{
    Attempt, DeliveryEvent, Discarded, LaneState, LastAttempt, Parked, Position, Released, Resent,
    Totals, delivery_event, released,
};
use auditrelay_proto::event::v1::{
    Access, AuditEvent, Authentication, AuthenticationOutcome, AuthenticationType, Authorization,
    Record, audit_event::Detail,
};
use auditrelay_proto::replay::v1::{Accepted, ReplayEvent, replay_event};
use auditrelay_proto::retention::v1::{Coverage, RetentionEvent, retention_event};
use auditrelay_proto::types::v1::{Scope, Window};
use prost::Message;

const ORG: &str = "998db3e4-5cb7-4dd5-b51c-9878096a6999";
const PORTAL: &str = "3e551b39-227d-4297-b911-e68fd5d77c17";
const UUID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
const AT_NS: i64 = 1_750_280_556_123_456_789;

#[test]
fn a_stored_record_reads_as_before() {
    let event = |detail| AuditEvent {
        id: UUID.to_owned(),
        ts_ns: AT_NS,
        principal_id: ORG.to_owned(),
        principal_name: "Ada".to_owned(),
        actor_id: PORTAL.to_owned(),
        client_ip: "2001:db8::1".to_owned(),
        uri: "/v3/users?a=b".to_owned(),
        user_agent: "grpc-node/1.24.11".to_owned(),
        trace_id: "6891110586028963295".to_owned(),
        platform_initiated: true,
        traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned(),
        detail: Some(detail),
    };
    golden(
        "record",
        &Record {
            record_id: UUID.to_owned(),
            scope: Some(scope()),
            epoch: 2,
            first_number: 41,
            previous_digest: vec![7; 32],
            accepted_ns: AT_NS + 1,
            idempotency_key: "key-1".to_owned(),
            events: vec![
                event(Detail::Authentication(Authentication {
                    r#type: AuthenticationType::Federated.into(),
                    outcome: AuthenticationOutcome::Invalid.into(),
                    success: false,
                })),
                event(Detail::Authorization(Authorization {
                    service: "konnect".to_owned(),
                    resource: "control-planes/*".to_owned(),
                    action: "retrieve".to_owned(),
                    granted: true,
                })),
                event(Detail::Access(Access {
                    method: "GET".to_owned(),
                    status_code: 200,
                    query: "{\"size\":\"1\"}".to_owned(),
                })),
            ],
        },
    );
}

#[test]
fn a_stored_config_event_reads_as_before() {
    let changes = [
        Change::DestinationCreated(Destination {
            destination_id: UUID.to_owned(),
            name: "siem".to_owned(),
            endpoint: "https://siem.example/in".to_owned(),
            authorization: Some(SealedSecret {
                key_id: "k1".to_owned(),
                nonce: vec![1; 12],
                ciphertext: vec![2; 20],
            }),
            log_format: LogFormat::Cps.into(),
            skip_ssl_verification: true,
            created_ns: AT_NS,
            updated_ns: AT_NS,
            implicit: true,
        }),
        Change::WebhookChanged(WebhookChanged {
            scope: Some(scope()),
            destination_id: UUID.to_owned(),
            enabled: true,
        }),
        Change::PortalCreated(Portal {
            portal_id: PORTAL.to_owned(),
            name: "docs".to_owned(),
            display_name: "Docs".to_owned(),
            attributes_json: "{}".to_owned(),
            labels: [("b", "2"), ("a", "1")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
            created_ns: AT_NS,
            updated_ns: AT_NS,
        }),
        Change::TokenIssued(TokenIssued {
            token_id: UUID.to_owned(),
            name: "ci".to_owned(),
            sha256: vec![9; 32],
            prefix: "art_abcd".to_owned(),
            role: Role::Producer.into(),
            expires_ns: AT_NS,
        }),
    ];
    golden(
        "config_event",
        &ConfigEvent {
            at_ns: AT_NS,
            actor: "platform".to_owned(),
            command_id: UUID.to_owned(),
            changes: changes.map(|change| ConfigChange { change: Some(change) }).into(),
            origin: None,
            summary_json: String::new(),
            min_writer: 0,
        },
    );
}

#[test]
fn a_stored_delivery_event_reads_as_before() {
    let position = Position { epoch: 2, number: 43, sequence: 1_000_000 };
    golden(
        "delivery_event",
        &DeliveryEvent {
            at_ns: AT_NS,
            scope: Some(scope()),
            job_id: UUID.to_owned(),
            sender: "sender-0".to_owned(),
            state: Some(LaneState {
                cursor: Some(position),
                behind: None,
                hold: None,
                last_attempt: Some(LastAttempt {
                    at_ns: AT_NS,
                    delivered: true,
                    status: 202,
                    message: "ok".to_owned(),
                }),
                totals: Some(Totals {
                    events_delivered: 3,
                    events_passed: 1,
                    events_quarantined: 0,
                    events_expired: 0,
                    bytes_delivered: 1234,
                    requests: 2,
                    requests_failed: 1,
                }),
                stopped: None,
                sent: None,
                yielding_since_ns: 0,
            }),
            fact: Some(delivery_event::Fact::Attempt(Attempt {
                batch_id: UUID.to_owned(),
                attempt: 2,
                first: Some(Position { number: 41, ..position }),
                last: Some(position),
                events: 3,
                body_bytes: 1234,
                started_ns: AT_NS - 5,
                duration_ms: 17,
                destination_id: UUID.to_owned(),
                log_format: LogFormat::Cef.into(),
                delivered: true,
                status: 202,
                message: "ok".to_owned(),
                trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".to_owned(),
                sent: None,
                runs: Vec::new(),
            })),
        },
    );
}

#[test]
fn a_stored_parked_event_and_its_releases_read_as_before() {
    golden(
        "parked",
        &Parked {
            at_ns: AT_NS,
            scope: Some(scope()),
            job_id: UUID.to_owned(),
            sender: "sender-0".to_owned(),
            position: Some(Position { epoch: 2, number: 43, sequence: 1_000_000 }),
            event_id: UUID.to_owned(),
            destination_id: UUID.to_owned(),
            status: 422,
            message: "no".to_owned(),
        },
    );
    let released = |what| Released {
        at_ns: AT_NS,
        scope: Some(scope()),
        parked: 77,
        actor: UUID.to_owned(),
        sender: "sender-0".to_owned(),
        what: Some(what),
    };
    golden(
        "released_resent",
        &released(released::What::Resent(Resent {
            destination_id: UUID.to_owned(),
            delivered: true,
            status: 202,
            message: "ok".to_owned(),
            duration_ms: 17,
            trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".to_owned(),
        })),
    );
    let discarded = Discarded { reason: "a test".to_owned() };
    golden("released_discarded", &released(released::What::Discarded(discarded)));
}

#[test]
fn a_stored_replay_event_reads_as_before() {
    golden(
        "replay_event",
        &ReplayEvent {
            at_ns: AT_NS,
            scope: Some(scope()),
            job_id: UUID.to_owned(),
            actor: UUID.to_owned(),
            origin: None,
            min_writer: 0,
            fact: Some(replay_event::Fact::Accepted(Accepted {
                window: Some(Window { start_ns: AT_NS - 1_000, end_ns: AT_NS }),
                snapshot_sequence: 77,
                terms: None,
                waits: false,
            })),
        },
    );
}

#[test]
fn a_stored_retention_event_reads_as_before() {
    golden(
        "retention_event",
        &RetentionEvent {
            at_ns: AT_NS,
            fact: Some(retention_event::Fact::Coverage(Coverage {
                first_sequence: 1,
                last_sequence: 99,
                records: 99,
                bytes: 12_345,
                oldest_ns: AT_NS - 9,
            })),
        },
    );
}

fn scope() -> Scope {
    Scope { org_id: ORG.to_owned(), portal_id: PORTAL.to_owned() }
}

/// With `UPDATE` set in the environment a file that is missing is written; one that exists never
/// changes.
fn golden<M: Message + Default + PartialEq + Debug>(name: &str, value: &M) {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.binpb"));
    if env::var_os("UPDATE").is_some() && !path.exists() {
        fs::write(&path, value.encode_to_vec()).unwrap();
    }
    let bytes = fs::read(&path).unwrap();
    assert_eq!(&M::decode(bytes.as_slice()).unwrap(), value);
    assert_eq!(value.encode_to_vec(), bytes);
}
