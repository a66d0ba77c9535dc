use auditrelay_model::event::{AuditEvent, Detail};

use super::*;
use crate::admit::tests::sort;
use crate::request::Media;

/// As the plugin writes it, shortened.
const LOG: &str = r#"{"request":{"id":"0af7651916cd43dd8448eb211c80319c","method":"GET","uri":"/get?a=b","url":"http://x:8000/get?a=b","querystring":{"a":"b"},"size":"75","headers":{"accept":"*/*","host":"x","user-agent":"curl/7.37.1"}},"upstream_uri":"/","response":{"status":200,"size":"434","headers":{"via":"kong"}},"tries":[{"state":"next"}],"authenticated_entity":{"id":"80f74eef-31b8-45d5-c525-ae532297ea8e"},"route":{"id":"5f1d7e76"},"service":{"name":"svc"},"workspace":"w","consumer":{"username":"demo","id":"35b03bfc"},"latencies":{"proxy":1430,"kong":9},"client_ip":"127.0.0.1","started_at":1750280556123,"trace_id":{"w3c":"4bf92f3577b34da6a3ce929d0e0e4736"}}"#;

fn events(body: &[u8]) -> Vec<AuditEvent> {
    let sorted = sort(body, &Media::HttpLog);
    assert_eq!(sorted.rejections, []);
    assert!(sorted.admitted.iter().all(|one| one.supplied_id));
    sorted.admitted.into_iter().map(|one| one.event).collect()
}

fn rejected(body: &str) -> Vec<(String, RejectionKind)> {
    let sorted = sort(body.as_bytes(), &Media::HttpLog);
    sorted.rejections.into_iter().map(|one| (one.field, one.kind)).collect()
}

fn one(field: &str, kind: RejectionKind) -> Vec<(String, RejectionKind)> {
    vec![(field.to_owned(), kind)]
}

#[test]
fn a_record_is_a_request_through_the_gateway() {
    let one = events(LOG.as_bytes()).remove(0);
    assert_eq!(one.id, events(LOG.as_bytes()).remove(0).id);
    assert_eq!(one.ts.to_string(), "2025-06-18T21:02:36.123Z");
    assert_eq!((one.principal_id.as_str(), one.principal_name.as_str()), ("35b03bfc", "demo"));
    assert_eq!((one.uri.as_str(), one.user_agent.as_str()), ("/get?a=b", "curl/7.37.1"));
    assert_eq!(one.client_ip.unwrap().to_string(), "127.0.0.1");
    assert_eq!(one.trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
    let Detail::Access(access) = one.detail else { panic!("another kind") };
    assert_eq!((access.method.as_str(), access.status_code), ("GET", 200));
    assert_eq!(access.query, r#"{"a":"b"}"#);
}

#[test]
fn one_record_or_an_array_is_read() {
    let other = LOG.replace("0af7651916cd43dd", "1af7651916cd43dd");
    assert_eq!(events(format!(" [{LOG},\n{other}]").as_bytes()).len(), 2);
    assert_eq!(rejected("[]"), one("body", RejectionKind::MinItems(1)));
    assert_eq!(rejected("7")[0].0, "body");
    for bad in ["", "{", "[{}", "nope"] {
        assert_eq!(rejected(bad), one("body", RejectionKind::Syntax), "{bad}");
    }
}

#[test]
fn mistakes_are_told_by_kongs_names() {
    let required = ["started_at", "request.uri", "request.method", "response.status"];
    let fields: Vec<String> = rejected("[{}]").into_iter().map(|(field, _)| field).collect();
    assert_eq!(fields, required.map(|name| format!("[0].{name}")));
    let status = LOG.replace("\"status\":200", "\"status\":700");
    assert_eq!(rejected(&status), one("response.status", RejectionKind::Max(599)));
    let shape =
        LOG.replace("\"consumer\":{\"username\":\"demo\",\"id\":\"35b03bfc\"}", "\"consumer\":7");
    assert!(matches!(&rejected(&shape)[0], (field, RejectionKind::Invalid(_)) if field == "body"));
    let late = LOG.replace("1750280556123", "1650280556123");
    assert!(
        matches!(&rejected(&late)[0], (field, RejectionKind::Invalid(_)) if field == "started_at")
    );
}

#[test]
fn clients_of_the_gateway_cannot_spoil_a_record() {
    let long = LOG.replace("\"GET\"", &format!("\"{}\"", "é".repeat(100)));
    let Detail::Access(access) = events(long.as_bytes()).remove(0).detail else { panic!("kind") };
    assert_eq!(access.method.chars().count(), 64);
    let agents = LOG.replace("\"curl/7.37.1\"", r#"["first","second"]"#);
    assert_eq!(events(agents.as_bytes())[0].user_agent, "first");
    let mut raw = LOG.as_bytes().to_vec();
    let at = LOG.find("curl").unwrap();
    raw[at] = 0xff;
    assert_eq!(events(&raw)[0].user_agent, "\u{fffd}url/7.37.1");
    let none = LOG.replace(r#""user-agent":"curl/7.37.1""#, r#""user-agent":null"#);
    assert_eq!(events(none.as_bytes())[0].user_agent, "");
    let long = format!(r#"{{"a":"{}"}}"#, "b".repeat(16_384));
    for query in ["[]", "\"a=b\"", "{}", &long] {
        let log = LOG.replace(r#"{"a":"b"}"#, query);
        let Detail::Access(access) = events(log.as_bytes()).remove(0).detail else { panic!() };
        assert_eq!(access.query, "", "{query}");
    }
}

#[test]
fn without_a_consumer_the_credential_is_the_principal() {
    let anonymous = LOG.replace(r#""consumer":{"username":"demo","id":"35b03bfc"},"#, "");
    let one = events(anonymous.as_bytes()).remove(0);
    assert_eq!(one.principal_id, "80f74eef-31b8-45d5-c525-ae532297ea8e");
    assert_eq!(one.principal_name, "");
}
