//! A live lane in a hostile world: records are lost and repeated on the way, the receiver comes
//! and goes and answers into the void, records expire, and the sender is killed between any two
//! effects. Afterwards every event was delivered, set aside by name or counted as expired.
//!
//! A failing run prints its seed; `SEED=<n>` repeats it alone.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "simulation/builders.rs"]
mod builders;
#[path = "simulation/logs.rs"]
mod logs;
#[path = "simulation/random.rs"]
mod random;
#[path = "simulation/replay.rs"]
mod replay;
#[path = "simulation/sender.rs"]
mod sender;
#[path = "simulation/world.rs"]
mod world;

use world::World;

fn seeds(count: u64) -> std::ops::Range<u64> {
    match std::env::var("SEED").ok().and_then(|seed| seed.parse::<u64>().ok()) {
        Some(seed) => seed..seed + 1,
        None => 0..count,
    }
}

#[test]
fn every_event_is_delivered_in_order_whatever_happens() {
    live(1);
}

#[test]
fn nothing_is_lost_with_several_requests_out_and_a_cursor_never_jumps() {
    live(4);
}

fn live(in_flight: usize) {
    // Long lives wear the machine; short ones end before a later record shows what is missing.
    for (lives, steps) in [(200, 400), (6_000, 40)] {
        for seed in seeds(lives) {
            let mut world = World::new(seed, in_flight);
            for _ in 0..steps {
                world.step();
            }
            world.producers_stop();
            for _ in 0..20 {
                world.step();
            }
            world.heal();
            world.check();
        }
    }
}

#[test]
fn a_replay_delivers_exactly_its_window_whatever_happens() {
    for seed in seeds(500) {
        logs::run(seed, 1);
        logs::run(seed, 3);
    }
}
