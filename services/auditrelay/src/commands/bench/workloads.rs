//! What is measured.

pub(super) mod delivery;
pub(super) mod idle;
pub(super) mod ingest;
pub(super) mod latency;

use std::time::Duration;

/// How long and how often.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effort {
    /// Of one measurement.
    pub(super) span: Duration,
    pub(super) rounds: usize,
    /// Events of a delivery.
    pub(super) events: u64,
    /// The most scopes or webhooks.
    pub(super) many: usize,
}

impl Effort {
    pub(super) const QUICK: Self =
        Self { span: Duration::from_millis(400), rounds: 1, events: 2_000, many: 10 };
    pub(super) const FULL: Self =
        Self { span: Duration::from_secs(4), rounds: 3, events: 100_000, many: 1_000 };
}
