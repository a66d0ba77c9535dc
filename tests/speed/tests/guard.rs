//! What the hot paths may cost. Counted, not timed: allocations and instructions are the same on
//! every machine, however busy it is. Who makes something cheaper lowers its limit here.

#![expect(clippy::unwrap_used, reason = "what cannot be measured is a failed test")]

use std::process::Command;
use std::sync::Arc;

use allocation_counter::{AllocationInfo, measure};
use auditrelay_speed as hot;
use auditrelay_speed::{Configured, EVENTS, LogFormat};

#[test]
fn an_event_allocates_little_more_than_its_texts() {
    let (body, record) = (hot::body(EVENTS), hot::record(EVENTS));
    let (encoded, shared) = (hot::encode(&record), Arc::new(record.clone()));
    let event = hot::event(1);
    let limits = [
        ("admit", 8, measure(|| drop(hot::admit(&body)))),
        ("encode", 0, measure(|| drop(hot::encode(&record)))),
        ("open", 10, measure(|| drop(hot::open(&encoded)))),
        ("deliver", 0, measure(|| _ = hot::deliver(&shared))),
    ];
    // What is made once is made.
    drop(hot::render(&event, LogFormat::Cef));
    let single = [
        ("render CEF", 1, measure(|| drop(hot::render(&event, LogFormat::Cef)))),
        ("render JSON", 1, measure(|| drop(hot::render(&event, LogFormat::Json)))),
        ("render CPS", 1, measure(|| drop(hot::render(&event, LogFormat::Cps)))),
    ];
    let an_event = |(path, most, all): (_, _, AllocationInfo)| {
        // Some are the record's, not the event's.
        (path, most, (all.count_total.saturating_sub(40)).div_ceil(EVENTS as u64))
    };
    let single = single.map(|(path, most, one)| (path, most, one.count_total));
    let found: Vec<_> = limits.map(an_event).into_iter().chain(single).collect();
    assert!(found.iter().all(|(_, most, count)| count <= most), "{found:?}");
}

#[test]
fn a_change_of_configuration_costs_the_same_however_much_there_is() {
    let cost = |portals: usize| {
        let mut configured = Configured::with(portals);
        measure(|| (0..100).for_each(|number| configured.add(portals + number))).bytes_total
    };
    let (few, many) = (cost(10), cost(5_000));
    assert!(many < 2 * few, "100 portals more: {few} bytes with 10 others, {many} with 5,000");
}

/// Instructions of one call, at most, built as tests are: a quarter more than was counted.
const INSTRUCTIONS: [(&str, u64); 8] = [
    ("admit", 2_890_000),
    ("encode", 3_070_000),
    ("open", 3_900_000),
    ("render-cef", 14_200),
    ("render-json", 15_200),
    ("sign", 177_000),
    ("gzip", 3_100_000),
    ("deliver", 28_600),
];

#[test]
fn the_hot_paths_take_no_more_instructions_than_they_did() {
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("valgrind is not here: nothing is counted");
        return;
    }
    let counts = INSTRUCTIONS.map(|(path, most)| {
        let twice = counted(path, 3) - counted(path, 1);
        (path, twice / 2, most)
    });
    assert!(counts.iter().all(|(_, count, most)| count <= most), "{counts:#?}");
}

/// Instructions of a process that does it so many times.
fn counted(path: &str, times: u64) -> u64 {
    let run = Command::new("valgrind")
        .args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"])
        .args([env!("CARGO_BIN_EXE_hot-path"), path, &times.to_string()])
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{words}");
    let line = words.lines().find_map(|line| line.split_once("I   refs:")).unwrap();
    line.1.trim().replace(',', "").parse().unwrap()
}
