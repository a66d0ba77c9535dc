//! What every service process has besides its service: settings, a log, an admin port, an end.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use auditrelay_model::{Clock, Timestamp};
use auditrelay_runtime::clock::SystemClock;
use auditrelay_runtime::metrics::Metrics;
use auditrelay_runtime::settings::{Mistake, Mistakes, Settings};
use auditrelay_runtime::telemetry::{LogFilter, LogFormat, TelemetryGuard, init};
use auditrelay_streams::{ConnectError, NatsSettings, Tls};

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use crate::cli::Global;
use crate::failure::Failure;
use crate::{machine, output};

/// The sections of the services' own settings, and of the keys that several share.
const SECTIONS: [&str; 7] =
    ["api", "ingest", "retention", "scheduler", "sender", "sealing", "signing"];

/// The first moment of 2020: no clock that was ever set is behind it.
const CLOCK_MIN: Timestamp = Timestamp::from_nanos(1_577_836_800_000_000_000);
/// Below this a service with a handful of clients and receivers may come to its limit.
const OPEN_FILES_MIN: u64 = 1_024;

/// What the client commands read from the environment; no typos of services' settings.
const CLIENT_KEYS: [&str; 4] = ["url", "token", "platform_token", "ingest.url"];

/// The settings of a process, whatever service it runs.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    pub(crate) nats: NatsSettings,
    /// Certificates of the connection to the broker.
    pub(crate) tls: Tls,
    /// Where `/live`, `/ready`, `/metrics` and `/version` are.
    pub(crate) admin: SocketAddr,
    /// This process among its replicas.
    pub(crate) instance: String,
    /// How long clients get to see that it is no longer ready, before the drain.
    pub(crate) delay: Duration,
    /// How long a drain may take.
    pub(crate) grace: Duration,
    log_format: LogFormat,
    log_filter: LogFilter,
}

impl From<Mistakes> for Failure {
    fn from(mistakes: Mistakes) -> Self {
        Self::Settings(mistakes.to_string())
    }
}

/// Reads the file and the environment. `extra` stands for variables that are not set.
pub(crate) fn load(file: Option<&Path>, extra: &[(String, String)]) -> Result<Settings, Failure> {
    let env: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let missing = extra.iter().filter(|(name, _)| env.iter().all(|(set, _)| set != name)).cloned();
    let missing: Vec<(String, String)> = missing.collect();
    let mut settings = Settings::load(file, env.into_iter().chain(missing))?;
    for key in CLIENT_KEYS {
        settings.allow(key);
    }
    Ok(settings)
}

/// One file or environment may serve several services: only what belongs to none is a mistake.
pub(crate) fn allow_other_services(settings: &mut Settings, own: &[&str]) {
    for section in SECTIONS.iter().filter(|section| !own.contains(section)) {
        settings.allow_section(section);
    }
}

impl Process {
    /// Reads the settings; mistakes are kept in `settings`.
    pub(crate) fn parse(settings: &mut Settings, service: &str, global: &Global) -> Self {
        let admin = SocketAddr::from(([127, 0, 0, 1], admin_port(service)));
        let instance = settings.text("instance", &default_instance());
        let (least, most) = (Duration::from_secs(1), Duration::from_mins(10));
        let log_format = settings.parse("log.format", LogFormat::Json, "json or pretty");
        let log_filter = settings.parse("log.filter", default_filter(), "a log filter");
        told_of_this_machine(settings);
        let url = settings.text("nats.url", "nats://127.0.0.1:4222");
        if !auditrelay_streams::is_address(&url) {
            let reason = "must be NATS addresses such as nats://host:4222, separated by commas";
            settings.mistake("nats.url", reason.to_owned());
        }
        Self {
            nats: NatsSettings {
                url,
                credentials: settings.private_file("nats.credentials"),
                name: format!("auditrelay {service} {instance}"),
            },
            tls: tls(settings),
            admin: settings.parse("admin.listen", admin, "a socket address"),
            instance,
            delay: settings.duration("drain.delay", Duration::ZERO, Duration::ZERO..=most),
            grace: settings.duration("drain.grace", Duration::from_secs(30), least..=most),
            log_format: global.log_format.unwrap_or(log_format),
            log_filter: global.log.clone().unwrap_or(log_filter),
        }
    }

    /// Installs the log and the tracer; the guard must live as long as the process.
    pub(crate) fn telemetry(&self, service: &str) -> Result<TelemetryGuard, Failure> {
        init(service, &self.instance, self.log_format, self.log_filter.as_str())
            .map_err(|error| Failure::Other(error.into()))
    }
}

/// A clock that was never set refuses every event and every certificate; with few files a service
/// does less than it is set to.
fn told_of_this_machine(settings: &mut Settings) {
    let now = SystemClock.now();
    if now < CLOCK_MIN {
        settings
            .mistake("clock", format!("it is {now} here: the clock of this machine is not set"));
    }
    match machine::raise_open_files() {
        Some(most) if most < OPEN_FILES_MIN => {
            let reason = format!("at most {most} may be open: each connection takes one");
            settings.doubt("open files", reason);
        }
        Some(_) | None => {}
    }
}

/// Says what is doubtful to somebody who only asks.
pub(crate) fn mention(doubts: &[Mistake]) {
    let mut known = BTreeSet::new();
    for doubt in doubts.iter().filter(|doubt| known.insert(&doubt.key)) {
        output::note(&format!("doubtful: {}: {}", doubt.key, doubt.reason));
    }
}

/// Says what is doubtful, in the log and in a metric.
pub(crate) fn tell(doubts: &[Mistake], metrics: &Metrics) {
    let family = Family::<[(&'static str, String); 1], Gauge>::default();
    let help = "Settings that are in order and may not be what is wanted; the log says why";
    metrics.register("settings_doubts", help, family.clone());
    for doubt in doubts {
        tracing::warn!(setting = doubt.key, reason = doubt.reason, "a setting is doubtful");
        family.get_or_create(&[("setting", doubt.key.clone())]).set(1);
    }
}

/// One for each service, so that all of them run on one machine without a setting.
fn admin_port(service: &str) -> u16 {
    match service {
        "retention" => 9465,
        "replay-scheduler" => 9466,
        "webhook-sender" => 9467,
        "api" => 9468,
        _ => 9464,
    }
}

fn tls(settings: &mut Settings) -> Tls {
    let mut path = |key| settings.optional(key).map(PathBuf::from);
    let (authorities, certificate) = (path("nats.ca_file"), path("nats.cert_file"));
    let key = settings.private_file("nats.key_file");
    if certificate.is_some() != key.is_some() {
        let (missing, given) = if key.is_some() {
            ("nats.cert_file", "nats.key_file")
        } else {
            ("nats.key_file", "nats.cert_file")
        };
        settings.mistake(missing, format!("is needed beside {given}"));
    }
    Tls { authorities, identity: certificate.zip(key) }
}

/// What is logged when nobody says it.
fn default_filter() -> LogFilter {
    let level = LogFilter::default();
    format!("{level},{}", auditrelay_streams::CLIENT_LOG).parse().unwrap_or(level)
}

/// The pod's name under Kubernetes, the container's id under compose; replicas must differ.
fn default_instance() -> String {
    let host = std::env::var("HOSTNAME").ok().filter(|host| !host.is_empty());
    match host {
        Some(host) => format!("{host}-{}", std::process::id()),
        None => format!("auditrelay-{}", auditrelay_runtime::ids::uuid_v4().simple()),
    }
}

/// A broker's URL may hold a password.
fn without_password(url: &str) -> String {
    let one = |url: &str| match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://***@{host}"),
        (None, Some((_, host))) => format!("***@{host}"),
        (_, None) => url.to_owned(),
    };
    url.split(',').map(one).collect::<Vec<_>>().join(",")
}

/// Why the broker cannot be used, without its password.
pub(crate) fn in_words(error: ConnectError, url: &str) -> String {
    let causes = anyhow::Error::from(error);
    told(causes.chain().map(ToString::to_string)).replace(url, &without_password(url))
}

/// One cause after the other. Some end with the words of the next; those are said once.
fn told(causes: impl Iterator<Item = String>) -> String {
    causes.fold(String::new(), |words, cause| match words.as_str() {
        "" => cause,
        _ if words.ends_with(&cause) => words,
        _ => format!("{words}: {cause}"),
    })
}

/// The same, as the end of a command that does not wait for the broker.
pub(crate) fn unusable(error: ConnectError, url: &str) -> Failure {
    let away = matches!(error, ConnectError::Refused { .. });
    let words = in_words(error, url);
    if away { Failure::Unreachable(words) } else { Failure::Other(anyhow::anyhow!(words)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Output;

    #[test]
    fn a_broker_that_cannot_be_used_is_named_without_its_password() {
        let url = "nats://api:hunter2@nats:4222";
        let error = ConnectError::NoJetStream { url: url.to_owned(), reason: "503".to_owned() };
        let words = in_words(error, url);
        assert!(words.contains("nats://***@nats:4222") && !words.contains("hunter2"), "{words}");
    }

    #[test]
    fn the_default_log_leaves_out_what_the_brokers_client_repeats() {
        assert_eq!(default_filter().as_str(), format!("info,{}", auditrelay_streams::CLIENT_LOG));
    }

    #[test]
    fn no_cause_is_said_twice() {
        let causes = ["no connection", "I/O error: refused", "refused"];
        assert_eq!(
            told(causes.map(str::to_owned).into_iter()),
            "no connection: I/O error: refused"
        );
    }

    #[test]
    fn a_broker_that_is_no_address_is_a_mistake() {
        let said = |url: &str| {
            let env = [("AUDITRELAY_NATS_URL".to_owned(), url.to_owned())];
            let mut settings = Settings::load(None, env.into_iter()).unwrap();
            let global = Global { output: Output::Text, config: None, log_format: None, log: None };
            Process::parse(&mut settings, "api", &global);
            settings.finish().err().map(|mistakes| mistakes.to_string())
        };
        for good in ["nats://a", "a", "tls://u:p@a:4222,nats://b"] {
            assert_eq!(said(good), None, "{good}");
        }
        for bad in ["http://a", "nats://a:port"] {
            assert!(said(bad).is_some_and(|line| line.contains("nats.url: must be")), "{bad}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_hidden() {
        let cases = [
            ("nats://127.0.0.1:4222", "nats://127.0.0.1:4222"),
            ("nats://api:secret@a:4222", "nats://***@a:4222"),
            ("nats://a:4222,tls://u:p@ss@b", "nats://a:4222,tls://***@b"),
            ("u:p@b", "***@b"),
        ];
        for (url, shown) in cases {
            assert_eq!(without_password(url), shown);
        }
    }
}
