//! A process of its own: what the API holds in memory at most, whatever pages are asked for.

#![cfg(test)]

#[path = "api/log.rs"]
mod log;
#[path = "api/support.rs"]
#[expect(dead_code, reason = "shared with the other tests, which need all of it")]
mod support;

use auditrelay_model::{Clock, Scope};
use auditrelay_runtime::clock::SystemClock;

use crate::log::{Log, link, numbers};
use crate::support::World;

const MIB: usize = 1_024 * 1_024;
/// What is promised for one reader: a page of 8 MiB as it is stored, as it is written and as this
/// client reads it, beside what is fetched ahead and what the allocator keeps.
const BOUND: usize = 128 * MIB;

/// The most that was resident since the last time this was forgotten.
fn resident_max() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<usize>().unwrap() * 1_024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_largest_events_come_on_more_pages_each_once_and_within_a_bound() {
    let world = World::new().await;
    let api = world.api().await;
    let org = api.organization("Acme").await;
    let viewer = api.with_token(&api.token(&org, "viewer").await);
    let mut log = Log::new(&world, Scope::Organization(org.parse().unwrap()));
    log.agent = "x".repeat(65_000);
    for _ in 0..500 {
        log.append(&[SystemClock.now(); 3]).await;
    }
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = resident_max();
    let (mut all, mut pages) = (Vec::new(), 0);
    let mut next = Some("/v3/audit-logs?page[size]=1000".to_owned());
    while let Some(path) = next {
        let page = viewer.get(&path).await.expect(200);
        let held = numbers(&page);
        assert!(!held.is_empty() && held.len() < 200, "{}", held.len());
        all.extend(held);
        pages += 1;
        next = link(&page, "next").map(ToOwned::to_owned);
    }
    let grown = resident_max().saturating_sub(before);
    println!("{pages} pages, {} MiB more than at rest", grown / MIB);
    assert_eq!(all, (1..=1_500).collect::<Vec<_>>());
    assert!(grown < BOUND, "{} MiB", grown / MIB);
}
