//! Logs for replay jobs, with records inside and outside of the window.

use auditrelay_webhook_sender_core::lane::{Arrival, Body};

use crate::builders::arrival;
use crate::random::Random;
use crate::replay;

/// Runs a job to its end and checks what the receiver got.
pub(crate) fn run(seed: u64, at_once: usize) {
    let mut random = Random(seed);
    let log = log(&mut random);
    let until = log[log.len() - 2].sequence;
    replay::over(log, until, at_once, random);
}

fn log(random: &mut Random) -> Vec<Arrival> {
    let mut log: Vec<Arrival> = Vec::new();
    let mut number = 1;
    for sequence in 1..=30 {
        // Some records lie wholly outside the window.
        let outside = random.percent(20);
        let times: Vec<i64> = (0..=random.below(8))
            .map(|_| if outside { 0 } else { i64::try_from(random.below(100)).unwrap() })
            .collect();
        let mut record = arrival(sequence * 2, number, &times);
        number += times.len() as u64;
        if outside {
            record.body = Body::NotSelected;
        }
        log.push(record);
    }
    log
}
