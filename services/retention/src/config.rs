//! Settings of retention.

use std::time::Duration;

use auditrelay_retention_core::policy::Choice;
use auditrelay_retention_core::risk::Thresholds;
use auditrelay_runtime::settings::Settings;

/// Settings of retention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Size and copies of the streams.
    pub choice: Choice,
    /// When a threat is worth telling.
    pub thresholds: Thresholds,
    /// How often the streams are looked at.
    pub interval: Duration,
    /// Whether metrics name each scope that is behind.
    pub metrics_per_scope: bool,
    /// Monitoring ports of the brokers, which say whether they sync.
    pub monitors: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            choice: Choice { events_max_bytes: None, replicas: 1 },
            thresholds: Thresholds::default(),
            interval: Duration::from_secs(30),
            metrics_per_scope: false,
            monitors: Vec::new(),
        }
    }
}

impl Config {
    /// Reads the section `retention`.
    pub fn parse(settings: &mut Settings) -> Self {
        let default = Self::default();
        // 0 is "as much as the broker's disk takes".
        let max_bytes = settings.size("retention.events_max_bytes", 0, 0..=1 << 60);
        let replicas = settings.number("retention.replicas", 1, 1..=5);
        let percent = settings.number("retention.storage_alert_percent", 80, 1..=100);
        Self {
            choice: Choice {
                events_max_bytes: (max_bytes > 0).then_some(max_bytes),
                replicas: usize::try_from(replicas).unwrap_or(default.choice.replicas),
            },
            thresholds: Thresholds {
                storage_percent: u8::try_from(percent)
                    .unwrap_or(default.thresholds.storage_percent),
                expiry_margin: settings.duration(
                    "retention.expiry_alert_margin",
                    default.thresholds.expiry_margin,
                    Duration::from_mins(1)..=Duration::from_hours(7 * 24),
                ),
            },
            interval: settings.duration(
                "retention.interval",
                default.interval,
                Duration::from_millis(100)..=Duration::from_hours(1),
            ),
            metrics_per_scope: settings.flag("retention.metrics_per_scope", false),
            monitors: monitors(settings),
        }
    }
}

fn monitors(settings: &mut Settings) -> Vec<String> {
    let key = "retention.monitors";
    let monitors = settings.list(key);
    if monitors.iter().any(|one| !one.starts_with("http://") && !one.starts_with("https://")) {
        settings.mistake(key, "must be a list of addresses such as http://nats:8222".to_owned());
    }
    monitors
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
        let (config, finished) = parsed(&[
            ("AUDITRELAY_RETENTION_EVENTS_MAX_BYTES", "8GiB"),
            ("AUDITRELAY_RETENTION_REPLICAS", "3"),
        ]);
        assert_eq!(config.choice, Choice { events_max_bytes: Some(8 << 30), replicas: 3 });
        assert_eq!(finished, Ok(()));
        let (_, finished) = parsed(&[("AUDITRELAY_RETENTION_MONITORS", "http://a:8222,b")]);
        assert!(finished.unwrap_err().contains("retention.monitors"));
        let (_, finished) = parsed(&[("AUDITRELAY_RETENTION_REPLICAS", "9")]);
        assert!(finished.unwrap_err().contains("retention.replicas"));
    }
}
