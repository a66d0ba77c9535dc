//! The connection to the broker.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::{self, context::ContextBuilder};
use async_nats::{Client, ConnectOptions, Event};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::address;
use crate::choice::Choice;
use crate::error::ReadError;
use crate::health::Health;
use crate::silence::Silence;
use crate::topology::StreamName;

/// The oldest JetStream API that obeys everything we ask for (nats-server 2.14); older servers do
/// not refuse newer settings, they ignore them.
const API_LEVEL_MIN: usize = 4;

/// The oldest server whose store has the fixes that acknowledged events need.
pub const SERVER_VERSION_MIN: (u64, u64, u64) = (2, 14, 7);

/// Bytes that a message must be allowed to have: a record and its headers, with room.
const PAYLOAD_MIN: usize = 512 * 1_024;

/// A log directive for what the broker's client says by itself: at `info` it repeats our own lines.
pub const CLIENT_LOG: &str = "async_nats=warn";

/// How long one request to the broker may take.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// How long one question may take that a producer waits for. What was on its way to a leader that is
/// gone is never answered, while another one leads within moments: better ask again. Longer than a
/// slow disk keeps everything that may be on its way to it.
pub(crate) const RECORD_TIMEOUT: Duration = Duration::from_secs(2);

/// How often a service that waits for its streams says so.
const WAIT_NOTICE: Duration = Duration::from_secs(5);

/// Where the broker is and who we are there.
#[derive(Debug, Clone)]
pub struct NatsSettings {
    /// One or more URLs, separated by commas; the first that has them says user and password.
    pub url: String,
    /// A `.creds` file.
    pub credentials: Option<PathBuf>,
    /// Name of the connection, for the broker's own lists.
    pub name: String,
}

/// How the broker is known and how it knows us, where its certificate is not one of the system's
/// authorities. An address that begins with `tls://` needs nothing of this.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// Certificate authorities (PEM) beside the system's.
    pub authorities: Option<PathBuf>,
    /// Our certificate and its key (PEM).
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// Whether [`NatsSettings::url`] may be this.
pub fn is_address(url: &str) -> bool {
    address::addresses(url).is_ok()
}

/// The broker cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address is not one.
    #[error("{url} is not a NATS address")]
    Address {
        /// As it was given.
        url: String,
        /// What the client says.
        #[source]
        source: std::io::Error,
    },
    /// The credentials file cannot be read.
    #[error("credentials file {path} cannot be read")]
    Credentials {
        /// As it was given.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Not reachable, or it refused us.
    #[error("no connection to the broker at {url}")]
    Refused {
        /// As it was given.
        url: String,
        /// What the client says.
        #[source]
        source: async_nats::ConnectError,
    },
    /// JetStream does not answer.
    #[error(
        "the broker at {url} does not answer JetStream requests (is JetStream enabled?): {reason}"
    )]
    NoJetStream {
        /// As it was given.
        url: String,
        /// What it said.
        reason: String,
    },
    /// Too old.
    #[error(
        "the broker at {url} is nats-server {version}; 2.14.7 or newer is needed, because older servers silently ignore settings that keep events safe"
    )]
    TooOld {
        /// As it was given.
        url: String,
        /// What it says it is.
        version: String,
    },
    /// Its messages are too small for ours.
    #[error(
        "the broker at {url} takes messages of at most {max} bytes (max_payload); {PAYLOAD_MIN} are needed"
    )]
    Small {
        /// As it was given.
        url: String,
        /// What it says it takes.
        max: usize,
    },
}

/// A connection to the broker and everything that is done with it; cheap to clone.
#[derive(Debug, Clone)]
pub struct Streams {
    pub(crate) context: jetstream::Context,
    /// Counts (re)connections: a reader of an older one may have missed what was sent to it.
    pub(crate) connections: Arc<watch::Sender<u64>>,
    pub(crate) health: Arc<Health>,
    pub(crate) silence: Silence,
}

/// Connects and checks that the broker is new enough. Later losses of the connection are mended in
/// the background, for ever.
pub async fn connect(settings: &NatsSettings) -> Result<Streams, ConnectError> {
    connect_with(settings, &Tls::default()).await
}

/// Connects as [`connect`] does, with certificates of one's own.
pub async fn connect_with(settings: &NatsSettings, tls: &Tls) -> Result<Streams, ConnectError> {
    let url = address::shown(&settings.url);
    let connections = Arc::new(watch::Sender::new(0));
    let health = Arc::new(Health::default());
    let options = options(settings, tls, Arc::clone(&connections), Arc::clone(&health));
    let client = dial(settings, options).await?;
    let context = ContextBuilder::new()
        .timeout(REQUEST_TIMEOUT)
        .ack_timeout(REQUEST_TIMEOUT)
        .build(client.clone());
    // First of all: what a server that is too old answers to the next question cannot be read.
    let (version, max) = (client.server_info().version, client.server_info().max_payload);
    if !is_new_enough(&version) {
        return Err(ConnectError::TooOld { url, version });
    }
    if max < PAYLOAD_MIN {
        return Err(ConnectError::Small { url, max });
    }
    let account = context.query_account().await.map_err(|error| ConnectError::NoJetStream {
        url: url.clone(),
        reason: error.to_string(),
    })?;
    if account.requests.level < API_LEVEL_MIN {
        return Err(ConnectError::TooOld { url, version });
    }
    tracing::info!(%url, version, "connected to the broker");
    // A name may stand for several; then the brokers tell of each other.
    let named = address::addresses(&settings.url).map_or(1, |named| named.len());
    let silence = Silence::new(named.max(client.server_info().connect_urls.len()) > 1);
    Ok(Streams { context, connections, health, silence })
}

fn options(
    settings: &NatsSettings,
    tls: &Tls,
    connections: Arc<watch::Sender<u64>>,
    health: Arc<Health>,
) -> ConnectOptions {
    let choice = Choice::default();
    let mut options = ConnectOptions::new()
        .name(&settings.name)
        .connection_timeout(REQUEST_TIMEOUT)
        .request_timeout(Some(REQUEST_TIMEOUT))
        .ping_interval(Duration::from_secs(10))
        .max_reconnects(None)
        .reconnect_delay_callback(reconnect_delay)
        .reconnect_to_server_callback(move |servers, _| std::future::ready(choice.next(&servers)))
        .event_callback(move |event| {
            note(&event, &connections, &health);
            std::future::ready(())
        });
    if let Some(authorities) = &tls.authorities {
        options = options.add_root_certificates(authorities.clone()).require_tls(true);
    }
    if let Some((certificate, key)) = &tls.identity {
        options = options.add_client_certificate(certificate.clone(), key.clone());
    }
    options
}

async fn dial(
    settings: &NatsSettings,
    mut options: ConnectOptions,
) -> Result<Client, ConnectError> {
    let url = address::shown(&settings.url);
    let addresses = address::addresses(&settings.url)
        .map_err(|source| ConnectError::Address { url: url.clone(), source })?;
    if let Some((user, password)) = address::user(&addresses) {
        if let Some(prefix) = address::inbox_prefix(&user) {
            options = options.custom_inbox_prefix(prefix);
        }
        options = options.user_and_password(user, password);
    }
    if let Some(path) = &settings.credentials {
        options = options
            .credentials_file(path)
            .await
            .map_err(|source| ConnectError::Credentials { path: path.clone(), source })?;
    }
    options.connect(addresses).await.map_err(|source| ConnectError::Refused { url, source })
}

/// At once, then up to a second apart: the broker's own restart is quicker than any longer wait.
fn reconnect_delay(attempts: usize) -> Duration {
    Duration::from_millis((attempts as u64).saturating_sub(1).saturating_mul(100).min(1_000))
}

fn note(event: &Event, connections: &watch::Sender<u64>, health: &Health) {
    match event {
        Event::Connected => {
            let again = *connections.borrow() > 0;
            connections.send_modify(|count| *count += 1);
            if again {
                tracing::info!("connected to the broker again");
            }
        }
        Event::Disconnected => tracing::warn!("connection to the broker lost"),
        Event::SlowConsumer(_) => {
            tracing::error!("the client dropped messages because they were not read fast enough");
            // Whoever reads starts over from what is acknowledged.
            connections.send_modify(|count| *count += 1);
        }
        Event::ServerError(error) => {
            tracing::error!(%error, "the broker refused something");
            health.is_refused(&error.to_string());
        }
        other => tracing::debug!(event = %other, "broker event"),
    }
}

fn is_new_enough(version: &str) -> bool {
    let core = version.trim_start_matches('v').split(['-', '+']).next().unwrap_or_default();
    let mut parts = core.split('.').map(|part| part.parse::<u64>().ok());
    let parsed = (parts.next().flatten(), parts.next().flatten(), parts.next().flatten());
    matches!(parsed, (Some(major), Some(minor), Some(patch)) if (major, minor, patch) >= SERVER_VERSION_MIN)
}

impl Streams {
    /// Whether there is a connection now.
    pub fn is_connected(&self) -> bool {
        matches!(self.context.client().connection_state(), async_nats::connection::State::Connected)
    }

    /// The names of those streams that cannot be seen now.
    pub async fn missing(&self, names: &[StreamName]) -> Vec<&'static str> {
        let mut missing = Vec::new();
        for name in names {
            if !matches!(self.observe(*name).await, Ok(Some(_))) {
                missing.push(name.as_str());
            }
        }
        missing
    }

    /// Waits until the streams exist, which is retention's work; says every few seconds what is
    /// missing. False when `stop` came first.
    pub async fn wait_for(&self, names: &[StreamName], stop: &CancellationToken) -> bool {
        let mut said = tokio::time::Instant::now() - WAIT_NOTICE;
        loop {
            let missing = self.missing(names).await;
            if missing.is_empty() {
                return true;
            }
            if said.elapsed() >= WAIT_NOTICE {
                tracing::warn!(
                    missing = missing.join(", "),
                    "waiting for streams: is the retention service running?"
                );
                said = tokio::time::Instant::now();
            }
            tokio::select! {
                () = stop.cancelled() => return false,
                () = tokio::time::sleep(Duration::from_millis(200)) => {}
            }
        }
    }

    /// Lets what was published leave this process, before it ends.
    pub async fn flush(&self) -> Result<(), ReadError> {
        let client = self.context.client();
        match tokio::time::timeout(REQUEST_TIMEOUT, client.flush()).await {
            Ok(flushed) => flushed.map_err(ReadError::unavailable),
            Err(_) => Err(ReadError::Unavailable("flush timed out".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_below_the_floor_are_refused() {
        for (version, good) in [
            ("2.9.10", false),
            ("2.14.6", false),
            ("2.14.7", true),
            ("v2.15.1", true),
            ("2.15.0-dev", true),
            ("3.0.0", true),
            ("", false),
            ("latest", false),
        ] {
            assert_eq!(is_new_enough(version), good, "{version}");
        }
    }
}
