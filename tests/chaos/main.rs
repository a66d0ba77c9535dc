//! Everything goes wrong at once, by a seed: the built binary as processes, real nats-servers, a
//! producer and a SIEM for each of three organizations, and a driver that kills, stops, cuts off
//! and slows down. Then everything is mended, and ledgers are compared.
//!
//! Cast: [`fleet::Fleet`] is the processes and their [`brokers::Brokers`], with a
//! [`link::Link`] between each process and each broker; [`faults`] says what may go wrong;
//! [`people`] produce and receive in a [`scene`]; [`check`] compares what was accepted with what
//! arrived. [`senders`] does to the senders alone what is worst for them; [`stories`], [`clocks`], [`crowd`],
//! [`network`], [`confine`] and [`steps`] let one kind of thing go wrong. [`unsynced`] shows what is lost
//! by brokers that do not sync every write.
//!
//! ```text
//! cargo test -p auditrelay-tests --test chaos long_runs -- --ignored --nocapture
//! CHAOS_SEED=7 CHAOS_SECONDS=300 CHAOS_BROKERS=3   chooses one run
//! cargo build --features failpoints                before, for the steps
//! cargo test -p auditrelay-tests --test chaos -- --ignored --nocapture --test-threads 1 a_long
//! ```
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed step is a failed test"
)]
#![expect(clippy::indexing_slicing, reason = "the driver counts what it holds")]
#![expect(clippy::print_stderr, reason = "who runs it reads the history")]

mod brokers;
mod check;
mod clocks;
mod confine;
mod crowd;
mod disks;
mod faults;
mod fleet;
mod history;
mod link;
mod network;
mod older;
mod people;
mod random;
mod run;
mod scene;
mod senders;
mod steps;
mod stories;
mod unsynced;

use std::time::Duration;

use run::{Run, Story};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_run_loses_nothing() {
    let length = Duration::from_secs(12);
    run::play(Run { seed: 1, brokers: 1, length, story: Story::Random }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn senders_that_are_killed_one_after_the_other_lose_nothing_and_keep_the_order() {
    senders::killed_in_turn(Duration::from_secs(10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes; see the head of this file"]
async fn senders_are_killed_for_a_minute() {
    senders::killed_in_turn(Duration::from_mins(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn senders_that_wake_up_late_break_neither_order_nor_state() {
    senders::asleep().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes; see the head of this file"]
async fn long_runs_lose_nothing() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let length = Duration::from_secs(number("CHAOS_SECONDS").unwrap_or(60));
    let seeds = number("CHAOS_SEED").map_or(1..=6, |seed| seed..=seed);
    for seed in seeds {
        let brokers = number("CHAOS_BROKERS").unwrap_or(if seed % 2 == 0 { 3 } else { 1 });
        let brokers = usize::try_from(brokers).unwrap();
        run::play(Run { seed, brokers, length, story: Story::Random }).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs `cargo build --features failpoints`"]
async fn every_step_of_an_events_way_may_be_a_process_last() {
    let length = Duration::ZERO;
    run::play(Run { seed: 1, brokers: 1, length, story: Story::EveryStep }).await;
}

/// One thing goes wrong with so many brokers.
async fn tell(story: Story, brokers: usize) {
    run::play(Run { seed: 1, brokers, length: Duration::ZERO, story }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_power_goes_and_takes_nothing_that_was_accepted() {
    tell(Story::Power(2), 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_whose_records_travel_together_loses_nothing() {
    tell(Story::Crowd(1), 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_full_costs_nothing_that_was_accepted() {
    tell(Story::Disk, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_full_refuses_and_takes_more_once_it_may() {
    tell(Story::Limit, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a minute; see the head of this file"]
async fn a_long_power_story_with_one_broker() {
    tell(Story::Power(20), 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a minute; see the head of this file"]
async fn a_long_power_story_with_three_brokers() {
    tell(Story::Power(5), 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a minute; see the head of this file"]
async fn a_long_story_of_a_crowd_with_three_brokers() {
    tell(Story::Crowd(3), 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a minute; see the head of this file"]
async fn a_long_story_of_clocks() {
    tell(Story::Clocks, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a minute; see the head of this file"]
async fn a_long_story_of_leaders() {
    tell(Story::Leader, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a minute; see the head of this file"]
async fn a_long_story_of_majorities() {
    tell(Story::Majority, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes; see the head of this file"]
async fn a_long_story_of_cables() {
    tell(Story::Cables, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes; see the head of this file"]
async fn a_long_story_of_the_worst_order() {
    tell(Story::Worst, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes; see the head of this file"]
async fn a_long_story_of_two_versions() {
    tell(Story::Upgrade, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a minute; see the head of this file"]
async fn a_long_story_of_scarcity() {
    tell(Story::Scarce, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a minute; see the head of this file"]
async fn a_long_story_of_brokers_that_sync_now_and_then() {
    for brokers in [1, 3] {
        assert!(unsynced::power(brokers).await != Some(0), "then nobody need sync every write");
    }
}
