//! Bad input, as a table: what is sent, how it is answered, and that nothing of it is stored.

use auditrelay_model::clock::Clock;
use auditrelay_runtime::clock::SystemClock;
use serde_json::Value;
use std::time::Duration;

use crate::support::{Answer, Instance, PRODUCER, World, event, events};

const JSON: &str = "application/json";

/// What is sent with which type, and the answer: a status and `field: rule` for each mistake.
struct Row {
    name: &'static str,
    media: &'static str,
    body: Vec<u8>,
    status: u16,
    faults: &'static [&'static str],
}

fn row(
    name: &'static str,
    body: impl Into<Vec<u8>>,
    status: u16,
    faults: &'static [&'static str],
) -> Row {
    Row { name, media: JSON, body: body.into(), status, faults }
}

fn lines(row: Row) -> Row {
    Row { media: "application/x-ndjson", ..row }
}

/// An event with one property replaced, or left out.
fn with(property: &str, value: Option<&str>) -> String {
    let document: Value = serde_json::from_str(&event("")).unwrap();
    let mut parts: Vec<_> = document
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| name.as_str() != property)
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    parts.extend(value.map(|value| format!("\"{property}\":{value}")));
    format!("{{{}}}", parts.join(","))
}

fn access(property: &str, value: &str) -> String {
    let ts = SystemClock.now();
    let rest = match property {
        "status_code" => r#""uri":"/""#,
        _ => r#""uri":"/","status_code":200"#,
    };
    format!(r#"{{"type":"gateway_access","ts":"{ts}","method":"GET",{rest},"{property}":{value}}}"#)
}

const UNREADABLE: &[&str] = &["body: -"];

fn syntax() -> Vec<Row> {
    let nested = format!(r#"{{"foo":{}{}}}"#, "[".repeat(129), "]".repeat(129));
    let cut = event("");
    vec![
        row("I-01 nothing", "", 400, UNREADABLE),
        row("I-02 {}", "{}", 400, &["type: required", "ts: required"]),
        row("I-03 []", "[]", 400, &["body: min_items"]),
        row("I-04 null", "null", 400, &["body: is_object"]),
        row("I-04 true", "true", 400, &["body: is_object"]),
        row("I-04 7", "7", 400, &["body: is_object"]),
        row("I-04 \"x\"", "\"x\"", 400, &["body: is_object"]),
        row("I-05 cut", &cut.as_bytes()[..60], 400, UNREADABLE),
        row("I-06 trailing comma", cut.replace('}', ",}"), 400, UNREADABLE),
        row("I-06 single quotes", "{'type':'authorization'}", 400, UNREADABLE),
        row("I-06 comment", format!("/* */{cut}"), 400, UNREADABLE),
        row("I-06 NaN", access("status_code", "NaN"), 400, UNREADABLE),
        row("I-06 Infinity", access("status_code", "Infinity"), 400, UNREADABLE),
        row("I-07 byte order mark", format!("\u{feff}{cut}"), 400, UNREADABLE),
        row("I-08 no UTF-8", b"{\"type\":\"\xff\"}".to_vec(), 400, UNREADABLE),
        row("I-09 lone surrogate", with("action", Some(r#""\ud800""#)), 400, UNREADABLE),
        row("I-11 twice", event(r#","type":"authorization""#), 400, &["body: -", "type: invalid"]),
        row("I-12 too deep", nested, 400, UNREADABLE),
        row("I-13 unknown", event(r#","foo":1"#), 400, &["foo: unknown_property"]),
        row("I-14 too many", events(1_001), 400, &["body: max_items"]),
        row("I-15 one of ten", one_of_ten(), 400, &["[3].granted: is_boolean"]),
        lines(row("I-17 a broken line", "{}\n\n{}\n{\n", 400, &["line 4: -"])),
        row("I-18 too large", too_large(), 400, &["[0]: max_length"]),
    ]
}

fn one_of_ten() -> String {
    let mut all = vec![event(""); 10];
    all[3] = with("granted", Some("\"yes\""));
    format!("[{}]", all.join(","))
}

fn too_large() -> String {
    let agent = "x".repeat(64 * 1_024);
    format!("[{}]", event(&format!(r#","user_agent":"{agent}""#)))
}

fn values() -> Vec<Row> {
    let now = SystemClock.now();
    let at = |ts: &str| with("ts", Some(&format!("\"{ts}\"")));
    let early = (now + Duration::from_mins(6)).to_string();
    let late = (now - Duration::from_hours(25)).to_string();
    let id = |id: &str| event(&format!(r#","id":"{id}""#));
    let same = id("3e551b39-227d-4297-b911-e68fd5d77c17");
    let nobody = "00000000-0000-0000-0000-000000000000";
    vec![
        row(
            "I-49 another's",
            format!("[{}]", event(&format!(r#","org_id":"{nobody}""#))),
            400,
            &["[0].org_id: invalid"],
        ),
        row("I-51 upper case", with("type", Some("\"Authorization\"")), 400, &["type: enum"]),
        row("I-51 no kind", with("type", Some("\"x\"")), 400, &["type: enum"]),
        row(
            "I-52 text for boolean",
            with("granted", Some("\"true\"")),
            400,
            &["granted: is_boolean"],
        ),
        row("I-53 99", access("status_code", "99"), 400, &["status_code: min"]),
        row("I-53 600", access("status_code", "600"), 400, &["status_code: max"]),
        row("I-53 200.5", access("status_code", "200.5"), 400, &["status_code: is_integer"]),
        row("I-53 \"200\"", access("status_code", "\"200\""), 400, &["status_code: is_integer"]),
        row("I-53 1e400", access("status_code", "1e400"), 400, UNREADABLE),
        row("I-54 no ts", with("ts", None), 400, &["ts: required"]),
        row("I-59 year 1", at("0001-01-01T00:00:00Z"), 400, &["ts: invalid"]),
        row("I-59 year 9999", at("9999-12-31T23:59:59Z"), 400, &["ts: invalid"]),
        row("I-60 too early", at(&early), 400, &["ts: invalid"]),
        row("I-60 too late", at(&late), 400, &["ts: invalid"]),
        row("I-61 999.1.1.1", event(r#","client_ip":"999.1.1.1""#), 400, &["client_ip: invalid"]),
        row("I-61 zone", event(r#","client_ip":"fe80::1%eth0""#), 400, &["client_ip: invalid"]),
        row("I-61 port", event(r#","client_ip":"1.2.3.4:80""#), 400, &["client_ip: invalid"]),
        row("I-61 name", event(r#","client_ip":"localhost""#), 400, &["client_ip: invalid"]),
        row(
            "I-65 long",
            event(&format!(r#","principal_id":"{}""#, "x".repeat(10_240))),
            400,
            &["principal_id: max_length"],
        ),
        row("I-66 no UUID", id("7"), 400, &["id: invalid"]),
        row("I-67 the same twice", format!("[{same},{same}]"), 400, &["[1].id: invalid"]),
    ]
}

async fn send(instance: &Instance, row: &Row) -> Answer {
    let url = format!("http://{}/v1/audit-events", instance.address);
    let request = reqwest::Client::new().post(url).bearer_auth(PRODUCER);
    let request = request.header("content-type", row.media).body(row.body.clone());
    Answer::of(request.send().await.unwrap()).await
}

fn faults(answer: &Answer) -> Vec<String> {
    let text = |fault: &Value, name: &str| fault[name].as_str().unwrap_or("-").to_owned();
    let named = answer.body["invalid_parameters"].as_array().into_iter().flatten();
    named.map(|fault| format!("{}: {}", text(fault, "field"), text(fault, "rule"))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_bad_body_has_its_answer_and_none_is_stored() {
    let world = World::new().await;
    let instance = world.instance().await;
    for row in syntax().into_iter().chain(values()) {
        let answer = send(&instance, &row).await;
        assert_eq!(answer.status.as_u16(), row.status, "{}: {answer:?}", row.name);
        assert_eq!(faults(&answer), row.faults, "{}", row.name);
        assert_eq!(answer.headers["cache-control"], "no-store", "{}", row.name);
    }
    assert!(world.stored_ids(world.scope()).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strange_but_lawful_bodies_are_stored_as_they_are() {
    let world = World::new().await;
    let instance = world.instance().await;
    let text = |value: &str| event(&format!(r#","user_agent":{value}"#));
    let strange = [
        ("I-10", text(r#""a\u0000b""#), "a\0b"),
        ("I-63", text(r#""a\r\n2026-01-01 CEF:0|""#), "a\r\n2026-01-01 CEF:0|"),
        ("I-64", text(r#""=|\\\u001b[2J\u2028\u202e""#), "=|\\\u{1b}[2J\u{2028}\u{202e}"),
    ];
    for (name, body, _) in &strange {
        let answer = send(&instance, &row("", body.clone(), 202, &[])).await;
        assert_eq!(answer.status.as_u16(), 202, "{name}: {answer:?}");
    }
    instance.post(event(r#","client_ip":"::ffff:1.2.3.4""#)).await.ids();
    let records = world.records(world.scope()).await;
    let stored: Vec<_> = records.into_iter().flat_map(|stored| stored.record.events).collect();
    for ((name, _, wanted), event) in strange.iter().zip(&stored) {
        assert_eq!(event.user_agent, *wanted, "{name}");
    }
    assert_eq!(stored[3].client_ip.unwrap().to_string(), "1.2.3.4", "I-62");
}
