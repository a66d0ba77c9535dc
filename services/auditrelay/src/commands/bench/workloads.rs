//! What is measured.

mod crowd;
pub(super) mod delivery;
pub(super) mod idle;
pub(super) mod ingest;
pub(super) mod latency;
pub(super) mod outage;
mod pull;
mod setting;
pub(super) mod start;

use std::time::Duration;

use super::stage::{Given, Stage};
use super::stats::Spread;
use crate::failure::Failure;

/// What every workload is run with.
#[derive(Debug)]
pub(super) struct Rig {
    pub(super) http: reqwest::Client,
    pub(super) effort: Effort,
    /// The system to measure; none is one of our own.
    pub(super) given: Option<Given>,
}

impl Rig {
    /// A system with nothing in it, or the given one.
    async fn stage(&self, sync_always: bool) -> Result<Stage, Failure> {
        match &self.given {
            Some(given) => Stage::given(given).await,
            None => Stage::start(sync_always).await,
        }
    }
}

/// How long and how often.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effort {
    /// Of one measurement.
    pub(super) span: Duration,
    pub(super) rounds: usize,
    /// Events of a delivery.
    pub(super) events: u64,
    /// The most scopes.
    pub(super) many: usize,
    /// How many webhooks there are, more and more of them.
    pub(super) webhooks: &'static [usize],
    /// Events a second that come while a receiver is away.
    pub(super) rate: u32,
}

impl Effort {
    pub(super) const QUICK: Self = Self {
        span: Duration::from_millis(400),
        rounds: 1,
        events: 2_000,
        many: 10,
        webhooks: &[1, 10],
        rate: 2_000,
    };
    pub(super) const FULL: Self = Self {
        span: Duration::from_secs(4),
        rounds: 3,
        events: 100_000,
        many: 1_000,
        webhooks: &[1, 10, 100, 1_000, 5_000],
        rate: 20_000,
    };
}

fn spread(values: &[f64]) -> Result<Spread, Failure> {
    Spread::of(values).ok_or_else(|| Failure::Other(anyhow::anyhow!("nothing was measured")))
}
