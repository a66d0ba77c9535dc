use auditrelay_model::event::{
    Access, Authentication, AuthenticationOutcome, AuthenticationType, Authorization, Detail,
};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::rejection::{JsonType, MAX_REJECTIONS};

mod accepted;

const ORG: &str = "998db3e4-5cb7-4dd5-b51c-9878096a6999";
const PORTAL: &str = "3e551b39-227d-4297-b911-e68fd5d77c17";
const LIMITS: Limits = Limits {
    max_events: 1_000,
    max_event_bytes: 65_536,
    max_future: Duration::from_mins(5),
    max_lateness: Duration::from_hours(24),
};
const AUTHORIZATION: &str = r#""type":"authorization","ts":"2025-06-18T21:02:36Z","service":"konnect","resource":"control-planes/*","action":"list","granted":true"#;
const AUTHENTICATION: &str = r#""type":"authentication","ts":"2025-06-18T21:02:36Z","authentication_type":"basic","outcome":"success""#;
const ACCESS: &str = r#""type":"gateway_access","ts":"2025-06-18T21:02:36Z","method":"GET","uri":"/x","status_code":200"#;

/// Some lawful event, for tests of what comes after admission.
pub(crate) fn event(id: u128) -> AuditEvent {
    let body = format!("{{{AUTHORIZATION},\"id\":\"{}\"}}", Uuid::from_u128(id));
    admit_all(&body, &Media::Json).unwrap().remove(0).event
}

fn admit_all(body: &str, media: &Media) -> Result<Vec<Admitted>, Vec<Rejection>> {
    admit_bytes(body.as_bytes(), media)
}

fn admit_bytes(body: &[u8], media: &Media) -> Result<Vec<Admitted>, Vec<Rejection>> {
    let sorted = sort(body, media);
    if sorted.rejections.is_empty() { Ok(sorted.admitted) } else { Err(sorted.rejections) }
}

/// For tests of the formats too.
pub(crate) fn sort(body: &[u8], media: &Media) -> Sorted {
    let portal: PortalId = PORTAL.parse().unwrap();
    let portals = BTreeMap::from([(portal, some_portal(portal))]);
    let now = Timestamp::parse_rfc3339("2025-06-18T21:02:36Z").unwrap();
    let tenant = Tenant { org: ORG.parse().unwrap(), portals: &portals };
    let mut next = 0;
    let admission = Admission { now, limits: &LIMITS, tenant, traceparent: "" };
    admission.sort(body, media, &mut || {
        next += 1;
        EventId::from_uuid(Uuid::from_u128(next))
    })
}

fn some_portal(id: PortalId) -> Portal {
    Portal {
        id,
        name: "p".to_owned(),
        display_name: String::new(),
        attributes_json: "{}".to_owned(),
        labels: BTreeMap::new(),
        created_at: Timestamp::from_nanos(0),
        updated_at: Timestamp::from_nanos(0),
    }
}

fn with(base: &str, more: &str) -> String {
    format!("{{{base},{more}}}")
}

/// The base event with one property given another value, or removed.
fn without(base: &str, field: &str) -> String {
    let kept = base.split(',').filter(|member| !member.starts_with(&format!("\"{field}\":")));
    format!("{{{}}}", kept.collect::<Vec<_>>().join(","))
}

fn replaced(base: &str, field: &str, value: &str) -> String {
    without(base, field).replacen('{', &format!("{{\"{field}\":{value},"), 1)
}

fn rejections(body: &str) -> Vec<(String, RejectionKind)> {
    let rejected = admit_all(body, &Media::Json).err().unwrap_or_default();
    rejected.into_iter().map(|rejection| (rejection.field, rejection.kind)).collect()
}

fn invalid(reason: &'static str) -> RejectionKind {
    RejectionKind::Invalid(reason.into())
}

fn type_(wanted: JsonType) -> RejectionKind {
    RejectionKind::Type(wanted)
}

fn choice<T: Copy>(all: &[T], name: fn(T) -> &'static str) -> RejectionKind {
    RejectionKind::Choice(all.iter().copied().map(name).collect())
}

#[test]
fn each_wrong_property_has_its_own_answer() {
    let long = |length: usize| format!("\"{}\"", "a".repeat(length));
    let kinds = || choice(EventKind::ALL, EventKind::name);
    let outcomes = choice(AuthenticationOutcome::ALL, AuthenticationOutcome::name);
    let out_of_range = || invalid("is outside the accepted range");
    let table: Vec<(&str, &str, String, RejectionKind)> = vec![
        (AUTHORIZATION, "foo", "1".into(), RejectionKind::Unknown),
        (AUTHORIZATION, "outcome", "\"success\"".into(), RejectionKind::Unknown),
        (AUTHORIZATION, "type", "\"Authorization\"".into(), kinds()),
        (AUTHORIZATION, "type", "7".into(), kinds()),
        (AUTHORIZATION, "granted", "\"true\"".into(), type_(JsonType::Boolean)),
        (AUTHORIZATION, "granted", "null".into(), type_(JsonType::Boolean)),
        (AUTHORIZATION, "service", "\"\"".into(), RejectionKind::Blank),
        (AUTHORIZATION, "service", "[]".into(), type_(JsonType::String)),
        (AUTHORIZATION, "service", "[1,[2]]".into(), type_(JsonType::String)),
        (AUTHORIZATION, "id", "\"7\"".into(), invalid("must be a UUID")),
        (AUTHORIZATION, "portal_id", "\"x\"".into(), invalid("must be a UUID")),
        (AUTHORIZATION, "portal_id", format!("\"{ORG}\""), RejectionKind::Reference),
        (
            AUTHORIZATION,
            "org_id",
            format!("\"{PORTAL}\""),
            invalid("does not belong to this token"),
        ),
        (AUTHORIZATION, "org_id", "\"x\"".into(), invalid("does not belong to this token")),
        (AUTHORIZATION, "principal_id", long(10_240), RejectionKind::MaxLength(256)),
        (AUTHORIZATION, "uri", long(16_385), RejectionKind::MaxLength(16_384)),
        (AUTHORIZATION, "uri", long(65_536), RejectionKind::MaxLength(65_536)),
        (AUTHORIZATION, "client_ip", "\"999.1.1.1\"".into(), invalid("must be an IP address")),
        (AUTHORIZATION, "client_ip", "\"fe80::1%eth0\"".into(), invalid("must be an IP address")),
        (AUTHORIZATION, "client_ip", "\"1.2.3.4:80\"".into(), invalid("must be an IP address")),
        (AUTHORIZATION, "client_ip", "\"localhost\"".into(), invalid("must be an IP address")),
        (AUTHORIZATION, "ts", "\"yesterday\"".into(), RejectionKind::DateTime),
        (AUTHORIZATION, "ts", "\"2025-06-18\"".into(), RejectionKind::DateTime),
        (AUTHORIZATION, "ts", "1750280556".into(), type_(JsonType::String)),
        (AUTHORIZATION, "ts", "\"0001-01-01T00:00:00Z\"".into(), out_of_range()),
        (AUTHORIZATION, "ts", "\"9998-12-31T00:00:00Z\"".into(), out_of_range()),
        (
            AUTHORIZATION,
            "ts",
            "\"2025-06-18T21:08:36Z\"".into(),
            invalid("is more than 300 seconds in the future"),
        ),
        (AUTHORIZATION, "ts", "\"2025-06-17T20:02:36Z\"".into(), invalid("is older than 24 hours")),
        (AUTHENTICATION, "outcome", "\"maybe\"".into(), outcomes),
        (AUTHENTICATION, "successful", "1".into(), type_(JsonType::Boolean)),
        (ACCESS, "status_code", "99".into(), RejectionKind::Min(100)),
        (ACCESS, "status_code", "-1".into(), RejectionKind::Min(100)),
        (ACCESS, "status_code", "600".into(), RejectionKind::Max(599)),
        (ACCESS, "status_code", "18446744073709551615".into(), RejectionKind::Max(599)),
        (ACCESS, "status_code", "200.5".into(), type_(JsonType::Integer)),
        (ACCESS, "status_code", "\"200\"".into(), type_(JsonType::Integer)),
    ];
    for (base, field, value, kind) in table {
        let short: String = value.chars().take(40).collect();
        let whole = kind == RejectionKind::MaxLength(65_536);
        let path = if whole { "body" } else { field };
        assert_eq!(
            rejections(&replaced(base, field, &value)),
            [(path.to_owned(), kind)],
            "{field} {short}"
        );
    }
}

#[test]
fn what_is_missing_is_named_for_each_kind() {
    for (base, required) in [
        (AUTHORIZATION, &["ts", "service", "resource", "action", "granted"][..]),
        (AUTHENTICATION, &["ts", "authentication_type", "outcome"]),
        (ACCESS, &["ts", "method", "uri", "status_code"]),
    ] {
        for field in required {
            let missing = [((*field).to_owned(), RejectionKind::Required)];
            assert_eq!(rejections(&without(base, field)), missing);
        }
    }
    let required = |field: &str| (field.to_owned(), RejectionKind::Required);
    assert_eq!(rejections("{}"), [required("type"), required("ts")]);
}

#[test]
fn everything_that_is_wrong_is_named_at_once() {
    let body =
        r#"{"type":"authorization","ts":7,"client_ip":"x","granted":"yes","foo":1,"bar":{}}"#;
    let fields: Vec<String> = rejections(body).into_iter().map(|(field, _)| field).collect();
    assert_eq!(
        fields,
        ["ts", "client_ip", "service", "resource", "action", "granted", "foo", "bar"]
    );
}

#[test]
fn one_bad_event_refuses_the_request_and_is_named() {
    let good = format!("{{{AUTHORIZATION}}}");
    let bad = replaced(AUTHORIZATION, "granted", "1");
    let body = format!("[{good},{good},{good},{bad},{good}]");
    assert_eq!(rejections(&body), [("[3].granted".to_owned(), type_(JsonType::Boolean))]);
    let body = format!(
        "[{good},{}]",
        replaced(AUTHORIZATION, "uri", &format!("\"{}\"", "a".repeat(66_000)))
    );
    assert_eq!(rejections(&body), [("[1]".to_owned(), RejectionKind::MaxLength(65_536))]);
    let lines = format!("{good}\n{bad}\n");
    let rejected = admit_all(&lines, &Media::Ndjson).unwrap_err();
    assert_eq!(rejected[0].field, "line 2.granted");
}

#[test]
fn an_id_that_comes_twice_in_a_request_is_refused() {
    let named = with(AUTHORIZATION, &format!("\"id\":\"{PORTAL}\""));
    let body = format!("[{named},{{{ACCESS}}},{named}]");
    assert_eq!(rejections(&body), [("[2].id".to_owned(), invalid("is repeated in this request"))]);
    assert_eq!(sort(body.as_bytes(), &Media::Json).refused, 1);
}

#[test]
fn an_event_may_be_exactly_as_large_as_allowed() {
    let body = format!("{{{AUTHORIZATION}}}");
    let refused = |max_event_bytes| {
        let limits = Limits { max_event_bytes, ..LIMITS };
        let tenant = Tenant { org: ORG.parse().unwrap(), portals: &BTreeMap::new() };
        let now = Timestamp::parse_rfc3339("2025-06-18T21:02:36Z").unwrap();
        let admission = Admission { now, limits: &limits, tenant, traceparent: "" };
        admission
            .sort(body.as_bytes(), &Media::Json, &mut || EventId::from_uuid(Uuid::nil()))
            .refused
    };
    assert_eq!((refused(body.len()), refused(body.len() - 1)), (0, 1));
}

#[test]
fn an_answer_names_a_bounded_number_of_problems() {
    let body = format!("[{}]", vec![r#"{"a":1,"b":1,"c":1}"#; 1_000].join(","));
    assert_eq!(rejections(&body).len(), MAX_REJECTIONS);
}

proptest! {
    #[test]
    fn no_bytes_make_admission_panic(body in prop::collection::vec(any::<u8>(), 0..400), ndjson: bool) {
        let media = if ndjson { &Media::Ndjson } else { &Media::Json };
        if let Err(rejections) = admit_bytes(&body, media) {
            prop_assert!(!rejections.is_empty());
        }
    }

    #[test]
    fn a_lawful_event_with_a_byte_changed_never_makes_admission_panic(at in 0_usize..150, byte: u8) {
        let mut body = format!("[{{{AUTHORIZATION}}}]").into_bytes();
        let at = at % body.len();
        body[at] = byte;
        if let Err(rejections) = admit_bytes(&body, &Media::Json) {
            prop_assert!(!rejections.is_empty());
        }
    }
}
