//! A copy of the broker's store is a backup: what was held is held, and everything goes on.

use std::time::Duration;

use auditrelay_testkit::builders::{ago, now, some};
use auditrelay_testkit::siem::Siem;
use auditrelay_testkit::stack::{Service, Stack};

use crate::ledger::{at_least_once, exactly};

#[tokio::test]
async fn a_copy_of_the_store_goes_on_where_the_store_stood() {
    let mut stack = Stack::builder().alone().start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    org.deliver_to(&siem, "json").await;
    let mut accepted = org.send(&some(30)).await;
    siem.wait_for_live(&accepted).await;
    for service in Service::ALL {
        stack.stop(service).await;
    }
    stack.nats.restore_from_copy().await;
    for service in Service::ALL {
        stack.run(service).await;
    }
    accepted.extend(org.insist(&some(5)).await);
    siem.wait_for_live(&accepted).await;
    exactly(&siem.live_ids(), &accepted);
    let _ = org.replay(ago(Duration::from_hours(1)), now()).await.must(202);
    let job = org.wait_for_job("completed").await;
    at_least_once(&siem.replayed_ids(job["id"].as_str().unwrap()), &accepted);
}
