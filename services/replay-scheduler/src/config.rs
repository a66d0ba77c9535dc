//! Settings of the replay-scheduler.

use std::time::Duration;

use auditrelay_replay_scheduler_core::count::BatchCaps;
use auditrelay_replay_scheduler_core::{Pace, Reach};
use auditrelay_runtime::settings::Settings;

/// Settings of the replay-scheduler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// How far storage time may lie from event time.
    pub reach: Reach,
    /// How often progress is recorded, and how long a job may stand still.
    pub pace: Pace,
    /// How often every job is looked at although nothing happened: after a crash at any step.
    pub look_interval: Duration,
    /// How often consumers without a job are looked for.
    pub sweep_interval: Duration,
    /// Jobs of one organization that run at the same time.
    pub jobs_at_once: usize,
    /// Most of one request, as the sender fills it: for estimates.
    pub batch: BatchCaps,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            reach: Reach::default(),
            pace: Pace::default(),
            look_interval: Duration::from_secs(5),
            sweep_interval: Duration::from_mins(1),
            jobs_at_once: 4,
            batch: BatchCaps { events: 500, bytes: 1_000_000 },
        }
    }
}

impl Config {
    /// Reads the section `scheduler`.
    ///
    /// What ingest is set to is not read: records may have been stored under wider settings than
    /// today's, so that the widest that ingest can be set to counts.
    pub fn parse(settings: &mut Settings) -> Self {
        let default = Self::default();
        let day = Duration::from_hours(24);
        let mut duration =
            |key, default, max| settings.duration(key, default, Duration::from_secs(1)..=max);
        Self {
            reach: Reach {
                clock_margin: duration("scheduler.clock_margin", default.reach.clock_margin, day),
                ..default.reach
            },
            pace: Pace {
                patience: duration("scheduler.patience", default.pace.patience, 7 * day),
                grace: duration("scheduler.grace", default.pace.grace, day),
                ..default.pace
            },
            look_interval: duration("scheduler.look_interval", default.look_interval, day),
            sweep_interval: duration("scheduler.sweep_interval", default.sweep_interval, day),
            jobs_at_once: usize::try_from(settings.number("scheduler.jobs_at_once", 4, 1..=1_000))
                .unwrap_or(usize::MAX),
            batch: BatchCaps {
                events: settings.number("sender.batch_events", 500, 1..=10_000),
                bytes: settings.size("sender.batch_bytes", 1_000_000, 1_000..=64_000_000),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(env: &[(&str, &str)]) -> (Config, Result<(), String>) {
        let env = env.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let mut settings = Settings::load(None, env).unwrap();
        let config = Config::parse(&mut settings);
        (config, settings.finish().map_err(|mistakes| mistakes.to_string()))
    }

    #[test]
    fn nothing_has_to_be_set() {
        assert_eq!(parsed(&[]), (Config::default(), Ok(())));
    }

    #[test]
    fn settings_are_read_and_mistakes_named() {
        let (config, finished) = parsed(&[("AUDITRELAY_SCHEDULER_LOOK_INTERVAL", "1s")]);
        assert_eq!((config.look_interval.as_secs(), finished), (1, Ok(())));
        let (config, finished) = parsed(&[("AUDITRELAY_SCHEDULER_PATIENCE", "soon")]);
        assert_eq!(config, Config::default());
        assert!(finished.unwrap_err().contains("scheduler.patience"));
    }
}
