//! Accepted events are delivered: once, in order, signed, in every format.

use auditrelay_signing::Jwks;
use auditrelay_testkit::builders::{access, denied, ids, login, some};
use auditrelay_testkit::siem::{Delivery, Siem};
use auditrelay_testkit::stack::Stack;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::ledger::exactly;

#[tokio::test]
async fn accepted_events_arrive_once_and_in_order_in_every_format() {
    let stack = Stack::start().await;
    for format in ["cef", "json", "cps"] {
        let (org, siem) = (stack.org().await, Siem::start().await);
        org.deliver_to(&siem, format).await;
        let mut accepted = Vec::new();
        for _ in 0..8 {
            accepted.extend(org.send(&some(7)).await);
        }
        siem.wait_for_live(&accepted).await;
        exactly(&siem.live_ids(), &accepted);
        assert_eq!(siem.busiest(), 1, "order needs one request at a time");
        siem.assert_signed(&stack.verifier());
        for delivery in siem.deliveries() {
            assert_eq!(delivery.header("content-encoding"), "gzip");
            assert_eq!(delivery.header("content-type"), "text/plain");
            assert!(delivery.header("user-agent").starts_with("auditrelay/"), "{delivery:?}");
            assert!(delivery.webhook_id.starts_with("msg_"), "{delivery:?}");
        }
        assert_eq!(org.status().await["webhook_status"], "active");
    }
}

#[tokio::test]
async fn many_producers_at_once_lose_and_double_nothing() {
    let stack = Stack::start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    org.deliver_to(&siem, "json").await;
    let batches: Vec<_> = (0..30).map(|_| some(5)).collect();
    let accepted = join_all(batches.iter().map(|batch| org.send(batch))).await;
    let all = accepted.concat();
    siem.wait_for_live(&all).await;
    let arrived = siem.live_ids();
    assert_eq!(arrived.len(), all.len(), "some came twice");
    for batch in accepted {
        let places = batch.iter().map(|id| arrived.iter().position(|other| other == id));
        assert!(places.is_sorted(), "events of one request are out of order");
    }
}

#[tokio::test]
async fn a_line_says_what_the_producer_said() {
    let stack = Stack::start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    org.deliver_to(&siem, "json").await;
    let drafts = [login().with("user_agent", "a=b|c\\d \"e\""), denied(), access("/a?b=c")];
    let accepted = org.send(&drafts).await;
    siem.wait_for_live(&accepted).await;
    let lines: Vec<_> = siem.taken().iter().flat_map(Delivery::lines).collect();
    let events: Vec<Value> =
        lines.iter().map(|line| serde_json::from_str(&line.text).unwrap()).collect();
    for (event, draft) in events.iter().zip(&drafts) {
        assert_eq!(event["org_id"], org.id, "{event}");
        assert_eq!(event["event_id"], draft.id(), "{event}");
        assert_eq!(event["principal_id"], draft.json()["principal_id"], "{event}");
    }
    assert_eq!(events[0]["user_agent"], "a=b|c\\d \"e\"");
    assert_eq!(events[0]["success"], true);
    assert_eq!(events[1]["granted"], false);
    assert_eq!(events[2]["status"], 200);
}

#[tokio::test]
async fn the_published_keys_verify_what_receivers_get() {
    let stack = Stack::start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    org.deliver_to(&siem, "cef").await;
    let accepted = org.send(&some(3)).await;
    siem.wait_for_live(&accepted).await;
    let anybody = org.with_token("");
    let published = anybody.get("/v2/audit-log-webhook/jwks.json").await.must(200).body;
    let keys: Jwks = serde_json::from_value(published).unwrap();
    siem.assert_signed(&keys.verifier());
}

#[tokio::test]
async fn a_portal_has_a_log_of_its_own() {
    let stack = Stack::start().await;
    let org = stack.org().await;
    let (siem, portals) = (Siem::start().await, Siem::start().await);
    org.deliver_to(&siem, "json").await;
    let portal = org.portal("developers").await;
    let destination = org.destination(&portals, "cps").await;
    let webhook = json!({"audit_log_destination_id": destination, "enabled": true});
    let path = format!("/v3/portals/{portal}/audit-log-webhook");
    let _ = org.patch(&path, &webhook).await.must(200);
    let drafts = [login(), login().of_portal(portal), access("/y"), access("/z").of_portal(portal)];
    let accepted = org.send(&drafts).await;
    let (of_org, of_portal) = (
        ids(&[drafts[0].clone(), drafts[2].clone()]),
        vec![accepted[1].clone(), accepted[3].clone()],
    );
    siem.wait_for_live(&of_org).await;
    portals.wait_for_live(&of_portal).await;
    exactly(&siem.live_ids(), &of_org);
    exactly(&portals.live_ids(), &of_portal);
}

#[tokio::test]
async fn a_webhook_begins_when_it_is_enabled_and_rests_while_it_is_not() {
    let stack = Stack::start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    let destination = org.destination(&siem, "json").await;
    let enabled = async |enabled: bool| {
        let webhook = json!({"enabled": enabled, "audit_log_destination_id": destination});
        let _ = org.patch("/v3/audit-log-webhook", &webhook).await.must(200);
    };
    let mut expected = Vec::new();
    enabled(true).await;
    expected.extend(org.send(&some(2)).await);
    siem.wait_for_live(&expected).await;
    enabled(false).await;
    // Accepted while the webhook rests: kept, and sent when it is enabled again.
    expected.extend(org.send(&some(3)).await);
    assert_eq!(siem.live_ids().len(), 2);
    enabled(true).await;
    expected.extend(org.send(&some(2)).await);
    siem.wait_for_live(&expected).await;
    exactly(&siem.live_ids(), &expected);
}

#[tokio::test]
async fn a_certificate_is_checked_unless_the_customer_says_otherwise() {
    let stack = Stack::start().await;
    let (org, siem) = (stack.org().await, Siem::start_with_tls().await);
    let destination = org.deliver_to(&siem, "json").await;
    let accepted = org.send(&some(2)).await;
    let status = org.wait_for_status("inactive").await;
    assert!(status["last_response_message"].as_str().unwrap().contains("certificate"), "{status}");
    assert!(siem.deliveries().is_empty());
    let path = format!("/v3/audit-log-destinations/{destination}");
    let _ = org.patch(&path, &json!({"skip_ssl_verification": true})).await.must(200);
    siem.wait_for_live(&accepted).await;
    exactly(&siem.live_ids(), &accepted);
}
