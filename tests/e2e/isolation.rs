//! Another organization asks for everything by its right name, on every route there is, and learns
//! nothing and changes nothing.

use std::time::Duration;

use auditrelay_testkit::builders::{access, ago, now};
use auditrelay_testkit::siem::{Answer, Siem};
use auditrelay_testkit::stack::{Org, Stack};
use auditrelay_testkit::wait;
use reqwest::{Client, Method};
use serde_json::{Value, json};

/// In everything that the first organization named itself.
const MARK: &str = "seen-by-nobody-else";
const HOUR: Duration = Duration::from_hours(1);

/// What the first organization has.
struct Owned {
    portal: String,
    destination: String,
    job: String,
    token: String,
    parked: String,
    cursor: String,
}

#[tokio::test]
async fn no_route_shows_or_changes_what_belongs_to_somebody_else() {
    let stack = Stack::start().await;
    let (org, stranger) = (stack.org().await, stack.org().await);
    let (siem, theirs) = (Siem::start().await, Siem::start().await);
    let owned = owned(&org, &siem).await;
    stranger.deliver_to(&theirs, "json").await;
    let before = everything(&org, &owned).await;
    let own = format!("/v1/organizations/{}/tokens", stranger.id);
    let mut tried = 0;
    for (method, path) in operations() {
        let (place, named) = concrete(&path, &org.id, &owned);
        for ask in asks(&method, &place, &owned) {
            let (status, text) = send(&stack, &stranger, &method, &ask).await;
            let what = format!("{method} {} {}: {status} {text}", ask.0, ask.1);
            for secret in [MARK, &owned.token, &owned.destination, &owned.job, &owned.portal] {
                assert!(!text.contains(secret), "{secret} is in {what}");
            }
            assert!(!named || [400, 404, 405, 415, 429].contains(&status), "{what}");
            assert_ne!(status, 500, "{what}");
            tried += 1;
        }
    }
    assert!(tried > 150, "{tried}");
    assert_eq!(everything(&org, &owned).await, before);
    let bound = stranger.get("/v3/audit-log-webhook").await.body.to_string();
    assert!(!bound.contains(&owned.destination), "{bound}");
    assert!(stranger.get(&own).await.status == 200, "it may still see its own");
}

async fn owned(org: &Org, siem: &Siem) -> Owned {
    let portal = org.post("/v3/portals", &json!({ "name": MARK })).await.must(201).text("id");
    let destination = org.deliver_to(siem, "json").await;
    let token = json!({"name": MARK, "role": "viewer"});
    let token = org.post(&format!("/v1/organizations/{}/tokens", org.id), &token).await.must(201);
    siem.answer_always(Answer::Status(422));
    let events: Vec<_> = (0..3).map(|index| access(&format!("/{MARK}/{index}"))).collect();
    let _ = org.send(&events).await;
    let parked = wait::until("a parked event", async || {
        let listed = org.get("/v1/webhooks/org/quarantine").await.must(200).body;
        let id = listed["data"][0]["id"].as_str().map(ToOwned::to_owned);
        id.ok_or_else(|| listed.to_string())
    })
    .await;
    siem.answer_always(Answer::Status(200));
    let more = json!({ "name": MARK });
    let job = org.replay_job(ago(HOUR), now(), &more).await.must(202).text("id");
    let _ = org.wait_for_job_id(&job, "completed").await;
    let page = org.get("/v3/audit-logs?page[size]=1").await.must(200).body;
    assert!(page.to_string().contains(MARK), "{page}");
    let cursor = page["meta"]["page"]["next"].as_str().unwrap().to_owned();
    Owned { portal, destination, job, token: token.text("id"), parked, cursor }
}

/// All that it sees of itself.
async fn everything(org: &Org, owned: &Owned) -> Vec<Value> {
    let mut seen = Vec::new();
    for path in [
        "/v3/audit-log-webhook",
        "/v3/audit-log-destinations",
        "/v3/portals",
        &format!("/v3/portals/{}/audit-log-webhook", owned.portal),
        "/v1/replay-jobs",
        "/v1/privacy",
        "/v1/webhooks/org/quarantine",
    ] {
        let reply = org.get(path).await;
        seen.push(if reply.status == 200 { reply.body } else { json!(reply.status) });
    }
    seen
}

/// Every operation that is described.
fn operations() -> Vec<(Method, String)> {
    let document = include_str!("../../services/api/openapi.json");
    let document: Value = serde_json::from_str(document).unwrap();
    let mut all = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let methods = methods.as_object().unwrap().keys();
        let methods = methods.filter(|name| *name != "parameters");
        all.extend(methods.map(|name| (name.to_uppercase().parse().unwrap(), path.clone())));
    }
    all
}

/// The path with the first organization's ids in it, and whether there are any.
fn concrete(path: &str, org: &str, owned: &Owned) -> (String, bool) {
    let id = if path.contains("quarantine") { &owned.parked } else { &owned.destination };
    let place = path
        .replace("{org}", org)
        .replace("{scope}", &owned.portal)
        .replace("{portal}", &owned.portal)
        .replace("{token}", &owned.token)
        .replace("{job}", &owned.job)
        .replace("{id}", id);
    assert!(!place.contains('{'), "{place} has a parameter that this test does not know");
    (place.clone(), place != path)
}

/// Several ways to ask: what names the first organization's things in the query and in the body.
fn asks(method: &Method, place: &str, owned: &Owned) -> Vec<(String, String)> {
    if *method == Method::GET {
        let portal = format!("{place}?portal_id={}", owned.portal);
        let cursor = owned.cursor.split_once('?').map_or("", |(_, query)| query);
        let next = format!("{place}?{cursor}");
        return [place.to_owned(), portal, next].map(|url| (url, String::new())).into();
    }
    let Owned { portal, destination, .. } = owned;
    let window = json!({"start_at": ago(HOUR).to_string(), "end_at": now().to_string()});
    let with = |name: &str, value: Value| {
        let mut body = window.clone();
        body[name] = value;
        body
    };
    [
        json!({}),
        window.clone(),
        with("destination_id", json!(destination)),
        with("portal_id", json!(portal)),
        with("portal_ids", json!([portal])),
        json!({"audit_log_destination_id": destination, "enabled": true}),
        json!({"name": "a new name", "role": "admin"}),
        json!({"reason": "because"}),
    ]
    .map(|body| (place.to_owned(), body.to_string()))
    .into()
}

async fn send(
    stack: &Stack,
    stranger: &Org,
    method: &Method,
    (path, body): &(String, String),
) -> (u16, String) {
    let http = Client::builder().no_proxy().build().unwrap();
    let request = http.request(method.clone(), format!("{}{path}", stack.console()));
    let request = request.bearer_auth(&stranger.admin).header("content-type", "application/json");
    let answer = request.body(body.clone()).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}
