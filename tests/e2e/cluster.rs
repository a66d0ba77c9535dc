//! A cluster of three brokers under the configuration that is shipped: what was answered 202
//! arrives although one of them dies, and every service keeps to what is its own.

use std::time::Duration;

use auditrelay_streams::{NatsSettings, StreamName, Tls};
use auditrelay_testkit::builders::{ago, now, some};
use auditrelay_testkit::siem::Siem;
use auditrelay_testkit::stack::{Service, Stack};
use auditrelay_testkit::wait;

use crate::ledger::at_least_once;

#[tokio::test]
async fn a_broker_that_dies_costs_nothing_that_was_accepted() {
    let mut stack = Stack::builder().clustered().start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    org.deliver_to(&siem, "json").await;
    let mut accepted = org.send(&some(20)).await;
    siem.wait_for_live(&accepted).await;
    for server in 0..3 {
        stack.nats.kill_one(server).await;
        accepted.extend(org.insist(&some(20)).await);
        siem.wait_for_live(&accepted).await;
        stack.nats.restart().await;
    }
    at_least_once(&siem.live_ids(), &accepted);
    let _ = org.replay(ago(Duration::from_hours(1)), now()).await.must(202);
    let job = org.wait_for_job("completed").await;
    at_least_once(&siem.replayed_ids(job["id"].as_str().unwrap()), &accepted);
    assert!(stack.nats.refusals().is_empty(), "{:#?}", stack.nats.refusals());
}

#[tokio::test]
async fn streams_grow_from_one_copy_to_three_under_the_events_they_hold() {
    let mut stack = Stack::builder().clustered().set("retention.replicas", "1").start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    org.deliver_to(&siem, "json").await;
    let mut accepted = org.send(&some(10)).await;
    assert_eq!(copies(&stack).await, [1; 7]);
    stack.stop(Service::Retention).await;
    stack.set("retention.replicas", "3");
    stack.run(Service::Retention).await;
    wait::until("three copies of each stream", async || {
        let copies = copies(&stack).await;
        if copies == [3; 7] { Ok(()) } else { Err(format!("{copies:?}")) }
    })
    .await;
    accepted.extend(org.insist(&some(10)).await);
    siem.wait_for_live(&accepted).await;
    at_least_once(&siem.live_ids(), &accepted);
}

#[tokio::test]
async fn everything_works_over_tls_and_nobody_without_a_certificate_gets_in() {
    let mut stack = Stack::builder().clustered().with_tls().start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    org.deliver_to(&siem, "json").await;
    let mut accepted = org.send(&some(10)).await;
    siem.wait_for_live(&accepted).await;
    stack.nats.kill_one(0).await;
    accepted.extend(org.insist(&some(10)).await);
    siem.wait_for_live(&accepted).await;
    at_least_once(&siem.live_ids(), &accepted);
    stack.nats.restart().await;
    let url = stack.nats.url("api");
    let settings = NatsSettings { url, credentials: None, name: "stranger".to_owned() };
    let trusting = Tls { identity: None, ..stack.nats.tls() };
    for tls in [trusting, Tls::default()] {
        let refused = auditrelay_streams::connect_with(&settings, &tls).await;
        assert!(refused.is_err(), "{tls:?} is let in");
    }
    assert!(auditrelay_streams::connect_with(&settings, &stack.nats.tls()).await.is_ok());
}

/// How many copies each stream is to have, as the brokers say.
async fn copies(stack: &Stack) -> Vec<usize> {
    let settings = NatsSettings {
        url: stack.nats.url("retention"),
        credentials: None,
        name: "looks".to_owned(),
    };
    let streams = auditrelay_streams::connect(&settings).await.unwrap();
    let mut copies = Vec::new();
    for name in StreamName::ALL {
        copies.push(streams.observe(name).await.unwrap().unwrap().spec.replicas);
    }
    copies
}
