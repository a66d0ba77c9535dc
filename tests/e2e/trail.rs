//! What happens to an organization is in its own log: who, what, from where, old and new.

use std::collections::BTreeMap;
use std::time::Duration;

use auditrelay_testkit::builders::{ago, now, some};
use auditrelay_testkit::siem::Siem;
use auditrelay_testkit::stack::{Org, Service, Stack};
use auditrelay_testkit::wait;
use serde_json::{Value, json};

async fn stack() -> Stack {
    Stack::builder().as_deployed().set("ingest.trail", "true").start().await
}

/// Everything in the organization's log, each with its `query` as a document.
async fn log(org: &Org) -> Vec<Value> {
    let page = org.get("/v3/audit-logs?page[size]=1000").await.must(200).body;
    let mut all = page["data"].as_array().unwrap().clone();
    for item in &mut all {
        let query = item["query"].as_str().unwrap_or_default();
        item["query"] = serde_json::from_str(query).unwrap_or_default();
    }
    all
}

/// Waits until the log has an item like this, and returns it.
async fn find(org: &Org, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    wait::until(what, async || {
        let all = log(org).await;
        all.iter().find(|item| is(item)).cloned().ok_or_else(|| format!("{all:#?}"))
    })
    .await
}

fn calls(item: &Value, method: &str, uri: &str) -> bool {
    item["method"] == method && item["uri"] == uri
}

#[tokio::test]
async fn every_change_and_every_replay_is_in_the_log_and_at_the_webhook() {
    let stack = stack().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    org.deliver_to(&siem, "json").await;
    let made =
        find(&org, "the destination", |item| calls(item, "POST", "/v3/audit-log-destinations"))
            .await;
    let change = &made["query"]["changes"][0];
    assert_eq!((&change["what"], &made["status_code"]), (&json!("destination"), &json!(201)));
    assert_eq!(change["new"]["authorization"], "set");
    assert!(!made.to_string().contains("the-siem's-own-token"), "{made}");
    assert_eq!(made["client_ip"], "127.0.0.1");
    let admin = org.get(&format!("/v1/organizations/{}/tokens", org.id)).await.must(200).body;
    let admin = admin["data"].as_array().unwrap().iter().find(|token| token["role"] == "admin");
    assert_eq!(made["principal_id"], admin.unwrap()["id"]);
    let bound =
        find(&org, "the webhook", |item| calls(item, "PATCH", "/v3/audit-log-webhook")).await;
    assert_eq!(bound["query"]["changes"][0]["new"]["enabled"], true);
    let issued = find(&org, "a token", |item| item["query"]["changes"][0]["what"] == "token").await;
    assert_eq!(issued["principal_id"], "platform");
    org.send(&some(3)).await;
    let _ = org.replay(ago(Duration::from_hours(1)), now()).await.must(202);
    org.wait_for_job("completed").await;
    let begun = find(&org, "the replay", |item| item["query"]["state"] == "accepted").await;
    assert_eq!((&begun["method"], &begun["status_code"]), (&json!("PUT"), &json!(202)));
    assert!(begun["query"]["start_at"].is_string());
    let ended = find(&org, "its end", |item| item["query"]["state"] == "completed").await;
    assert_eq!(ended["query"]["replay_job"], begun["query"]["replay_job"]);
    wait::until("both at the webhook", async || {
        let lines: Vec<_> =
            siem.taken().iter().flat_map(auditrelay_testkit::siem::Delivery::lines).collect();
        let all = ["\"act\":\"PATCH\"", "\"act\":\"PUT\"", "\"act\":\"END\""];
        let has = |part: &&str| lines.iter().any(|line| line.text.contains(*part));
        if all.iter().all(has) { Ok(()) } else { Err(format!("{} lines", lines.len())) }
    })
    .await;
    siem.assert_signed(&stack.verifier());
    assert!(stack.nats.refusals().is_empty(), "{:#?}", stack.nats.refusals());
}

#[tokio::test]
async fn denied_calls_are_in_the_log_and_a_flood_is_counted() {
    let stack = stack().await;
    let org = stack.org().await;
    let tokens = format!("/v1/organizations/{}/tokens", org.id);
    let issued = org.post(&tokens, &json!({"name": "watcher", "role": "viewer"})).await.must(201);
    let (id, text) = (issued.text("id"), issued.text("token"));
    let viewer = org.with_token(&text);
    for _ in 0..20 {
        let _ = viewer.post("/v3/portals", &json!({"name": "p"})).await.must(403);
    }
    let denied = find(&org, "the denied call", |item| item["query"]["denied"] == "forbidden").await;
    assert_eq!((&denied["principal_id"], &denied["status_code"]), (&json!(id), &json!(403)));
    let told = log(&org).await.iter().filter(|item| item["query"]["denied"].is_string()).count();
    assert_eq!(told, 1, "the others of this minute are told together");
    let other = stack.org().await;
    let foreign = format!("/v1/organizations/{}/tokens", other.id);
    let _ = org.get(&foreign).await.must(404);
    find(&org, "the foreign call", |item| item["query"]["denied"] == "foreign").await;
    let guess = org.with_token(&format!("{}{}", &text[..12], "x".repeat(35)));
    let _ = guess.get("/v3/portals").await.must(401);
    let guessed = find(&org, "the guess", |item| item["query"]["denied"] == "wrong_secret").await;
    assert_eq!(guessed["principal_id"], "");
    let sender = org.with_producer(&text);
    assert_eq!(sender.ingest("[]").await.unwrap().status, 403);
    find(&org, "the call of ingest", |item| {
        item["query"]["denied"] == "forbidden" && item["uri"] == "/v1/audit-events"
    })
    .await;
    let _ = org.delete(&format!("{tokens}/{id}")).await.must(204);
    let _ = viewer.get("/v3/portals").await.must(401);
    let revoked =
        find(&org, "the revoked token", |item| item["query"]["denied"] == "token_revoked").await;
    assert_eq!((&revoked["principal_id"], &revoked["status_code"]), (&json!(id), &json!(401)));
    assert!(stack.nats.refusals().is_empty(), "{:#?}", stack.nats.refusals());
}

#[tokio::test]
async fn a_change_is_told_once_whoever_is_killed() {
    let mut stack = stack().await;
    let org = stack.org().await;
    let mut names = Vec::new();
    for round in 0..4 {
        for number in 0..5 {
            let name = format!("p{round}-{number}");
            org.portal(&name).await;
            names.push(name);
        }
        stack.kill(Service::Ingest);
        org.portal(&format!("p{round}-away")).await;
        names.push(format!("p{round}-away"));
        stack.run(Service::Ingest).await;
        stack.run(Service::Ingest).await;
    }
    let counts = wait::until("every portal in the log", async || {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for item in log(&org).await {
            let change = &item["query"]["changes"][0];
            if change["what"] == "portal" {
                let name = change["new"]["name"].as_str().unwrap().to_owned();
                *counts.entry(name).or_default() += 1;
            }
        }
        if names.iter().all(|name| counts.contains_key(name)) {
            Ok(counts)
        } else {
            Err(format!("{counts:?}"))
        }
    })
    .await;
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
    assert_eq!(counts.len(), names.len());
}

/// Delivery cannot be taken from a receiver without a word: who did it is the last that it hears.
#[tokio::test]
async fn a_receiver_hears_who_takes_the_log_from_it_and_nothing_after_that() {
    let stack = stack().await;
    let (org, siem, next) = (stack.org().await, Siem::start().await, Siem::start().await);
    let destination = org.deliver_to(&siem, "json").await;
    siem.wait_for_live(&org.send(&some(3)).await).await;
    let webhook = "/v3/audit-log-webhook";
    let place = format!("/v3/audit-log-destinations/{destination}");

    let _ = org.patch(webhook, &json!({ "enabled": false })).await.must(200);
    let last = farewell(&siem, 1).await;
    assert!(last.contains("\"act\":\"PATCH\"") && last.contains("\\\"enabled\\\":false"), "{last}");
    let heard = siem.taken().len();
    let unheard = org.send(&some(2)).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(siem.taken().len(), heard, "it rests");

    let _ = org.patch(webhook, &json!({ "enabled": true })).await.must(200);
    siem.wait_for_live(&unheard).await;
    let moved = json!({ "endpoint": next.url(), "authorization": "Bearer the-siem's-own-token" });
    let _ = org.patch(&place, &moved).await.must(200);
    let last = farewell(&siem, 2).await;
    assert!(last.contains(&next.url()), "{last}");
    assert!(!last.contains("own-token"), "{last}");

    next.wait_for_live(&org.send(&some(1)).await).await;
    let _ = org.delete(webhook).await;
    farewell(&next, 1).await;
    assert!(stack.nats.refusals().is_empty(), "{:#?}", stack.nats.refusals());
}

/// The line of the last of so many requests that are marked as the last one.
async fn farewell(siem: &Siem, count: usize) -> String {
    wait::until("a last word", async || {
        let taken = siem.taken();
        let mut marked = taken.iter().filter(|one| one.headers.contains_key("x-auditrelay-last"));
        match marked.clone().count() {
            found if found == count => Ok(marked.next_back().unwrap().body.clone()),
            found => Err(format!("{found} of {count}")),
        }
    })
    .await
}
