//! The cores together, without a broker, a network or a clock: what producers send goes through
//! ingest's writers into a log, from there through a lane to a receiver, and once more as a replay
//! job. On the way everything is lost, repeated, reordered and killed, by a seed.
//!
//! A failing run prints its seed; `SEED=<n>` repeats it alone.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../../services/webhook-sender/core/tests/simulation/builders.rs"]
mod builders;
mod ingest;
mod jobs;
#[path = "../../services/webhook-sender/core/tests/simulation/random.rs"]
mod random;
#[path = "../../services/webhook-sender/core/tests/simulation/replay.rs"]
mod replay;
#[path = "../../services/webhook-sender/core/tests/simulation/sender.rs"]
mod sender;
#[path = "../../services/webhook-sender/core/tests/simulation/world.rs"]
mod world;

use std::collections::BTreeSet;

use auditrelay_webhook_sender_core::lane::Arrival;

use crate::builders::arrival;
use crate::ingest::Ingest;
use crate::random::Random;
use crate::world::World;

const SEEDS: u64 = 2_000;
const STEPS: usize = 120;

#[test]
fn what_was_accepted_arrives_and_arrives_again_whatever_happens() {
    let one = std::env::var("SEED").ok().and_then(|seed| seed.parse::<u64>().ok());
    for seed in one.map_or(0..SEEDS, |seed| seed..seed + 1) {
        live(seed);
    }
}

fn live(seed: u64) {
    let in_flight = if seed.is_multiple_of(2) { 1 } else { 3 };
    let (mut ingest, mut world) = (Ingest::new(seed), World::new(seed, in_flight));
    world.producers_stop();
    for _ in 0..STEPS {
        ingest.step();
        carry(&ingest, &mut world);
        world.step();
    }
    ingest.settle();
    carry(&ingest, &mut world);
    world.heal();
    world.check();
    ingest.check();
    arrived(&ingest, &world);
    if let Some(last) = world.log.last().map(|record| record.sequence) {
        jobs::replay(world.log, last, in_flight, Random(seed ^ 0x5eed));
    }
}

/// What ingest stored is what the lane may read.
fn carry(ingest: &Ingest, world: &mut World) {
    let new = ingest.log.iter().skip(world.log.len());
    let new: Vec<Arrival> = new
        .map(|(sequence, record)| {
            // Some of it lies in the replay's window, by its number.
            let numbers = record.first_number..=record.last_number();
            let times: Vec<i64> =
                numbers.map(|number| i64::try_from(number * 37 % 100).unwrap()).collect();
            arrival(*sequence, record.first_number, &times)
        })
        .collect();
    world.log.extend(new);
}

/// Every event that was accepted came, was set aside by name, or expired before.
fn arrived(ingest: &Ingest, world: &World) {
    let received: BTreeSet<u64> = world.received.iter().copied().collect();
    let expired = world.log[..world.expired].last().map_or(0, |record| record.last_number);
    for (id, number) in ingest.accepted() {
        let known = received.contains(&number) || world.quarantined.contains(&number);
        assert!(known || number <= expired, "seed {}: {id} did not come", world.seed);
    }
}
