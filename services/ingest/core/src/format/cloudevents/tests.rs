use super::*;
use crate::admit::Admitted;
use crate::admit::tests::sort;
use crate::request::Media;
use auditrelay_model::event::Detail;

const ID: &str = "3e551b39-227d-4297-b911-e68fd5d77c17";
const DATA: &str =
    r#"{"type":"authorization","service":"konnect","resource":"r","action":"list","granted":true}"#;

fn event(attributes: &str, data: &str) -> String {
    format!(r#"{{"specversion":"1.0",{attributes},"time":"2025-06-18T21:02:36Z","data":{data}}}"#)
}

const ATTRIBUTES: &str = r#""id":"a-1","source":"/s","type":"com.example.audit""#;

fn admitted(body: &str, media: &Media) -> Vec<Admitted> {
    let sorted = sort(body.as_bytes(), media);
    assert_eq!(sorted.rejections, [], "{body}");
    sorted.admitted
}

fn rejected(body: &str, media: &Media) -> Vec<(String, RejectionKind)> {
    let sorted = sort(body.as_bytes(), media);
    sorted.rejections.into_iter().map(|one| (one.field, one.kind)).collect()
}

fn one(field: &str, kind: RejectionKind) -> Vec<(String, RejectionKind)> {
    vec![(field.to_owned(), kind)]
}

#[test]
fn the_envelope_gives_id_and_time() {
    let uuid = format!(r#""id":"{ID}","source":"/s","type":"t""#);
    let event = event(&uuid, DATA);
    let admitted = admitted(&event, &Media::CloudEvent).remove(0);
    assert_eq!(admitted.event.id.to_string(), ID);
    assert!(admitted.supplied_id);
    assert_eq!(admitted.event.ts.to_string(), "2025-06-18T21:02:36Z");
}

#[test]
fn an_id_that_is_no_uuid_gives_the_same_uuid_every_time() {
    let id = |attributes: &str| {
        let one = admitted(&event(attributes, DATA), &Media::CloudEvent).remove(0);
        assert!(one.supplied_id);
        one.event.id
    };
    assert_eq!(id(ATTRIBUTES), id(ATTRIBUTES));
    assert_ne!(id(ATTRIBUTES), id(&ATTRIBUTES.replace("/s", "/t")));
    assert_ne!(id(ATTRIBUTES), id(&ATTRIBUTES.replace("a-1", "a-2")));
}

#[test]
fn data_counts_before_the_envelope() {
    let data = DATA.replace('{', &format!(r#"{{"id":"{ID}","ts":"2025-06-18T21:00:00Z","#));
    let one = admitted(&event(ATTRIBUTES, &data), &Media::CloudEvent).remove(0).event;
    assert_eq!(
        (one.id.to_string().as_str(), one.ts.to_string().as_str()),
        (ID, "2025-06-18T21:00:00Z")
    );
    let Detail::Authorization(detail) = one.detail else { panic!("another kind") };
    assert_eq!(detail.service, "konnect");
}

#[test]
fn what_data_lacks_the_envelope_may_say() {
    let attributes = r#""id":"1","source":"billing","type":"com.example.authorization","subject":"invoice/7","traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","future":{"x":1}"#;
    let body = event(attributes, r#"{"action":"pay","granted":false}"#);
    let one = admitted(&body, &Media::CloudEvent).remove(0).event;
    assert_eq!(one.trace_id, "0af7651916cd43dd8448eb211c80319c");
    let Detail::Authorization(detail) = one.detail else { panic!("another kind") };
    assert_eq!((detail.service.as_str(), detail.resource.as_str()), ("billing", "invoice/7"));
    // To a kind that has no such property, subject and source are nothing.
    let access = r#"{"type":"gateway_access","method":"GET","uri":"/x","status_code":200}"#;
    assert_eq!(admitted(&event(attributes, access), &Media::CloudEvent).len(), 1);
}

#[test]
fn data_is_json_by_any_of_its_names_and_a_trace_is_hexadecimal() {
    for media in ["application/json", "Application/JSON; charset=utf-8", "application/cadf+json"] {
        let attributes = format!(r#"{ATTRIBUTES},"datacontenttype":"{media}""#);
        assert_eq!(admitted(&event(&attributes, DATA), &Media::CloudEvent).len(), 1, "{media}");
    }
    for trace in ["0af7", "zaf7651916cd43dd8448eb211c80319c"] {
        let attributes = format!(r#"{ATTRIBUTES},"traceparent":"00-{trace}-b7ad6b7169203331-01""#);
        let one = admitted(&event(&attributes, DATA), &Media::CloudEvent).remove(0).event;
        assert_eq!(one.trace_id, "", "{trace}");
    }
}

#[test]
fn mistakes_are_told_by_their_path() {
    let wrong = |body: &str| rejected(body, &Media::CloudEvent);
    let required = |field: &str| (field.to_owned(), RejectionKind::Required);
    let envelope = ["specversion", "id", "source", "type", "data"].map(required);
    assert_eq!(wrong("{}"), envelope);
    let version = event(ATTRIBUTES, DATA).replace("1.0", "0.3");
    assert_eq!(wrong(&version), one("specversion", RejectionKind::Choice(vec!["1.0"])));
    let kind = r#""id":7,"source":"","type":"t""#;
    let wanted =
        [one("id", RejectionKind::Type(JsonType::String)), one("source", RejectionKind::Blank)];
    assert_eq!(wrong(&event(kind, DATA)), wanted.concat());
    let untimely = event(ATTRIBUTES, DATA).replace("2025-06-18T21:02:36Z", "noon");
    assert_eq!(wrong(&untimely), one("time", RejectionKind::DateTime));
    let xml = format!(r#"{ATTRIBUTES},"datacontenttype":"text/xml""#);
    assert_eq!(wrong(&event(&xml, DATA))[0].0, "datacontenttype");
    assert_eq!(wrong(&event(ATTRIBUTES, "7")), one("data", RejectionKind::Type(JsonType::Object)));
    let base64 =
        event(ATTRIBUTES, DATA).replace(&format!("\"data\":{DATA}"), "\"data_base64\":\"e30=\"");
    assert_eq!(wrong(&base64)[0].0, "data_base64");
    let data = DATA.replace("true", "\"yes\",\"foo\":1");
    let inside = [
        one("data.granted", RejectionKind::Type(JsonType::Boolean)),
        one("data.foo", RejectionKind::Unknown),
    ];
    assert_eq!(wrong(&event(ATTRIBUTES, &data)), inside.concat());
    let unknown = event(ATTRIBUTES, &DATA.replace(r#""type":"authorization","#, ""));
    assert!(matches!(wrong(&unknown)[0].1, RejectionKind::Choice(_)));
}

#[test]
fn a_batch_is_an_array() {
    let good = event(ATTRIBUTES, DATA);
    let batch = format!("[{good},{}]", good.replace("a-1", "a-2"));
    assert_eq!(admitted(&batch, &Media::CloudEvents).len(), 2);
    let wrong = |body: &str| rejected(body, &Media::CloudEvents);
    assert_eq!(wrong(&format!("[{good},{good}]"))[0].0, "[1].data.id");
    assert_eq!(wrong(&good), one("body", RejectionKind::Type(JsonType::Array)));
    assert_eq!(wrong("[]"), one("body", RejectionKind::MinItems(1)));
    assert_eq!(wrong("[7]"), one("[0]", RejectionKind::Type(JsonType::Object)));
    for bad in ["", "[{}", "[{},]", "nope", "[{\"id\":1,\"id\":2}]"] {
        assert!(wrong(bad).iter().any(|(_, kind)| *kind == RejectionKind::Syntax), "{bad}");
    }
    let many = format!("[{}]", vec!["{}"; 1_001].join(","));
    assert!(wrong(&many).contains(&("body".to_owned(), RejectionKind::MaxItems(1_000))));
    let large = good.replace("/s", &"s".repeat(70_000));
    let large = wrong(&format!("[{large}]"));
    assert_eq!(large, one("[0]", RejectionKind::MaxLength(65_536)));
}

#[test]
fn data_that_cannot_be_read_keeps_its_place_among_the_events() {
    let broken = event(ATTRIBUTES, &DATA.replace("\"r\"", r#""\ud800""#));
    let wrong = rejected(&format!("[{broken},7]"), &Media::CloudEvents);
    let fields: Vec<_> = wrong.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["[0].data", "[1]"], "{wrong:?}");
}

#[test]
fn attributes_may_stand_in_headers() {
    let attribute = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let attributes = [
        ("specversion", "1.0"),
        ("id", ID),
        ("source", "/s"),
        ("type", "t"),
        ("time", "2025-06-18T21:02:36Z"),
        ("subject", "invoice/7"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ];
    let media = Media::CloudEventData(attributes.map(attribute).to_vec());
    let one = admitted(&DATA.replace(r#""resource":"r","#, ""), &media).remove(0).event;
    assert_eq!(one.id.to_string(), ID);
    assert_eq!(one.trace_id, "0af7651916cd43dd8448eb211c80319c");
    let Detail::Authorization(detail) = one.detail else { panic!("another kind") };
    assert_eq!(detail.resource, "invoice/7");
    let few = Media::CloudEventData(vec![attribute(("specversion", "1.0"))]);
    assert_eq!(rejected(DATA, &few)[0], ("id".to_owned(), RejectionKind::Required));
    assert_eq!(
        rejected("[]", &media),
        super::tests::one("data", RejectionKind::Type(JsonType::Object))
    );
    assert_eq!(rejected("{", &media), super::tests::one("body", RejectionKind::Syntax));
}
