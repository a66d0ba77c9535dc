//! Bad input is answered with a documented problem and changes nothing.

use auditrelay_testkit::builders::{access, denied, login, now, some};
use auditrelay_testkit::siem::Siem;
use auditrelay_testkit::stack::{Reply, Stack};
use http::Method;
use serde_json::{Value, json};
use std::io::Write;
use std::time::Duration;

/// `(what is sent, what is wrong with it)`; a fault is `field: rule`.
type Case = (Value, &'static [&'static str]);

/// `(what it is, its headers, its body, the status it gets)`.
type Raw = (&'static str, Vec<(&'static str, &'static str)>, Vec<u8>, u16);

#[tokio::test]
async fn a_rejected_request_names_every_mistake_and_stores_nothing() {
    let stack = Stack::start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    org.deliver_to(&siem, "json").await;
    let lines: &[Case] = &[
        (json!({}), &["ts: required", "type: required"]),
        (json!([]), &["body: min_items"]),
        (json!(null), &["body: is_object"]),
        (json!(7), &["body: is_object"]),
        (login().with("type", "coffee").json().clone(), &["type: enum"]),
        (login().without("ts").json().clone(), &["ts: required"]),
        (login().with("ts", "yesterday").json().clone(), &["ts: is_date_time"]),
        (login().with("outcome", "maybe").json().clone(), &["outcome: enum"]),
        (login().with("client_ip", "1.2.3").json().clone(), &["client_ip: invalid"]),
        (login().with("colour", "red").json().clone(), &["colour: unknown_property"]),
        (login().with("id", "7").json().clone(), &["id: invalid"]),
        (denied().with("granted", "no").json().clone(), &["granted: is_boolean"]),
        (
            denied().without("granted").without("action").json().clone(),
            &["action: required", "granted: required"],
        ),
        (access("/x").with("status_code", 99).json().clone(), &["status_code: min"]),
        (login().at(now() + Duration::from_hours(1)).json().clone(), &["ts: invalid"]),
        (login().at(now() - Duration::from_hours(25)).json().clone(), &["ts: invalid"]),
        (json!([login().json(), denied().without("granted").json()]), &["[1].granted: required"]),
    ];
    for (sent, faults) in lines {
        let reply = org.ingest(&sent.to_string()).await.unwrap();
        assert_eq!(faults_of(&reply, 400), *faults, "{sent}");
    }
    let good = org.send(&[login()]).await;
    siem.wait_for_live(&good).await;
    assert_eq!(siem.live_ids(), good, "something of a rejected request was stored");
}

#[tokio::test]
async fn a_body_that_is_not_what_it_says_is_refused() {
    let stack = Stack::start().await;
    let org = stack.org().await;
    let json = ("content-type", "application/json");
    let gzip = ("content-encoding", "gzip");
    let event = login().json().to_string().into_bytes();
    let bomb = gzipped(&vec![b' '; 9 * 1024 * 1024]);
    let cut = gzipped(&event)[..20].to_vec();
    let cases: Vec<Raw> = vec![
        ("nothing", vec![json], vec![], 400),
        ("half an object", vec![json], event[..30].to_vec(), 400),
        (
            "a member twice",
            vec![json],
            br#"{"type":"authentication","type":"authorization"}"#.to_vec(),
            400,
        ),
        ("a byte order mark", vec![json], [b"\xef\xbb\xbf", event.as_slice()].concat(), 400),
        ("not UTF-8", vec![json], b"{\"type\":\"\xff\"}".to_vec(), 400),
        ("too deep", vec![json], [b"[".repeat(200), b"]".repeat(200)].concat(), 400),
        ("not gzip", vec![json, gzip], event.clone(), 400),
        ("cut gzip", vec![json, gzip], cut, 400),
        ("a bomb", vec![json, gzip], bomb, 413),
        ("too large", vec![json], vec![b' '; 1024 * 1024 + 1], 413),
        ("another encoding", vec![json, ("content-encoding", "br")], event.clone(), 415),
        ("no type", vec![], event.clone(), 415),
        ("another type", vec![("content-type", "text/plain")], event.clone(), 415),
    ];
    for (what, headers, body, status) in cases {
        let reply = org.ingest_raw(&headers, body).await.unwrap();
        assert_eq!(reply.status, status, "{what}: {}", reply.body);
        problem(&reply, status);
    }
    let many: Vec<_> = some(1_001).iter().map(|draft| draft.json().clone()).collect();
    let reply = org.ingest(&json!(many).to_string()).await.unwrap();
    assert_eq!(faults_of(&reply, 400), ["body: max_items"]);
    let reply = org.ingest_raw(&[json, gzip], gzipped(&event)).await.unwrap();
    assert_eq!(reply.status, 202, "gzip itself is fine: {}", reply.body);
}

#[tokio::test]
async fn who_may_not_learns_nothing() {
    let stack = Stack::start().await;
    let (org, stranger) = (stack.org().await, stack.org().await);
    for token in ["", "art_wrong", &org.admin[..20]] {
        problem(&org.with_token(token).get("/v3/audit-log-destinations").await, 401);
        problem(&org.with_producer(token).try_send(&[login()]).await.unwrap(), 401);
    }
    let producer = org.with_token(&org.producer);
    problem(&producer.get("/v3/audit-log-destinations").await, 403);
    problem(&org.get("/v1/organizations").await, 403);
    let siem = Siem::start().await;
    let destination = org.deliver_to(&siem, "cef").await;
    let path = format!("/v3/audit-log-destinations/{destination}");
    problem(&stranger.get(&path).await, 404);
    problem(&stranger.delete(&path).await, 404);
    problem(&stranger.get("/v3/audit-log-destinations/7").await, 404);
    problem(&org.get("/v3/no-such-thing").await, 404);
    problem(&org.raw(Method::DELETE, "/v3/audit-log-replay-job", &[], vec![]).await, 405);
    let of_stranger = login().with("org_id", stranger.id.as_str());
    let reply = org.try_send(&[of_stranger]).await.unwrap();
    assert_eq!(faults_of(&reply, 400), ["[0].org_id: invalid"]);
    let _ = org.get(&path).await.must(200);
}

#[tokio::test]
async fn a_wrong_destination_or_webhook_is_not_made() {
    let stack = Stack::start().await;
    let org = stack.org().await;
    let good = json!({"name": "n", "endpoint": "https://siem.example.com/x", "authorization": "a", "log_format": "cef"});
    let with = |member: &str, value: Value| {
        let mut changed = good.clone();
        changed[member] = value;
        changed
    };
    let cases: &[Case] = &[
        (json!({}), &["authorization: required", "endpoint: required", "name: required"]),
        (json!([]), &["body: is_object"]),
        (with("name", json!(" ")), &["name: required"]),
        (with("name", json!(5)), &["name: is_string"]),
        (with("name", json!("x".repeat(256))), &["name: max_length"]),
        (with("endpoint", json!("siem.example.com")), &["endpoint: invalid"]),
        (with("endpoint", json!("ftp://siem.example.com")), &["endpoint: invalid"]),
        (with("endpoint", json!("https://10.1.2.3/")), &["endpoint: invalid"]),
        (with("endpoint", json!("https://169.254.169.254/")), &["endpoint: invalid"]),
        (with("endpoint", json!("https://[::ffff:10.0.0.1]/")), &["endpoint: invalid"]),
        (with("endpoint", json!("https://0x0a.1.2.3/")), &["endpoint: invalid"]),
        (with("endpoint", json!("https://user:pw@siem.example.com/")), &["endpoint: invalid"]),
        (with("authorization", json!("Bearer x\r\nx-evil: 1")), &["authorization: matches_regex"]),
        (with("log_format", json!("xml")), &["log_format: enum"]),
        (with("skip_ssl_verification", json!("no")), &["skip_ssl_verification: is_boolean"]),
    ];
    for (sent, faults) in cases {
        let reply = org.post("/v3/audit-log-destinations", sent).await;
        assert_eq!(faults_of(&reply, 400), *faults, "{sent}");
    }
    let list = org.get("/v3/audit-log-destinations").await.must(200);
    assert_eq!(list.body["data"], json!([]));
    let webhook = async |body: Value| org.patch("/v3/audit-log-webhook", &body).await;
    let reply = webhook(json!({"audit_log_destination_id": "x"})).await;
    assert_eq!(faults_of(&reply, 400), ["audit_log_destination_id: is_uuid"]);
    problem(&webhook(json!({"enabled": true})).await, 400);
    problem(&org.get("/v3/audit-log-webhook").await, 404);
    let made = org.post("/v3/audit-log-destinations", &good).await.must(201).text("id");
    let _ = webhook(json!({"audit_log_destination_id": made, "enabled": true})).await.must(200);
    problem(&org.delete(&format!("/v3/audit-log-destinations/{made}")).await, 409);
}

#[tokio::test]
async fn a_wrong_window_starts_no_job() {
    let stack = Stack::start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    let (before, after) = (now() - Duration::from_hours(1), now());
    problem(&org.replay(before, after).await, 400);
    org.deliver_to(&siem, "json").await;
    let (start, end) = (before.to_string(), after.to_string());
    let old = (now() - Duration::from_hours(8 * 24)).to_string();
    let ahead = (now() + Duration::from_hours(1)).to_string();
    let cases: &[Case] = &[
        (json!({}), &["end_at: required", "start_at: required"]),
        (json!("x"), &["body: is_object"]),
        (json!({"start_at": start}), &["end_at: required"]),
        (json!({"start_at": 1, "end_at": end}), &["start_at: is_string"]),
        (json!({"start_at": "yesterday", "end_at": end}), &["start_at: is_date_time"]),
        (json!({"start_at": end, "end_at": start}), &["end_at: invalid"]),
        (json!({"start_at": old, "end_at": end}), &["start_at: invalid"]),
        (json!({"start_at": start, "end_at": ahead}), &["end_at: invalid"]),
    ];
    for (sent, faults) in cases {
        let reply = org.put("/v3/audit-log-replay-job", sent).await;
        assert_eq!(faults_of(&reply, 400), *faults, "{sent}");
    }
    let job = org.get("/v3/audit-log-replay-job").await.must(200);
    assert_eq!(job.body["status"], "unconfigured");
    assert_eq!(job.body["start_at"], "0001-01-01T00:00:00Z");
}

/// Fails unless the answer is a problem in the documented shape.
fn problem(reply: &Reply, status: u16) {
    assert_eq!(reply.status, status, "{}", reply.body);
    let header =
        |name: &str| reply.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(header("content-type").as_deref(), Some("application/problem+json; charset=utf-8"));
    assert_eq!(header("cache-control").as_deref(), Some("no-store"));
    assert_eq!(header("x-content-type-options").as_deref(), Some("nosniff"));
    let body = &reply.body;
    assert_eq!(body["status"], status, "{body}");
    assert_eq!(body["type"], format!("https://httpstatuses.com/{status}"), "{body}");
    assert!(body["title"].is_string() && body["detail"].is_string(), "{body}");
    assert!(body["instance"].as_str().unwrap().starts_with("kong:trace:"), "{body}");
}

/// What a problem says is wrong, sorted.
fn faults_of(reply: &Reply, status: u16) -> Vec<String> {
    problem(reply, status);
    let faults = reply.body["invalid_parameters"].as_array().unwrap().iter();
    let text = |fault: &Value, member: &str| fault[member].as_str().unwrap_or_default().to_owned();
    let mut faults: Vec<_> =
        faults.map(|fault| format!("{}: {}", text(fault, "field"), text(fault, "rule"))).collect();
    faults.sort();
    faults
}

fn gzipped(plain: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(plain).unwrap();
    packed.finish().unwrap()
}
