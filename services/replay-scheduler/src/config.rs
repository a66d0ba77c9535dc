//! Settings of the replay-scheduler.

use std::time::Duration;

use auditrelay_replay_scheduler_core::{Pace, Reach};
use auditrelay_runtime::settings::Settings;

/// Settings of the replay-scheduler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// How far storage time may lie from event time: the bounds that ingest keeps to.
    pub reach: Reach,
    /// How often progress is recorded, and how long a job may stand still.
    pub pace: Pace,
    /// How often every job is looked at although nothing happened: after a crash at any step.
    pub look_interval: Duration,
    /// How often consumers without a job are looked for.
    pub sweep_interval: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            reach: Reach::default(),
            pace: Pace::default(),
            look_interval: Duration::from_secs(5),
            sweep_interval: Duration::from_mins(1),
        }
    }
}

impl Config {
    /// Reads the section `scheduler`, and from `ingest` the bounds that both must share: a window
    /// that is read too narrowly would miss late events.
    pub fn parse(settings: &mut Settings) -> Self {
        let default = Self::default();
        let day = Duration::from_hours(24);
        let mut duration =
            |key, default, max| settings.duration(key, default, Duration::from_secs(1)..=max);
        Self {
            reach: Reach {
                future_skew: duration("ingest.max_future", default.reach.future_skew, day),
                lateness: duration("ingest.max_lateness", default.reach.lateness, 7 * day),
                clock_margin: duration("scheduler.clock_margin", default.reach.clock_margin, day),
            },
            pace: Pace {
                patience: duration("scheduler.patience", default.pace.patience, 7 * day),
                ..default.pace
            },
            look_interval: duration("scheduler.look_interval", default.look_interval, day),
            sweep_interval: duration("scheduler.sweep_interval", default.sweep_interval, day),
        }
    }
}
