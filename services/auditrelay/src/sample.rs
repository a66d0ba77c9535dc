//! Audit events that look like real ones, made by rule from a number: the same number gives the
//! same event, apart from its id and its time.

use auditrelay_model::Timestamp;
use auditrelay_model::event::EventKind;
use auditrelay_model::id::{EventId, PortalId};
use serde_json::{Map, Value, json};

/// What the events have in common.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sample {
    /// The portal they belong to; none for the organization's own log.
    pub(crate) portal: Option<PortalId>,
    /// Only this kind; otherwise what such a log usually holds.
    pub(crate) kind: Option<EventKind>,
}

const PEOPLE: [(&str, &str); 6] = [
    ("a3d2699a-0ed3-4417-bb10-d8e74a1513a4", "Ada Okafor"),
    ("0f6ac1a5-5ac9-4a3b-9f0b-2d1f7a3b6c55", "Bao Nguyen"),
    ("7c1d1f0e-8a41-4f4b-8e0d-3c4b54a7b1de", "Carla Rossi"),
    ("e2b7c9d4-1a6f-4c1e-b7a5-94f0d2c83b61", "Dmitri Petrov"),
    ("51f8d0a2-7b3c-4d9e-a6f1-0b8e2c4d7a93", "Élodie Marchand"),
    ("c94e6f13-2d58-4b7a-8c0f-6a1e9b3d5f27", "Farid Haddad"),
];

const AGENTS: [&str; 5] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "grpc-node/1.24.11 grpc-c/8.0.0 (linux; chttp2; ganges)",
    "curl/8.16.0",
    "",
];

/// Method, outcome; most logins succeed.
const LOGINS: [(&str, &str); 8] = [
    ("basic", "success"),
    ("sso", "success"),
    ("basic", "success"),
    ("github", "success"),
    ("basic", "invalid_password"),
    ("pat", "success"),
    ("basic", "not_found"),
    ("pat", "token_expired"),
];

/// Service, resource, action, granted.
const CHECKS: [(&str, &str, &str, bool); 5] = [
    ("konnect", "organization", "retrieve", true),
    ("konnect", "control-planes/*", "list", true),
    ("identity", "teams/developers", "update", true),
    ("konnect", "portals/*", "list", true),
    ("konnect", "audit-logs", "admin", false),
];

/// Method, path, status, query.
const REQUESTS: [(&str, &str, u16, &str); 5] = [
    ("GET", "/v3/portals", 200, ""),
    ("PATCH", "/v3/portals/3e551b39-227d-4297-b911-e68fd5d77c17", 200, ""),
    ("GET", "/v3/audit-logs", 200, "page[size]=20"),
    ("POST", "/v2/control-planes", 201, ""),
    ("DELETE", "/v2/control-planes/9f5026aa", 403, ""),
];

impl Sample {
    /// The event of a number.
    pub(crate) fn draft(self, number: u64, id: EventId, ts: Timestamp) -> Value {
        let mixed = mix(number);
        let kind = self.kind.unwrap_or_else(|| self.usual_kind(number));
        let mut draft = common(kind, mixed, id, ts);
        if let Some(portal) = self.portal {
            draft.insert("portal_id".to_owned(), json!(portal.to_string()));
        }
        match kind {
            EventKind::Authentication => authentication(&mut draft, mixed, self.portal.is_some()),
            EventKind::Authorization => authorization(&mut draft, mixed),
            EventKind::Access => access(&mut draft, mixed),
        }
        Value::Object(draft)
    }

    /// A portal's log holds its developers' logins; an organization's has all three kinds.
    const fn usual_kind(self, number: u64) -> EventKind {
        match (self.portal, number % 3) {
            (Some(_), _) | (None, 0) => EventKind::Authentication,
            (None, 1) => EventKind::Authorization,
            (None, _) => EventKind::Access,
        }
    }
}

fn common(kind: EventKind, mixed: u64, id: EventId, ts: Timestamp) -> Map<String, Value> {
    let (principal_id, principal_name) = pick(&PEOPLE, mixed);
    let [.., third, fourth] = mixed.to_be_bytes();
    let mut draft = Map::new();
    let members = [
        ("id", json!(id.to_string())),
        ("type", json!(kind.name())),
        ("ts", json!(ts.to_string())),
        ("principal_id", json!(principal_id)),
        ("principal_name", json!(principal_name)),
        // 198.51.0.0/16 holds a block that is reserved for documentation.
        ("client_ip", json!(format!("198.51.100.{}", fourth.max(1)))),
        ("user_agent", json!(pick(&AGENTS, mixed >> 8))),
        ("trace_id", json!(format!("{}{third:03}", mixed >> 12))),
    ];
    draft.extend(members.map(|(name, value)| (name.to_owned(), value)));
    draft
}

fn authentication(draft: &mut Map<String, Value>, mixed: u64, portal: bool) {
    let (method, outcome) = pick(&LOGINS, mixed >> 16);
    let uri = if portal { "/api/v2/developer/authenticate" } else { "/v2/authenticate" };
    draft.insert("authentication_type".to_owned(), json!(method));
    draft.insert("outcome".to_owned(), json!(outcome));
    draft.insert("uri".to_owned(), json!(uri));
}

fn authorization(draft: &mut Map<String, Value>, mixed: u64) {
    let (service, resource, action, granted) = pick(&CHECKS, mixed >> 16);
    draft.insert("service".to_owned(), json!(service));
    draft.insert("resource".to_owned(), json!(resource));
    draft.insert("action".to_owned(), json!(action));
    draft.insert("granted".to_owned(), json!(granted));
}

fn access(draft: &mut Map<String, Value>, mixed: u64) {
    let (method, uri, status, query) = pick(&REQUESTS, mixed >> 16);
    draft.insert("method".to_owned(), json!(method));
    draft.insert("uri".to_owned(), json!(uri));
    draft.insert("status_code".to_owned(), json!(status));
    draft.insert("query".to_owned(), json!(query));
}

/// The finalizer of `SplitMix64`: neighbouring numbers give unlike events.
const fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn pick<T: Copy, const N: usize>(choices: &[T; N], mixed: u64) -> T {
    const { assert!(N > 0, "nothing to pick from") };
    let index = usize::try_from(mixed % (N as u64)).unwrap_or(0);
    #[expect(clippy::indexing_slicing, reason = "a remainder of N lies below N")]
    choices[index]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(sample: Sample, number: u64) -> Value {
        let id = EventId::from_uuid(uuid::Uuid::from_u128(u128::from(number)));
        sample.draft(number, id, Timestamp::from_nanos(1_800_000_000_000_000_000))
    }

    #[test]
    fn the_same_number_gives_the_same_event() {
        assert_eq!(draft(Sample::default(), 7), draft(Sample::default(), 7));
        assert_ne!(draft(Sample::default(), 7), draft(Sample::default(), 10));
    }

    #[test]
    fn an_organization_sees_all_three_kinds() {
        for (number, kind) in [(0, "authentication"), (1, "authorization"), (2, "gateway_access")] {
            assert_eq!(draft(Sample::default(), number)["type"], kind);
        }
    }

    #[test]
    fn a_portal_sees_its_logins() {
        let portal: PortalId = "3e551b39-227d-4297-b911-e68fd5d77c17".parse().unwrap();
        let event = draft(Sample { portal: Some(portal), kind: None }, 1);
        assert_eq!(event["type"], "authentication");
        assert_eq!(event["portal_id"], portal.to_string());
        assert_eq!(event["uri"], "/api/v2/developer/authenticate");
    }

    #[test]
    fn every_event_has_what_its_kind_requires() {
        let required: [(EventKind, &[&str]); 3] = [
            (EventKind::Authentication, &["authentication_type", "outcome"]),
            (EventKind::Authorization, &["service", "resource", "action", "granted"]),
            (EventKind::Access, &["method", "uri", "status_code"]),
        ];
        for (kind, fields) in required {
            for number in 0..50 {
                let event = draft(Sample { portal: None, kind: Some(kind) }, number);
                for field in fields.iter().chain(&["id", "ts", "type"]) {
                    assert!(!event[*field].is_null(), "{kind:?} {number} lacks {field}");
                }
            }
        }
    }
}
