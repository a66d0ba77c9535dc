use auditrelay_model::event::{AuditEvent, Detail};
use auditrelay_proto::event::v1 as wire;
use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::admit::tests::sort;
use crate::rejection::JsonType;
use crate::request::Media;

const NS: i64 = 1_750_280_556_000_000_000;
const ID: &str = "3e551b39-227d-4297-b911-e68fd5d77c17";

fn access() -> wire::EventDraft {
    wire::EventDraft {
        id: ID.to_owned(),
        ts_ns: NS,
        principal_id: "p".to_owned(),
        client_ip: "::ffff:1.2.3.4".to_owned(),
        uri: "/x".to_owned(),
        platform_initiated: true,
        detail: Some(wire::event_draft::Detail::Access(wire::AccessDraft {
            method: "GET".to_owned(),
            status_code: 200,
            query: "{}".to_owned(),
        })),
        ..wire::EventDraft::default()
    }
}

fn with(detail: wire::event_draft::Detail) -> wire::EventDraft {
    wire::EventDraft { ts_ns: NS, detail: Some(detail), ..wire::EventDraft::default() }
}

fn authorization(granted: Option<bool>) -> wire::EventDraft {
    with(wire::event_draft::Detail::Authorization(wire::AuthorizationDraft {
        service: "s".to_owned(),
        resource: "r".to_owned(),
        action: "a".to_owned(),
        granted,
    }))
}

fn bytes(events: Vec<wire::EventDraft>) -> Vec<u8> {
    wire::PublishRequest { events }.encode_to_vec()
}

fn admitted(events: Vec<wire::EventDraft>) -> Vec<AuditEvent> {
    let sorted = sort(&bytes(events), &Media::Protobuf);
    assert_eq!(sorted.rejections, []);
    sorted.admitted.into_iter().map(|one| one.event).collect()
}

fn rejected(body: &[u8]) -> Vec<(String, RejectionKind)> {
    let sorted = sort(body, &Media::Protobuf);
    sorted.rejections.into_iter().map(|one| (one.field, one.kind)).collect()
}

fn one(field: &str, kind: RejectionKind) -> Vec<(String, RejectionKind)> {
    vec![(field.to_owned(), kind)]
}

#[test]
fn what_the_contract_writes_is_read() {
    let login = with(wire::event_draft::Detail::Authentication(wire::AuthenticationDraft {
        r#type: wire::AuthenticationType::Sso.into(),
        outcome: wire::AuthenticationOutcome::Locked.into(),
        successful: None,
    }));
    let events = admitted(vec![access(), login, authorization(Some(false))]);
    let [access, login, authorization] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((access.id.to_string().as_str(), access.ts.nanos()), (ID, NS));
    assert_eq!(access.client_ip.unwrap().to_string(), "1.2.3.4");
    assert!(access.platform_initiated);
    assert_eq!((access.principal_id.as_str(), access.uri.as_str()), ("p", "/x"));
    assert!(
        matches!(&access.detail, Detail::Access(it) if it.status_code == 200 && it.query == "{}")
    );
    assert!(matches!(&login.detail, Detail::Authentication(it)
        if it.method == AuthenticationType::Sso && it.outcome == AuthenticationOutcome::Locked && !it.success));
    assert!(matches!(&authorization.detail, Detail::Authorization(it) if !it.granted));
}

#[test]
fn every_property_of_the_contract_is_read() {
    let draft = wire::EventDraft {
        principal_name: "Ada".to_owned(),
        actor_id: "a".to_owned(),
        user_agent: "curl".to_owned(),
        trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".to_owned(),
        portal_id: ID.to_owned(),
        org_id: "998db3e4-5cb7-4dd5-b51c-9878096a6999".to_owned(),
        ..access()
    };
    let whole = sort(&bytes(vec![draft]), &Media::Protobuf).admitted.remove(0);
    assert_eq!(whole.scope.portal().map(|portal| portal.to_string()).as_deref(), Some(ID));
    let event = whole.event;
    assert_eq!((event.principal_name.as_str(), event.actor_id.as_str()), ("Ada", "a"));
    assert_eq!(
        (event.user_agent.as_str(), event.trace_id.as_str()),
        ("curl", "4bf92f3577b34da6a3ce929d0e0e4736")
    );
    let login = with(wire::event_draft::Detail::Authentication(wire::AuthenticationDraft {
        r#type: wire::AuthenticationType::Sso.into(),
        outcome: wire::AuthenticationOutcome::Success.into(),
        successful: Some(false),
    }));
    assert!(matches!(&admitted(vec![login])[0].detail, Detail::Authentication(it) if !it.success));
}

#[test]
fn names_and_numbers_are_those_of_the_contract() {
    for (number, method) in (1..).zip(AuthenticationType::ALL) {
        let wire = wire::AuthenticationType::try_from(number).unwrap();
        assert!(wire.as_str_name().to_lowercase().ends_with(method.name()));
    }
    for (number, outcome) in (1..).zip(AuthenticationOutcome::ALL) {
        let wire = wire::AuthenticationOutcome::try_from(number).unwrap();
        assert!(wire.as_str_name().to_lowercase().ends_with(outcome.name()));
    }
}

#[test]
fn what_is_wrong_is_told_by_the_names_of_the_contract() {
    let nothing = rejected(&bytes(vec![wire::EventDraft::default()]));
    let required = |field: &str| (field.to_owned(), RejectionKind::Required);
    assert_eq!(nothing, [required("[0].detail"), required("[0].ts_ns")]);
    let undecided = rejected(&bytes(vec![access(), authorization(None)]));
    assert_eq!(undecided, [required("[1].authorization.granted")]);
    let mut strange = access();
    strange.detail = Some(wire::event_draft::Detail::Access(wire::AccessDraft {
        status_code: 99,
        ..wire::AccessDraft::default()
    }));
    let strange = rejected(&bytes(vec![strange]));
    let wanted = [
        required("[0].access.method"),
        ("[0].access.status_code".to_owned(), RejectionKind::Min(100)),
    ];
    assert_eq!(strange, wanted);
    let unknown = with(wire::event_draft::Detail::Authentication(wire::AuthenticationDraft {
        r#type: 77,
        outcome: 1,
        successful: None,
    }));
    let unknown = rejected(&bytes(vec![unknown])).remove(0);
    assert_eq!(unknown.0, "[0].authentication.type");
    assert!(matches!(unknown.1, RejectionKind::Choice(_)));
}

#[test]
fn fields_that_nobody_knows_are_refused() {
    // Field 31, a number, in the event; field 9 in its detail; field 2 in the request.
    let mut event = access().encode_to_vec();
    event.extend([0xf8, 0x01, 1]);
    let mut body = vec![0x0a, u8::try_from(event.len()).unwrap()];
    body.extend(&event);
    assert_eq!(rejected(&body), one("[0].field 31", RejectionKind::Unknown));
    let head = wire::EventDraft { detail: None, ..access() }.encode_to_vec();
    let detail = [0xb2, 0x01, 8, 0x0a, 1, b'G', 0x10, 0xc8, 0x01, 0x48, 1];
    let event = [head.as_slice(), &detail].concat();
    let body = [&[0x0a, u8::try_from(event.len()).unwrap()], event.as_slice()].concat();
    assert_eq!(rejected(&body), one("[0].access.field 9", RejectionKind::Unknown));
    let body = [bytes(vec![access()]).as_slice(), &[0x10, 1]].concat();
    assert_eq!(rejected(&body), one("field 2", RejectionKind::Unknown));
}

#[test]
fn what_is_no_protobuf_or_comes_twice_is_unreadable() {
    assert_eq!(rejected(b""), one("body", RejectionKind::MinItems(1)));
    for bad in [&b"{}"[..], &[0x0a], &[0x0a, 5, 1], &[0x08, 1]] {
        assert_eq!(rejected(bad), one("body", RejectionKind::Syntax), "{bad:?}");
    }
    // `ts_ns` as a text, `id` that is no UTF-8.
    for bad in [&[0x0a, 3, 0x12, 1, b'x'][..], &[0x0a, 3, 0x0a, 1, 0xff]] {
        assert_eq!(rejected(bad), one("[0]", RejectionKind::Syntax), "{bad:?}");
    }
    let twice = rejected(&[0x0a, 4, 0x10, 1, 0x10, 2]);
    assert_eq!(twice[1], ("[0].ts".to_owned(), RejectionKind::Repeated));
}

#[test]
fn size_and_number_are_bounded() {
    let large = wire::EventDraft { uri: "x".repeat(70_000), ..access() };
    assert_eq!(rejected(&bytes(vec![large])), one("[0]", RejectionKind::MaxLength(65_536)));
    let many = [0x0a, 0].repeat(400_000);
    let rejections = rejected(&many);
    assert!(rejections.contains(&("body".to_owned(), RejectionKind::MaxItems(1_000))));
    let wrong = wire::EventDraft { ts_ns: NS + 3_600_000_000_000, ..access() };
    let wrong = rejected(&bytes(vec![wrong])).remove(0);
    assert_eq!(wrong.0, "[0].ts_ns");
    assert_ne!(wrong.1, RejectionKind::Type(JsonType::String));
}

proptest! {
    #[test]
    fn any_bytes_are_answered(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let sorted = sort(&body, &Media::Protobuf);
        prop_assert!(sorted.rejections.is_empty() != sorted.admitted.is_empty() || sorted.refused > 0);
    }
}
