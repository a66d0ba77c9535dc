//! What many webhooks, or much of one, cost. The long ones are measured with
//! `cargo test -p auditrelay-webhook-sender --test delivery -- --ignored --nocapture --test-threads 1`.

use std::time::Duration;

use tokio::time::Instant;

use crate::crowd::{Crowd, quantile};

const MEMORY: &str = "auditrelay_webhook_memory_bytes";
const KIB: u64 = 1_024;
const MIB: u64 = 1_024 * KIB;
/// A request that hangs is out for longer than the test takes.
const NO_DEADLINE: (&str, &str) = ("SENDER_REQUEST_DEADLINE", "120s");

#[tokio::test(flavor = "multi_thread")]
async fn receivers_that_hang_hold_nobody_else_up() {
    let crowd = Crowd::of(30).await;
    crowd.hang(10);
    let sender = crowd.world.sender_with("a", &[NO_DEADLINE]).await;
    for round in 1..=5 {
        crowd.append(2).await;
        crowd.until_healthy_have(2 * round, || {}).await;
    }
    for hanging in [0, 10, 20] {
        let seen = (crowd.siem.requests(hanging), crowd.siem.events(hanging));
        assert_eq!(seen, (1, 0), "its first request is still out");
    }
    sender.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_stays_in_the_log_and_not_in_memory() {
    let (records, events) = (10, 250);
    let crowd = Crowd::of(8).await;
    crowd.fail(true);
    let more = [("SENDER_MEMORY", "1MiB"), ("SENDER_BATCH_EVENTS", "500")];
    let sender = crowd.world.sender_with("a", &more).await;
    let mut most = 0;
    for _ in 0..records {
        crowd.append(events).await;
        most = most.max(sender.shows(MEMORY));
    }
    crowd.fail(false);
    let look = || most = most.max(sender.shows(MEMORY));
    crowd.until_healthy_have(records * events, look).await;
    // Each lane may hold one record more than there is room for, of some 200 bytes an event; what
    // is decoded takes three times as much.
    let record = 3 * 250 * 200;
    assert!(most > 0 && most <= MIB + 8 * record, "{most} bytes");
    let begun = Instant::now();
    while sender.shows(MEMORY) > 0 {
        assert!(begun.elapsed() < Duration::from_mins(1), "what is delivered takes no memory");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    sender.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes: 500 webhooks, a tenth of which hang"]
async fn a_tenth_that_hangs_does_not_slow_the_others_down() {
    // Side by side, each with a broker and a sender of its own, so that whatever else the machine
    // does falls on both.
    let (alone, beside) = tokio::join!(Crowd::of(500), Crowd::of(500));
    beside.hang(10);
    let senders = [alone.world.sender("a").await, beside.world.sender("b").await];
    for crowd in [&alone, &beside] {
        crowd.append(1).await;
        crowd.until_healthy_have(1, || {}).await;
    }
    let (rounds, every) = (25, Duration::from_secs(3));
    let (mut alone, mut beside) =
        tokio::join!(alone.measure(rounds, every), beside.measure(rounds, every));
    for (name, took) in [("undisturbed", &mut alone), ("with a tenth hanging", &mut beside)] {
        took.sort_unstable();
        let parts = [50, 90, 95, 99, 100].map(|percent| (percent, quantile(took, percent)));
        eprintln!("{name}: {} events, {parts:?}", took.len());
    }
    assert!(quantile(&beside, 99) <= quantile(&alone, 99).mul_f64(1.2));
    for sender in senders {
        sender.kill().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes: a million events"]
async fn a_million_events_behind_take_no_more_memory_than_a_few() {
    let (records, events) = (2_000, 500);
    let crowd = Crowd::of(1).await;
    crowd.fail(true);
    let sender = crowd.world.sender_with("a", &[("SENDER_BATCH_EVENTS", "500")]).await;
    let begun = Instant::now();
    for _ in 0..records {
        crowd.append(events).await;
    }
    eprintln!("{} events appended in {:?}", records * events, begun.elapsed());
    let (before, begun) = (resident(), Instant::now());
    let (mut most, mut charged) = (before, 0);
    crowd.fail(false);
    let look = || {
        most = most.max(resident());
        charged = charged.max(sender.shows(MEMORY));
    };
    crowd.until_healthy_have(records * events, look).await;
    let (grown, charged, took) = ((most - before) / MIB, charged / MIB, begun.elapsed());
    eprintln!("delivered in {took:?}: {grown} MiB more than before, {charged} MiB of them records");
    assert!(grown < 128, "{grown} MiB");
    sender.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes: thousands of webhooks"]
async fn thousands_of_idle_webhooks_cost_little() {
    let lanes = 3_000;
    let crowd = Crowd::of(lanes).await;
    let before = resident();
    let sender = crowd.world.sender("a").await;
    crowd.append(1).await;
    crowd.until_healthy_have(1, || {}).await;
    let with_connections = resident();
    // Until connections that nobody uses are closed.
    tokio::time::sleep(Duration::from_secs(40)).await;
    let (idle, worked, begun) = (resident(), processor_time(), Instant::now());
    tokio::time::sleep(Duration::from_secs(20)).await;
    let share = (processor_time() - worked) / begun.elapsed().as_secs_f64();
    let each = |bytes: u64| bytes.saturating_sub(before) / KIB / 3_000;
    eprintln!(
        "{lanes} lanes: {} KiB each with a connection and its other end, {} KiB idle; \
         {:.2} % of a processor for all",
        each(with_connections),
        each(idle),
        share * 100.0
    );
    assert!(each(idle) < 100, "{} KiB", each(idle));
    sender.kill().await;
}

/// Bytes of this process that are in memory.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4 * KIB
}

/// Seconds that this process has worked.
fn processor_time() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks / 100.0
}
