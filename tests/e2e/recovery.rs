//! A receiver that refuses is probed and caught up once it is mended; nobody else feels it.

use std::time::Duration;

use auditrelay_testkit::builders::some;
use auditrelay_testkit::siem::{Answer, Siem};
use auditrelay_testkit::stack::Stack;
use auditrelay_testkit::wait;
use serde_json::json;

use crate::ledger::exactly;

#[tokio::test]
async fn a_wrong_token_is_mended_and_everything_missed_arrives() {
    let stack = Stack::start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    let destination = org.deliver_to(&siem, "cef").await;
    let mut accepted = org.send(&some(3)).await;
    siem.wait_for_live(&accepted).await;
    siem.require_authorization("Bearer a-new-one");
    accepted.extend(org.send(&some(20)).await);
    let status = org.wait_for_status("inactive").await;
    assert_eq!(status["last_response_code"], 401, "{status}");
    assert_eq!(status["webhook_enabled"], true, "{status}");
    accepted.extend(org.send(&some(20)).await);
    let path = format!("/v3/audit-log-destinations/{destination}");
    let _ = org.patch(&path, &json!({"authorization": "Bearer a-new-one"})).await.must(200);
    siem.wait_for_live(&accepted).await;
    exactly(&siem.live_ids(), &accepted);
    org.wait_for_status("active").await;
    accepted.extend(org.send(&some(3)).await);
    siem.wait_for_live(&accepted).await;
    exactly(&siem.live_ids(), &accepted);
}

#[tokio::test]
async fn a_receiver_that_comes_back_is_found_by_probing() {
    let stack = Stack::start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    org.deliver_to(&siem, "json").await;
    siem.answer_always(Answer::Status(403));
    let accepted = org.send(&some(30)).await;
    org.wait_for_status("inactive").await;
    siem.wait_for_requests(3).await;
    let probes = siem.deliveries().into_iter().skip(1);
    assert!(probes.into_iter().all(|probe| probe.lines().len() == 1), "a probe is one event");
    siem.answer_always(Answer::Status(200));
    siem.wait_for_live(&accepted).await;
    exactly(&siem.live_ids(), &accepted);
    org.wait_for_status("active").await;
}

#[tokio::test]
async fn a_batch_that_fails_is_sent_again_under_the_same_id() {
    let stack = Stack::start().await;
    let (org, mut siem) = (stack.org().await, Siem::start().await);
    org.deliver_to(&siem, "json").await;
    siem.answer_next([Answer::Status(503), Answer::RetryAfter(429, 1), Answer::Disconnect]);
    let accepted = org.send(&some(4)).await;
    siem.wait_for_live(&accepted).await;
    exactly(&siem.live_ids(), &accepted);
    let deliveries = siem.deliveries();
    assert_eq!(deliveries.len(), 4);
    assert!(
        deliveries.iter().all(|one| one.webhook_id == deliveries[0].webhook_id),
        "{deliveries:?}"
    );
    // A port that is closed for a while.
    siem.close();
    let more = org.send(&some(4)).await;
    wait::until("a failed attempt", async || {
        let status = org.status().await;
        let failed = status["webhook_status"] == "inactive";
        if failed { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
    siem.open().await;
    siem.wait_for_live(&more).await;
    exactly(&siem.live_ids(), &[accepted, more].concat());
}

#[tokio::test]
async fn a_request_that_is_too_large_is_split() {
    let stack = Stack::start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    org.deliver_to(&siem, "json").await;
    siem.answer_by(|delivery| Answer::Status(if delivery.lines().len() > 3 { 413 } else { 200 }));
    let accepted = org.send(&some(20)).await;
    siem.wait_for_live(&accepted).await;
    exactly(&siem.live_ids(), &accepted);
}

#[tokio::test]
async fn an_event_that_is_refused_alone_does_not_stop_the_others() {
    let stack = Stack::start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    org.deliver_to(&siem, "json").await;
    let drafts = some(12);
    let poison = drafts[7].id();
    let refused = poison.clone();
    siem.answer_by(move |delivery| {
        Answer::Status(if delivery.brings(&refused) { 400 } else { 200 })
    });
    let accepted = org.send(&drafts).await;
    let expected: Vec<_> = accepted.into_iter().filter(|id| *id != poison).collect();
    siem.wait_for_live(&expected).await;
    exactly(&siem.live_ids(), &expected);
    wait::until("the event to be in quarantine", async || {
        let delivery = org.get("/v1/webhooks/org/delivery").await.must(200).body;
        let text = delivery.to_string();
        if text.contains("\"events_quarantined\":1") { Ok(()) } else { Err(text) }
    })
    .await;
}

#[tokio::test]
async fn a_receiver_that_hangs_delays_nobody_else() {
    let stack = Stack::start().await;
    let (stuck, well) = (stack.org().await, stack.org().await);
    let (silent, siem) = (Siem::start().await, Siem::start().await);
    stuck.deliver_to(&silent, "json").await;
    well.deliver_to(&siem, "json").await;
    silent.answer_always(Answer::Silence);
    stuck.send(&some(10)).await;
    silent.wait_for_requests(1).await;
    let begun = tokio::time::Instant::now();
    let accepted = well.send(&some(10)).await;
    siem.wait_for_live(&accepted).await;
    assert_eq!(silent.deliveries().len(), 1, "the request is still out");
    assert!(begun.elapsed() < Duration::from_secs(15), "waited for somebody else's deadline");
}
