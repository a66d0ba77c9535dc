//! An event that the receiver refuses alone is set aside, and somebody decides what becomes of it.

use auditrelay_testkit::builders::{ids, some};
use auditrelay_testkit::siem::{Answer, Siem};
use auditrelay_testkit::stack::{Org, Stack};
use auditrelay_testkit::wait;
use serde_json::{Value, json};

const LIST: &str = "/v1/webhooks/org/quarantine";

#[tokio::test]
async fn refused_events_are_parked_and_then_sent_again_or_discarded() {
    let stack = Stack::start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    org.deliver_to(&siem, "json").await;
    let empty = org.get(LIST).await.must(200).body;
    assert_eq!(empty, json!({"data": [], "meta": {"size": 20, "next": null}}));

    let entries = park(&org, &siem, 3).await;
    assert!(entries.iter().all(|one| one["state"] == "parked" && one["status"] == 422));
    assert!(entries.iter().all(|one| one["lane"] == "live" && one["releases"] == json!([])));
    let path = |index: usize, action: &str| {
        format!("{LIST}/{}{action}", entries[index]["id"].as_str().unwrap())
    };
    let shown = org.get(&path(0, "")).await.must(200).body;
    assert_eq!(shown["event"]["type"], "gateway_access", "{shown}");

    let again = org.post(&path(0, "/resend"), &json!({})).await.must(200).body;
    assert_eq!(again["state"], "parked", "{again}");
    assert_eq!(again["releases"][0]["status"], 422);
    siem.answer_always(Answer::Status(200));
    let taken = org.post(&path(0, "/resend"), &json!({})).await.must(200).body;
    assert_eq!(taken["state"], "delivered");
    assert_eq!(taken["releases"].as_array().unwrap().len(), 2);
    assert_ne!(taken["releases"][1]["actor"], "");
    let last = siem.taken().pop().unwrap();
    assert_eq!(last.header("x-auditrelay-quarantine"), entries[0]["id"]);
    assert_eq!(last.ids(), [entries[0]["event_id"].as_str().unwrap()]);
    let _ = org.post(&path(0, "/resend"), &json!({})).await.must(409);

    let reason = json!({"reason": "a test event"});
    let gone = org.post(&path(1, "/discard"), &reason).await.must(200).body;
    assert_eq!(gone["state"], "discarded");
    assert_eq!(gone["releases"][0]["reason"], reason["reason"]);
    let _ = org.post(&path(1, "/discard"), &json!({})).await.must(409);

    for (state, at) in [("delivered", 0), ("discarded", 1), ("parked", 2)] {
        let page = org.get(&format!("{LIST}?filter[state]={state}")).await.must(200).body;
        assert_eq!(page["data"].as_array().unwrap().len(), 1, "{state}: {page}");
        assert_eq!(page["data"][0]["id"], entries[at]["id"]);
    }
    in_pages(&org, &entries).await;
    only_its_own(&stack, &org, &path(2, "")).await;
    attempts(&org).await;
}

/// Lets the receiver refuse some events among others; how they are parked, the newest first.
async fn park(org: &Org, siem: &Siem, count: usize) -> Vec<Value> {
    let drafts = some(10);
    let mut good = ids(&drafts);
    let mut bad: Vec<String> = (1..=count).map(|index| good[index * 3 - 1].clone()).collect();
    good.retain(|id| !bad.contains(id));
    let refused = bad.clone();
    siem.answer_by(move |delivery| {
        let refuses = refused.iter().any(|id| delivery.brings(id));
        Answer::Status(if refuses { 422 } else { 200 })
    });
    let _ = org.send(&drafts).await;
    siem.wait_for_live(&good).await;
    let entries = wait::until("all of them to be parked", async || {
        let listed = org.get(LIST).await.must(200).body;
        let entries = listed["data"].as_array().unwrap().clone();
        if entries.len() == count { Ok(entries) } else { Err(listed.to_string()) }
    })
    .await;
    bad.reverse();
    let listed: Vec<&str> = entries.iter().map(|one| one["event_id"].as_str().unwrap()).collect();
    assert_eq!(listed, bad);
    entries
}

async fn in_pages(org: &Org, entries: &[Value]) {
    let mut path = format!("{LIST}?page[size]=1");
    for entry in entries {
        let page = org.get(&path).await.must(200).body;
        assert_eq!(page["data"][0]["id"], entry["id"]);
        page["meta"]["next"].as_str().unwrap_or_default().clone_into(&mut path);
    }
    for query in ["page[size]=0", "page[after]=x", "filter[state]=lost"] {
        let _ = org.get(&format!("{LIST}?{query}")).await.must(400);
    }
}

async fn only_its_own(stack: &Stack, org: &Org, one: &str) {
    let stranger = stack.org().await;
    let _ = stranger.get(one).await.must(404);
    let _ = stranger.post(&format!("{one}/resend"), &json!({})).await.must(404);
    for id in ["0", "999999", "x", "-1"] {
        let _ = org.get(&format!("{LIST}/{id}")).await.must(404);
    }
}

/// The requests that led there can be looked through.
async fn attempts(org: &Org) {
    let path = "/v1/webhooks/org/attempts";
    let all = org.get(&format!("{path}?page[size]=100")).await.must(200).body;
    let all = all["data"].as_array().unwrap().clone();
    let (mut by_page, mut next) = (Vec::new(), format!("{path}?page[size]=2"));
    while !next.is_empty() {
        let page = org.get(&next).await.must(200).body;
        by_page.extend(page["data"].as_array().unwrap().clone());
        page["meta"]["next"].as_str().unwrap_or_default().clone_into(&mut next);
    }
    assert_eq!(by_page, all);
    for (outcome, delivered) in [("delivered", true), ("failed", false)] {
        let found = org.get(&format!("{path}?filter[outcome]={outcome}")).await.must(200).body;
        let found = found["data"].as_array().unwrap();
        assert!(!found.is_empty() && found.iter().all(|one| one["delivered"] == delivered));
    }
    let at = all.last().unwrap()["at"].as_str().unwrap();
    let oldest = org.get(&format!("{path}?filter[at][lte]={at}")).await.must(200).body;
    assert_eq!(oldest["data"], json!([all.last().unwrap()]));
    for query in ["filter[outcome]=x", "filter[lane]=x", "filter[at][gte]=x", "page[after]=x"] {
        let _ = org.get(&format!("{path}?{query}")).await.must(400);
    }
}
