//! Settings of ingest, all below `ingest.`.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU64;
use std::time::Duration;

use auditrelay_ingest_core::admit::Limits;
use auditrelay_ingest_core::quota::{Allowance, Plan};
use auditrelay_model::secret::Secret;
use auditrelay_runtime::http::Proxies;
use auditrelay_runtime::settings::Settings;

const KIB: u64 = 1_024;
const MIB: u64 = 1_024 * KIB;

/// How far `ts` may be ahead; replays rely on it when they widen their window, so it is no setting.
const MAX_FUTURE: Duration = Duration::from_mins(5);
/// Characters of a key for hashed fields, at least.
const PRIVACY_KEY_MIN: usize = 32;
/// How late an event may come at most; replays rely on this bound too.
const MAX_LATENESS: Duration = Duration::from_hours(24);

/// How ingest behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// What an event may be.
    pub limits: Limits,
    /// Bytes of a body on the wire.
    pub max_body: usize,
    /// Bytes of a body once it is unpacked.
    pub max_unpacked: usize,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// Bytes of all requests that are held in memory together.
    pub max_inflight: usize,
    /// How long a request's events are tried to be stored before it is answered 503.
    pub publish_deadline: Duration,
    /// Bytes of a record's events.
    pub max_record: usize,
    /// What organizations and tokens may send.
    pub quotas: Plan,
    /// Whether what happens to an organization itself becomes events of its log.
    pub trail: bool,
    /// Proxies whose word on a client's address is taken.
    pub proxies: Proxies,
    /// What organizations' keys for hashed fields are derived from; none where nothing is hashed.
    pub privacy_key: Option<Secret>,
    /// How long a repeated event id or idempotency key is recognised.
    pub duplicate_window: Duration,
}

impl Config {
    /// Reads the settings; mistakes are kept in `settings`.
    pub fn parse(settings: &mut Settings) -> Self {
        let default = Self::default();
        let minute = Duration::from_mins(1);
        let limits = Limits {
            max_lateness: settings.duration(
                "ingest.max_lateness",
                MAX_LATENESS,
                minute..=MAX_LATENESS,
            ),
            ..default.limits
        };
        let deadline = Duration::from_secs(1)..=Duration::from_secs(15);
        Self {
            listen: settings.parse("ingest.listen", default.listen, "a socket address"),
            limits,
            max_inflight: size(settings, "ingest.max_inflight", default.max_inflight, 16 * MIB),
            publish_deadline: settings.duration(
                "ingest.publish_deadline",
                default.publish_deadline,
                deadline,
            ),
            quotas: quotas(settings, default.quotas),
            trail: settings.flag("ingest.trail", default.trail),
            proxies: Proxies::parse(settings, "ingest.trusted_proxies"),
            privacy_key: privacy_key(settings),
            ..default
        }
    }
}

/// Short keys could be found by trying.
fn privacy_key(settings: &mut Settings) -> Option<Secret> {
    let key = settings.secret("ingest.privacy_key")?;
    if key.expose().trim().len() < PRIVACY_KEY_MIN {
        let reason = format!("must have at least {PRIVACY_KEY_MIN} characters");
        settings.mistake("ingest.privacy_key", reason);
        return None;
    }
    Some(key)
}

/// 0 is no limit, as if it was not set.
fn quotas(settings: &mut Settings, default: Plan) -> Plan {
    let mut events = |key| NonZeroU64::new(settings.number(key, 0, 0..=1_000_000_000));
    let of_organization = events("ingest.quota_events_per_second");
    let of_token = events("ingest.token_quota_events_per_second");
    let mut bytes = |key| NonZeroU64::new(settings.size(key, 0, 0..=1_024 * 1_024 * MIB));
    let organization =
        Allowance { events: of_organization, bytes: bytes("ingest.quota_bytes_per_second") };
    let token = Allowance { events: of_token, bytes: bytes("ingest.token_quota_bytes_per_second") };
    let range = Duration::from_secs(1)..=Duration::from_hours(1);
    Plan {
        organization,
        token,
        burst: settings.duration("ingest.quota_burst", default.burst, range),
    }
}

fn size(settings: &mut Settings, key: &str, default: usize, min: u64) -> usize {
    let size = settings.size(key, default as u64, min..=4_096 * MIB - 1);
    usize::try_from(size).unwrap_or(default)
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8081)),
            limits: Limits {
                max_events: 1_000,
                max_event_bytes: 64 * 1_024,
                max_future: MAX_FUTURE,
                max_lateness: MAX_LATENESS,
            },
            max_body: 1_024 * 1_024,
            max_unpacked: 8 * 1_024 * 1_024,
            body_timeout: Duration::from_secs(10),
            max_inflight: 64 * 1_024 * 1_024,
            publish_deadline: Duration::from_secs(10),
            // The record's own head comes on top: together at most 256 KiB.
            max_record: 255 * 1_024,
            quotas: Plan {
                organization: Allowance::default(),
                token: Allowance::default(),
                burst: Duration::from_secs(10),
            },
            trail: true,
            proxies: Proxies::default(),
            privacy_key: None,
            // The broker's own window: it recognises a record that is sent again.
            duplicate_window: Duration::from_mins(2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(env: &[(&str, &str)]) -> (Config, Result<(), String>) {
        let env = env.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let mut settings = Settings::load(None, env).unwrap();
        let config = Config::parse(&mut settings);
        (config, settings.finish().map_err(|mistakes| mistakes.to_string()))
    }

    #[test]
    fn what_is_not_set_has_its_default() {
        assert_eq!(parse(&[]), (Config::default(), Ok(())));
    }

    #[test]
    fn every_setting_is_read() {
        let (config, mistakes) = parse(&[
            ("AUDITRELAY_INGEST_LISTEN", "127.0.0.1:1"),
            ("AUDITRELAY_INGEST_MAX_LATENESS", "1h"),
            ("AUDITRELAY_INGEST_MAX_INFLIGHT", "32MiB"),
            ("AUDITRELAY_INGEST_PUBLISH_DEADLINE", "2s"),
            ("AUDITRELAY_INGEST_QUOTA_EVENTS_PER_SECOND", "5000"),
            ("AUDITRELAY_INGEST_QUOTA_BYTES_PER_SECOND", "2MiB"),
            ("AUDITRELAY_INGEST_TOKEN_QUOTA_EVENTS_PER_SECOND", "500"),
            ("AUDITRELAY_INGEST_TOKEN_QUOTA_BYTES_PER_SECOND", "0KiB"),
            ("AUDITRELAY_INGEST_QUOTA_BURST", "30s"),
            ("AUDITRELAY_INGEST_PRIVACY_KEY", "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"),
        ]);
        assert_eq!(mistakes, Ok(()));
        assert_eq!(config.listen.to_string(), "127.0.0.1:1");
        assert_eq!(config.limits.max_lateness, Duration::from_hours(1));
        assert_eq!(config.max_inflight, 32 * 1_024 * 1_024);
        assert_eq!(config.publish_deadline, Duration::from_secs(2));
        let some = NonZeroU64::new;
        let organization = Allowance { events: some(5_000), bytes: some(2 * 1_024 * 1_024) };
        let token = Allowance { events: some(500), bytes: None };
        let burst = Duration::from_secs(30);
        assert_eq!(config.privacy_key, Some(Secret::new("k".repeat(32))));
        assert_eq!(config.quotas, Plan { organization, token, burst });
    }

    #[test]
    fn a_short_privacy_key_is_a_mistake_that_does_not_show_it() {
        let (_, mistakes) = parse(&[("AUDITRELAY_INGEST_PRIVACY_KEY", "hunter2")]);
        let mistakes = mistakes.unwrap_err();
        assert!(mistakes.contains("ingest.privacy_key: must have at least 32"), "{mistakes}");
        assert!(!mistakes.contains("hunter2"), "{mistakes}");
    }

    #[test]
    fn a_lateness_that_replays_do_not_expect_is_a_mistake() {
        let (_, mistakes) = parse(&[("AUDITRELAY_INGEST_MAX_LATENESS", "25h")]);
        assert!(mistakes.unwrap_err().contains("ingest.max_lateness"));
    }
}
