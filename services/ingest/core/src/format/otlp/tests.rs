use auditrelay_model::event::{AuditEvent, Detail};
use auditrelay_proto::otlp::v1 as wire;
use auditrelay_proto::otlp::v1::any_value::Value as Wire;
use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::admit::Sorted;
use crate::admit::tests::sort;
use crate::rejection::JsonType;
use crate::request::Media;

const NS: u64 = 1_750_280_556_000_000_000;
const ID: &str = "3e551b39-227d-4297-b911-e68fd5d77c17";

enum Any {
    Text(&'static str),
    Flag(bool),
    Int(i64),
    Double(f64),
}

use Any::{Double, Flag, Int, Text};

type Attributes = Vec<(&'static str, Any)>;

fn decision() -> Attributes {
    vec![
        ("audit.type", Text("authorization")),
        ("audit.resource", Text("r")),
        ("audit.action", Text("list")),
        ("audit.granted", Flag(false)),
        ("user.id", Text("u")),
        ("thread.id", Int(7)),
        ("load", Double(0.5)),
    ]
}

fn request() -> Attributes {
    vec![
        ("audit.id", Text(ID)),
        ("http.request.method", Text("GET")),
        ("http.response.status_code", Int(404)),
        ("url.path", Text("/x")),
        ("client.address", Text("10.0.0.1")),
        ("user_agent.original", Text("curl")),
        ("user.name", Text("Ada")),
        ("url.query", Text("a=b")),
    ]
}

fn attribute(key: &str, value: Wire) -> wire::KeyValue {
    wire::KeyValue { key: key.to_owned(), value: Some(wire::AnyValue { value: Some(value) }) }
}

fn log_record(event_name: &str, attributes: Attributes) -> wire::LogRecord {
    wire::LogRecord {
        time_unix_nano: NS,
        trace_id: vec![0xab; 16],
        event_name: event_name.to_owned(),
        attributes: attributes
            .into_iter()
            .map(|(key, value)| match value {
                Text(text) => attribute(key, Wire::StringValue(text.to_owned())),
                Flag(flag) => attribute(key, Wire::BoolValue(flag)),
                Int(int) => attribute(key, Wire::IntValue(int)),
                Double(double) => attribute(key, Wire::DoubleValue(double)),
            })
            .collect(),
        ..wire::LogRecord::default()
    }
}

fn encoded(log_records: Vec<wire::LogRecord>) -> Vec<u8> {
    let service = attribute("service.name", Wire::StringValue("billing".to_owned()));
    wire::ExportLogsServiceRequest {
        resource_logs: vec![wire::ResourceLogs {
            resource: Some(wire::Resource { attributes: vec![service] }),
            scope_logs: vec![wire::ScopeLogs { log_records }],
        }],
    }
    .encode_to_vec()
}

fn protobuf(records: Vec<(&str, Attributes)>) -> Vec<u8> {
    encoded(records.into_iter().map(|(name, attributes)| log_record(name, attributes)).collect())
}

fn json(records: Vec<(&str, Attributes)>) -> Vec<u8> {
    let records = records.into_iter().map(|(event_name, attributes)| {
        let attributes = attributes.into_iter().map(|(key, value)| {
            let value = match value {
                Text(text) => serde_json::json!({"stringValue": text}),
                Flag(flag) => serde_json::json!({"boolValue": flag}),
                Int(int) => serde_json::json!({"intValue": int.to_string()}),
                Double(double) => serde_json::json!({"doubleValue": double}),
            };
            serde_json::json!({"key": key, "value": value})
        });
        serde_json::json!({
            "timeUnixNano": NS.to_string(), "traceId": "ab".repeat(16), "eventName": event_name,
            "severityNumber": 9, "body": {"stringValue": "hello"}, "future": [{}],
            "attributes": attributes.collect::<Vec<_>>(),
        })
    });
    let service = serde_json::json!({"key": "service.name", "value": {"stringValue": "billing"}});
    let records: Vec<_> = records.collect();
    serde_json::json!({"resourceLogs": [{
        "resource": {"attributes": [service]},
        "scopeLogs": [{"scope": {"name": "x"}, "logRecords": records}],
    }]})
    .to_string()
    .into_bytes()
}

/// In both encodings, which must say the same.
fn sorted(records: impl Fn() -> Vec<(&'static str, Attributes)>) -> Sorted {
    let one = sort(&protobuf(records()), &Media::OtlpProtobuf);
    let other = sort(&json(records()), &Media::OtlpJson);
    assert_eq!((&one.rejections, one.refused), (&other.rejections, other.refused));
    assert_eq!(one.admitted, other.admitted);
    assert!(!one.unreadable);
    one
}

fn events(records: impl Fn() -> Vec<(&'static str, Attributes)>) -> Vec<AuditEvent> {
    let sorted = sorted(records);
    assert_eq!(sorted.rejections, []);
    sorted.admitted.into_iter().map(|one| one.event).collect()
}

#[test]
fn attributes_of_ours_and_conventional_ones_make_an_event() {
    let events = events(|| vec![("", decision()), ("com.example.gateway_access", request())]);
    let [decision, request] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(
        (decision.ts.to_string().as_str(), decision.principal_id.as_str()),
        ("2025-06-18T21:02:36Z", "u")
    );
    assert_eq!(decision.trace_id, "ab".repeat(16));
    assert!(matches!(&decision.detail, Detail::Authorization(it)
        if it.service == "billing" && it.action == "list" && !it.granted));
    assert_eq!((request.id.to_string().as_str(), request.uri.as_str()), (ID, "/x"));
    assert_eq!(
        (request.client_ip.unwrap().to_string().as_str(), request.user_agent.as_str()),
        ("10.0.0.1", "curl")
    );
    assert_eq!(request.principal_name, "Ada");
    assert!(matches!(&request.detail, Detail::Access(it)
        if it.method == "GET" && it.status_code == 404 && it.query == "a=b"));
}

#[test]
fn ours_count_before_conventional_ones() {
    let both = || {
        let mut attributes = decision();
        attributes.push(("audit.principal_id", Text("mine")));
        attributes.push(("audit.service", Text("mine")));
        vec![("x.authentication", attributes)]
    };
    let one = events(both).remove(0);
    assert_eq!(one.principal_id, "mine");
    assert!(matches!(one.detail, Detail::Authorization(it) if it.service == "mine"));
}

#[test]
fn a_uid_makes_a_record_recognisable() {
    let with = |uid: &'static str| {
        let mut attributes = decision();
        attributes.push(("log.record.uid", Text(uid)));
        vec![("", attributes)]
    };
    assert_eq!(events(|| with(ID))[0].id.to_string(), ID);
    let id = |uid| events(|| with(uid))[0].id;
    assert_eq!(id("01ARZ3NDEKTSV4RRFFQ69G5FAV"), id("01ARZ3NDEKTSV4RRFFQ69G5FAV"));
    assert_ne!(id("01ARZ3NDEKTSV4RRFFQ69G5FAV"), id("01ARZ3NDEKTSV4RRFFQ69G5FAW"));
    assert!(!sorted(|| with("")).admitted[0].supplied_id, "no name at all");
    let ours = || {
        let mut attributes = request();
        attributes.push(("log.record.uid", Text("01ARZ3NDEKTSV4RRFFQ69G5FAV")));
        vec![("gateway_access", attributes)]
    };
    assert_eq!(events(ours)[0].id.to_string(), ID);
}

#[test]
fn a_record_without_a_time_has_that_of_its_observation() {
    let record = wire::LogRecord { observed_time_unix_nano: NS, ..log_record("", decision()) };
    for (time, expected) in [(0, NS), (NS + 1, NS + 1)] {
        let record = wire::LogRecord { time_unix_nano: time, ..record.clone() };
        let sorted = sort(&encoded(vec![record]), &Media::OtlpProtobuf);
        assert_eq!(u64::try_from(sorted.admitted[0].event.ts.nanos()), Ok(expected));
    }
}

#[test]
fn bad_records_do_not_take_good_ones_with_them() {
    let mixed = || {
        let mut strange = decision();
        strange.push(("audit.foo", Int(1)));
        strange.push(("audit.action", Text("again")));
        let mut untyped = decision();
        untyped.retain(|(key, _)| *key != "audit.granted" && *key != "audit.type");
        let flag = vec![("audit.type", Text("gateway_access")), ("audit.uri", Flag(true))];
        vec![("", decision()), ("", strange), ("", untyped), ("", flag), ("", decision())]
    };
    let sorted = sorted(mixed);
    assert_eq!((sorted.admitted.len(), sorted.refused), (2, 3));
    let all: Vec<_> = sorted.rejections.into_iter().map(|one| (one.field, one.kind)).collect();
    for (field, kind) in [
        ("[1].attributes.audit.foo", RejectionKind::Unknown),
        ("[1].attributes.audit.action", RejectionKind::Repeated),
        ("[2].attributes.audit.type", RejectionKind::Required),
        ("[3].attributes.audit.uri", RejectionKind::Type(JsonType::String)),
        ("[3].attributes.audit.method", RejectionKind::Required),
        ("[3].attributes.audit.status_code", RejectionKind::Required),
    ] {
        assert!(all.contains(&(field.to_owned(), kind)), "{field} of {all:?}");
    }
}

#[test]
fn a_request_without_records_is_good_and_one_that_is_no_otlp_is_not() {
    for (good, media) in [
        (&b"{}"[..], Media::OtlpJson),
        (br#"{"resourceLogs":[{"scopeLogs":[{}]}],"future":1}"#, Media::OtlpJson),
        (b"", Media::OtlpProtobuf),
    ] {
        let sorted = sort(good, &media);
        assert!(sorted.rejections.is_empty() && sorted.admitted.is_empty());
    }
    for (bad, media) in [
        (&b""[..], Media::OtlpJson),
        (b"[]", Media::OtlpJson),
        (br#"{"resourceLogs":7}"#, Media::OtlpJson),
        (br#"{"resourceLogs":[7]}"#, Media::OtlpJson),
        (
            br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"attributes":7}]}]}]}"#,
            Media::OtlpJson,
        ),
        (b"{}", Media::OtlpProtobuf),
        (&[0x0a, 9], Media::OtlpProtobuf),
        (&[0x08, 9], Media::OtlpProtobuf),
    ] {
        let sorted = sort(bad, &media);
        assert!(sorted.unreadable, "{bad:?}");
        assert_eq!(
            (sorted.rejections[0].field.as_str(), &sorted.rejections[0].kind),
            ("body", &RejectionKind::Syntax)
        );
    }
}

#[test]
fn a_field_of_another_shape_makes_a_request_unreadable() {
    let within = |field: u8, bytes: &[u8]| {
        let head = [(field << 3) | 2, u8::try_from(bytes.len()).unwrap()];
        [&head[..], bytes].concat()
    };
    let request = |log: &[u8]| within(1, &within(2, &within(2, log)));
    let attribute = |attribute: &[u8]| request(&within(6, attribute));
    let number = [1 << 3, 7];
    for body in [request(&number), attribute(&number), attribute(&within(2, &number))] {
        assert!(sort(&body, &Media::OtlpProtobuf).unreadable, "{body:?}");
    }
}

#[test]
fn size_and_number_are_bounded() {
    let many = sort(&json((0..1_001).map(|_| ("", decision())).collect()), &Media::OtlpJson);
    assert!(many.unreadable);
    assert_eq!(many.rejections.last().map(|one| &one.kind), Some(&RejectionKind::MaxItems(1_000)));
    let text: &'static str = "x".repeat(70_000).leak();
    let large = sorted(|| vec![("", vec![("audit.uri", Text(text))]), ("", decision())]);
    assert_eq!((large.admitted.len(), large.refused), (1, 1));
    assert_eq!(large.rejections[0].kind, RejectionKind::MaxLength(65_536));
}

proptest! {
    #[test]
    fn any_bytes_are_answered(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let sorted = sort(&body, &Media::OtlpProtobuf);
        prop_assert!(sorted.unreadable || sorted.refused == 0 || !sorted.rejections.is_empty());
    }
}
