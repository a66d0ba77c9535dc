//! A disk that silently lies is noticed: what it lost is named, and no replay claims to be whole.

use std::path::{Path, PathBuf};
use std::time::Duration;

use auditrelay_testkit::builders::{access, ago, now};
use auditrelay_testkit::siem::{Answer, Siem};
use auditrelay_testkit::stack::{Org, Service, Stack};
use auditrelay_testkit::wait;

/// What stands in the record that the disk will spoil.
const NEEDLE: &str = "/the-record-that-the-disk-spoils";

/// Every block of the stream.
fn blocks(store: &Path) -> Vec<PathBuf> {
    let folder = store.join("jetstream/$G/streams/EVENTS/msgs");
    let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|end| end == "blk")).collect()
}

/// Changes one byte of the needle, as a disk does.
fn spoil(store: &Path) {
    let found = blocks(store).into_iter().find_map(|block| {
        let bytes = std::fs::read(&block).unwrap();
        let at = bytes.windows(NEEDLE.len()).position(|part| part == NEEDLE.as_bytes())?;
        Some((block, bytes, at))
    });
    let (block, mut bytes, at) = found.unwrap();
    bytes[at + 5] ^= 0x20;
    std::fs::write(&block, bytes).unwrap();
}

/// Something happens to the store while the broker is away.
async fn while_away(stack: &mut Stack, harm: impl Fn(&Path)) {
    stack.nats.stop().await;
    harm(stack.nats.store());
    stack.nats.restart().await;
}

/// Nine records that no receiver took, the fifth of them spoilt while the broker was away.
async fn scene() -> (Stack, Org, Siem, Vec<String>) {
    let mut stack = Stack::builder().alone().start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    siem.answer_always(Answer::Status(503));
    org.deliver_to(&siem, "json").await;
    let mut ids = Vec::new();
    for number in 1..=9 {
        let uri = if number == 5 { NEEDLE.to_owned() } else { format!("/{number}") };
        ids.extend(org.send(&[access(&uri)]).await);
    }
    stack.stop(Service::Sender).await;
    while_away(&mut stack, spoil).await;
    siem.answer_always(Answer::Status(200));
    stack.run(Service::Sender).await;
    let spoilt = ids.remove(4);
    siem.wait_for_live(&ids).await;
    assert!(!siem.live_ids().contains(&spoilt), "what was altered is not delivered");
    (stack, org, siem, ids)
}

#[tokio::test]
async fn a_record_that_the_disk_altered_is_noticed_and_the_rest_is_delivered() {
    let (stack, org, siem, rest) = scene().await;
    let more = org.insist(&[access("/10")]).await;
    siem.wait_for_live(&more).await;
    siem.assert_signed(&stack.verifier());
    assert_eq!(siem.live_ids().len(), rest.len() + 1, "nothing came twice");
}

#[tokio::test]
async fn a_replay_over_it_fails_and_says_why() {
    let (_stack, org, _siem, _) = scene().await;
    wait::until("the replay to be taken", async || {
        let reply = org.replay(ago(Duration::from_hours(1)), now()).await;
        if reply.status == 202 { Ok(()) } else { Err(reply.body.to_string()) }
    })
    .await;
    let job = org.wait_for_job("failed").await;
    let reason = job["failure"]["reason"].as_str().unwrap();
    assert!(reason.contains('5') || reason.contains("cannot be read"), "{job}");
    let code = job["failure"]["code"].as_str().unwrap_or_default();
    assert!(["gap", "corrupt"].contains(&code), "{job}");
}

/// Cuts the stream's block in half, and takes away what tells how long it was.
fn halve(store: &Path) {
    let block = blocks(store).remove(0);
    let bytes = std::fs::read(&block).unwrap();
    std::fs::write(&block, &bytes[..bytes.len() / 2]).unwrap();
    std::fs::remove_file(block.with_file_name("index.db")).unwrap();
}

/// Nine records were delivered when the broker lost the last of them; who wrote them remembers, or
/// was started again as well.
async fn cut_log(ingest_remembers: bool) {
    let mut stack = Stack::builder().alone().start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    org.deliver_to(&siem, "json").await;
    let mut ids = Vec::new();
    for number in 1..=9 {
        ids.extend(org.send(&[access(&format!("/{number}"))]).await);
    }
    siem.wait_for_live(&ids).await;
    if !ingest_remembers {
        stack.stop(Service::Ingest).await;
    }
    while_away(&mut stack, halve).await;
    if !ingest_remembers {
        stack.run(Service::Ingest).await;
    }
    for number in 10..=18 {
        let more = org.insist(&[access(&format!("/{number}"))]).await;
        siem.wait_for_live(&more).await;
    }
    siem.assert_signed(&stack.verifier());
    assert_eq!(siem.live_ids().len(), 18, "nothing came twice");
    let job = org.replay(ago(Duration::from_hours(1)), now()).await;
    let _ = job.must(202);
    let job = org.wait_for_job("failed").await;
    assert_eq!(job["failure"]["code"], "gap", "{job}");
}

/// Behind the cut, places in the stream and numbers in the log come a second time.
#[tokio::test]
async fn what_is_accepted_behind_records_that_the_broker_lost_is_delivered() {
    cut_log(true).await;
}

#[tokio::test]
async fn so_it_is_when_nobody_remembers_but_the_receivers_lane() {
    cut_log(false).await;
}

#[tokio::test]
async fn what_the_broker_lost_before_it_was_delivered_is_counted() {
    let mut stack = Stack::builder().alone().start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    siem.answer_always(Answer::Status(503));
    org.deliver_to(&siem, "json").await;
    for number in 1..=9 {
        org.send(&[access(&format!("/{number}"))]).await;
    }
    stack.stop(Service::Sender).await;
    while_away(&mut stack, halve).await;
    siem.answer_always(Answer::Status(200));
    stack.run(Service::Sender).await;
    let last = org.insist(&[access("/10")]).await;
    siem.wait_for_live(&last).await;
    wait::until("what is gone to be counted", async || {
        let delivery = org.get("/v1/webhooks/org/delivery").await.must(200).body;
        let lost = delivery["totals"]["events_expired"].as_u64().unwrap_or(0);
        let all = siem.live_ids().len() as u64 + lost;
        if all == 10 && lost > 0 { Ok(()) } else { Err(delivery.to_string()) }
    })
    .await;
}
