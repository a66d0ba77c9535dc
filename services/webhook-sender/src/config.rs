//! Settings of the webhook-sender.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use auditrelay_format::Vendor;
use auditrelay_model::address::AddressPolicy;
use auditrelay_model::backoff::Backoff;
use auditrelay_runtime::settings::Settings;
use auditrelay_signing::{KeySet, SealingKeys};
use auditrelay_webhook_sender_core::batch::Caps;
use auditrelay_webhook_sender_core::lane::Policy;

use crate::limits::{IN_FLIGHT_MAX, Limit, Limits, Single};
use crate::transport::{TlsFiles, TransportConfig};

/// Settings of the webhook-sender.
#[derive(Debug, Clone)]
pub struct Config {
    /// Signs and opens; none when the settings are wrong.
    pub keys: Option<Keys>,
    /// Limits and waits of every lane.
    pub policy: Policy,
    /// How receivers are reached.
    pub transport: TransportConfig,
    /// From the dial to the end of the response head.
    pub request_deadline: Duration,
    /// What every line calls its maker.
    pub vendor: Vendor,
    /// How long a replay's receiver may be down before the job is given up.
    pub replay_patience: Duration,
    /// Replay jobs that this sender works on at the same time; those on hold do not count.
    pub replay_jobs: usize,
    /// How fast destinations are served.
    pub limits: Limits,
    /// Requests that are out at the same time to one destination, over all its webhooks.
    pub destination_requests: usize,
    /// Live delivery that is later than this makes replays to the same destination wait.
    pub live_lag: Duration,
    /// Batches that are written and signed at the same time.
    pub cpu_slots: NonZeroUsize,
    /// Requests that are out at the same time, over all receivers.
    pub requests_max: usize,
    /// Most that records waiting for delivery may take, over all lanes.
    pub memory_bytes: usize,
}

/// The secrets of delivery.
#[derive(Debug, Clone)]
pub struct Keys {
    /// Signs lines and requests.
    pub signing: KeySet,
    /// Opens the destinations' authorizations.
    pub sealing: SealingKeys,
}

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_hours(24);

impl Config {
    /// Reads the section `sender`, and the keys `signing.keys` and `sealing.keys`.
    pub fn parse(settings: &mut Settings) -> Self {
        let cpus = std::thread::available_parallelism().map_or(1, NonZeroUsize::get) as u64;
        let slots = settings.number("sender.cpu_slots", cpus, 1..=1_024);
        let memory = settings.size("sender.memory", 64 << 20, 1 << 20..=1 << 40);
        let requests = settings.number("sender.requests_max", 1_024, 1..=65_536);
        let destination_requests = settings.number("sender.destination_requests", 64, 1..=65_536);
        let replay_jobs = settings.number("sender.replay_jobs", 64, 1..=4_096);
        Self {
            keys: keys(settings),
            policy: policy(settings),
            transport: transport(settings),
            request_deadline: settings.duration(
                "sender.request_deadline",
                15 * SECOND,
                SECOND..=120 * SECOND,
            ),
            vendor: settings.parse("sender.vendor", Vendor::default(), "a vendor's name"),
            replay_patience: settings.duration("sender.replay_patience", DAY, SECOND..=7 * DAY),
            limits: limits(settings),
            destination_requests: count(destination_requests),
            live_lag: settings.duration(
                "sender.live_lag",
                5 * SECOND,
                Duration::from_millis(100)..=DAY,
            ),
            replay_jobs: count(replay_jobs),
            cpu_slots: NonZeroUsize::new(count(slots)).unwrap_or(NonZeroUsize::MIN),
            requests_max: count(requests),
            memory_bytes: count(memory),
        }
    }
}

fn limits(settings: &mut Settings) -> Limits {
    let in_flight = settings.number("sender.max_in_flight", 1, 1..=IN_FLIGHT_MAX as u64);
    let rate = settings.number("sender.destination_rate", 0, 0..=u64::from(u32::MAX));
    let all = Limit {
        in_flight: count(in_flight),
        events_per_second: Some(rate).filter(|rate| *rate > 0),
    };
    let what = "a list like <destination id>=<requests>/<events a second>";
    Limits { all, single: settings.parse("sender.destination_limits", Single::default(), what) }
}

fn policy(settings: &mut Settings) -> Policy {
    let events = settings.number("sender.batch_events", 500, 1..=10_000);
    let bytes = settings.size("sender.batch_bytes", 1_000_000, 1_000..=64_000_000);
    let resume = settings.number("sender.resume_rate", 1_000, 1..=1_000_000);
    let retries = settings.number("sender.retries", 4, 0..=100);
    let mut wait = |key, default| settings.duration(key, default, Duration::from_millis(10)..=DAY);
    let retry = Backoff {
        min: wait("sender.retry_min", SECOND),
        max: wait("sender.retry_max", 30 * SECOND),
    };
    let probe = Backoff {
        min: wait("sender.probe_min", 30 * SECOND),
        max: wait("sender.probe_max", Duration::from_mins(15)),
    };
    for (name, backoff) in [("retry", retry), ("probe", probe)] {
        if backoff.max < backoff.min {
            let key = format!("sender.{name}_max");
            settings.mistake(&key, format!("must not be less than sender.{name}_min"));
        }
    }
    Policy {
        batch: Caps { events: count(events), bytes: count(bytes) },
        // Some batches: those that are sent, one that is written ahead, and the next.
        room: Caps {
            events: RECORDS_IN_MEMORY.max(count(events).saturating_mul(3)),
            bytes: count(bytes).saturating_mul(3),
        },
        resume_rate: u32::try_from(resume).unwrap_or(u32::MAX),
        retry,
        retries: u32::try_from(retries).unwrap_or(u32::MAX),
        probe,
    }
}

/// Records that a lane keeps in memory; a batch of single-event records must fit.
const RECORDS_IN_MEMORY: usize = 1_024;

const WIDE_OPEN: &str =
    "requests may go to services of this network that trust whoever reaches them";

fn transport(settings: &mut Settings) -> TransportConfig {
    let key = "sender.allow_private_destinations";
    let what = "a list of networks such as 10.0.0.0/8,fd00::/8";
    let policy = settings.parse(key, AddressPolicy::default(), what);
    if policy.is_wide_open() {
        settings.doubt(key, WIDE_OPEN.to_owned());
    }
    TransportConfig {
        policy,
        allow_http: settings.flag("sender.allow_http", false),
        tls: tls_files(settings),
        connect_wait: settings.duration(
            "sender.connect_deadline",
            5 * SECOND,
            Duration::from_millis(100)..=60 * SECOND,
        ),
    }
}

/// A certificate without its key, or a key alone, is a mistake.
fn tls_files(settings: &mut Settings) -> TlsFiles {
    let mut file = |key| settings.optional(key).map(PathBuf::from);
    let files = TlsFiles {
        extra_roots: file("sender.extra_roots"),
        client_certificate: file("sender.client_certificate"),
        client_key: settings.private_file("sender.client_key"),
    };
    let missing = match (&files.client_certificate, &files.client_key) {
        (Some(_), None) => Some("sender.client_key"),
        (None, Some(_)) => Some("sender.client_certificate"),
        (Some(_), Some(_)) | (None, None) => None,
    };
    if let Some(key) = missing {
        settings.mistake(key, "is needed: certificate and key go together".to_owned());
    }
    files
}

fn keys(settings: &mut Settings) -> Option<Keys> {
    let signing = key_file(settings, "signing.keys", KeySet::from_json);
    let sealing = key_file(settings, "sealing.keys", SealingKeys::from_json);
    Some(Keys { signing: signing?, sealing: sealing? })
}

fn key_file<T, E: std::fmt::Display>(
    settings: &mut Settings,
    key: &str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Option<T> {
    let Some(text) = settings.secret(key) else {
        settings.mistake(key, format!("is needed: set {key}, or {key}_file to a file's path"));
        return None;
    };
    match parse(text.expose()) {
        Ok(keys) => Some(keys),
        Err(error) => {
            settings.mistake(key, error.to_string());
            None
        }
    }
}

fn count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(variables: &[(&str, &str)]) -> (Config, String) {
        let variables = variables
            .iter()
            .map(|(key, value)| (format!("AUDITRELAY_SENDER_{key}"), (*value).to_owned()));
        let mut settings = Settings::load(None, variables).unwrap();
        let config = Config::parse(&mut settings);
        (config, settings.finish().unwrap_err().to_string())
    }

    #[test]
    fn keys_are_needed_and_the_rest_has_defaults() {
        let (config, mistakes) = parse(&[]);
        assert!(mistakes.contains("signing.keys: is needed"), "{mistakes}");
        assert!(mistakes.contains("sealing.keys: is needed"), "{mistakes}");
        assert_eq!(mistakes.lines().count(), 2, "{mistakes}");
        assert_eq!(config.policy.batch, Caps { events: 500, bytes: 1_000_000 });
        assert_eq!(config.policy.probe.max, Duration::from_mins(15));
        assert!(!config.transport.allow_http);
    }

    #[test]
    fn a_longest_wait_below_the_shortest_is_a_mistake() {
        let (_, mistakes) = parse(&[("RETRY_MIN", "10s"), ("RETRY_MAX", "5s")]);
        assert!(mistakes.contains("sender.retry_max: must not be less"), "{mistakes}");
    }
}
