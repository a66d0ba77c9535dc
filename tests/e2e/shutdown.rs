//! A stopped service finishes what it has in hand: nothing is lost, nothing is sent twice.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use auditrelay_testkit::builders::{Draft, ago, now, some};
use auditrelay_testkit::siem::{Answer, Siem};
use auditrelay_testkit::stack::{Service, Stack};
use futures::future::join_all;

use crate::ledger::{at_least_once, exactly, repeated};

/// Events of a request where senders are replaced, and how long its answer takes.
const BATCH: &str = "20";
const ANSWER: Duration = Duration::from_millis(20);

#[tokio::test]
async fn a_sender_that_stops_repeats_nothing() {
    let mut stack = Stack::builder().set("sender.batch_events", "5").start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    org.deliver_to(&siem, "json").await;
    siem.answer_always(Answer::Slow(Duration::from_millis(200), 200));
    let accepted = org.send(&some(40)).await;
    siem.wait_for_requests(2).await;
    stack.stop(Service::Sender).await;
    let before = siem.deliveries();
    assert!(before.iter().all(|one| one.answered == Some(200)), "a request was cut off");
    assert!(siem.live_ids().len() < accepted.len(), "there was nothing left to go on with");
    stack.run(Service::Sender).await;
    siem.wait_for_live(&accepted).await;
    exactly(&siem.live_ids(), &accepted);
}

#[tokio::test]
async fn a_replay_goes_on_after_its_sender_stopped() {
    let mut stack = Stack::builder().set("sender.batch_events", "5").start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    org.deliver_to(&siem, "json").await;
    let accepted = org.send(&some(40)).await;
    siem.wait_for_live(&accepted).await;
    let before = siem.deliveries().len();
    siem.answer_always(Answer::Slow(Duration::from_millis(200), 200));
    let _ = org.replay(ago(Duration::from_hours(1)), now()).await.must(202);
    siem.wait_for_requests(before + 2).await;
    stack.stop(Service::Sender).await;
    stack.run(Service::Sender).await;
    let job = org.wait_for_job("completed").await;
    exactly(&siem.replayed_ids(job["id"].as_str().unwrap()), &accepted);
}

#[tokio::test]
async fn ingest_answers_what_it_has_begun() {
    let mut stack = Stack::start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    org.deliver_to(&siem, "json").await;
    let batches: Vec<Vec<Draft>> = (0..40).map(|_| some(3)).collect();
    let load = join_all(batches.iter().map(async |batch| {
        let reply = org.try_send(batch).await;
        reply.is_ok_and(|reply| reply.status == 202).then_some(batch)
    }));
    let (answers, ()) = tokio::join!(load, stack.stop(Service::Ingest));
    stack.run(Service::Ingest).await;
    let last = org.send(&some(1)).await;
    siem.wait_for_live(&last).await;
    let mut accepted: Vec<_> =
        answers.into_iter().flatten().flatten().map(Draft::id).chain(last).collect();
    siem.wait_for_live(&accepted).await;
    let mut arrived = siem.live_ids();
    accepted.sort();
    arrived.sort();
    exactly(&arrived, &accepted);
}

#[tokio::test]
async fn everything_stops_by_itself_in_any_order() {
    let mut stack = Stack::start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    org.deliver_to(&siem, "json").await;
    let accepted = org.send(&some(10)).await;
    siem.wait_for_live(&accepted).await;
    for service in Service::ALL {
        stack.stop(service).await;
    }
    for service in Service::ALL.into_iter().rev() {
        stack.run(service).await;
    }
    let more = org.send(&some(2)).await;
    siem.wait_for_live(&more).await;
    exactly(&siem.live_ids(), &[accepted, more].concat());
}

/// Senders leave within their grace although a receiver never answers: `stop` insists on it.
#[tokio::test]
async fn senders_that_are_replaced_under_load_repeat_no_more_than_a_batch() {
    let mut stack = Stack::builder().set("sender.batch_events", BATCH).senders(2).start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    let (other, silent) = (stack.org().await, Siem::start().await);
    siem.answer_always(Answer::Slow(ANSWER, 200));
    silent.answer_always(Answer::Silence);
    org.deliver_to(&siem, "json").await;
    other.deliver_to(&silent, "json").await;
    let _ = other.send(&some(5)).await;
    silent.wait_for_requests(1).await;
    let replaced = AtomicBool::new(false);
    let load = async {
        let mut accepted = Vec::new();
        while !replaced.load(Ordering::SeqCst) {
            accepted.extend(org.send(&some(3)).await);
            tokio::time::sleep(ANSWER).await;
        }
        accepted
    };
    let replace = async {
        for turn in 1..=2 {
            siem.wait_for_taken(siem.taken().len() + 5).await;
            stack.stop_one(Service::Sender).await;
            siem.wait_for_taken(siem.taken().len() + 5 * turn).await;
            stack.run(Service::Sender).await;
        }
        replaced.store(true, Ordering::SeqCst);
    };
    let (accepted, ()) = tokio::join!(load, replace);
    siem.wait_for_live(&accepted).await;
    at_least_once(&siem.live_ids(), &accepted);
    let again = repeated(&siem.live_ids());
    assert!(again <= BATCH.parse().unwrap(), "{again} of {} were sent again", accepted.len());
}
