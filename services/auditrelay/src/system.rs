//! Every service in this process, with a broker of their own: what `dev` and `demo` run.
//!
//! Cast: the data `folder` keeps keys, tokens and the broker's store between runs; the `guardian`
//! runs the broker and starts it again should it end; `bootstrap` makes the organization through
//! the public API. Services meet in the streams only, exactly as they do in processes of their own.
//!
//! Stopping goes in order, so that nothing is cut off in the middle: HTTP first, then the sender,
//! the scheduler and retention, last the broker.

mod bootstrap;
mod folder;
mod guardian;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use auditrelay_runtime::context::Context;
use auditrelay_runtime::lifecycle::{Drain, Stopped};
use auditrelay_runtime::settings::{Mistake, Settings};
use auditrelay_runtime::{admin, http};
use auditrelay_streams::Streams;
use tokio::net::TcpListener;
use url::Url;

pub(crate) use self::bootstrap::Tokens;
pub(crate) use self::folder::{Folder, default_data, kept_token};
use self::guardian::Guardian;
use crate::broker;
use crate::cli::Global;
use crate::failure::Failure;
use crate::process::{self, Process};

/// How to run the system.
#[derive(Debug)]
pub(crate) struct SystemOptions {
    /// Where keys, tokens and events are kept.
    pub(crate) data: PathBuf,
    /// Where the API and ingest listen together; the port may be 0.
    pub(crate) listen: SocketAddr,
    /// An external broker; none runs one of our own.
    pub(crate) nats_url: Option<String>,
    /// Settings beside those that suit one machine, as environment variables.
    pub(crate) settings: Vec<(String, String)>,
}

/// A running system.
#[derive(Debug)]
pub(crate) struct System {
    /// Where the API and ingest listen.
    pub(crate) url: Url,
    /// Where operators look; none when that address is taken.
    pub(crate) admin: Option<SocketAddr>,
    /// Who may do what.
    pub(crate) tokens: Tokens,
    parts: Parts,
}

/// What must be stopped, in this order.
#[derive(Debug)]
struct Parts {
    whole: Drain,
    front: Drain,
    sender: Drain,
    scheduler: Drain,
    retention: Drain,
    streams: Streams,
    broker: Option<Guardian>,
    /// Held until everything has ended.
    folder: Folder,
}

/// The settings of all five services.
struct Configs {
    ingest: auditrelay_ingest::Config,
    retention: auditrelay_retention::Config,
    scheduler: auditrelay_replay_scheduler::Config,
    sender: auditrelay_webhook_sender::Config,
    api: auditrelay_api::Config,
}

impl Configs {
    fn parse(settings: &mut Settings) -> Self {
        Self {
            ingest: auditrelay_ingest::Config::parse(settings),
            retention: auditrelay_retention::Config::parse(settings),
            scheduler: auditrelay_replay_scheduler::Config::parse(settings),
            sender: auditrelay_webhook_sender::Config::parse(settings),
            api: auditrelay_api::Config::parse(settings),
        }
    }
}

/// How long each part may take to drain.
const GRACE: Duration = Duration::from_secs(10);

/// A system that is about to start: its settings are read, its log is not yet installed.
pub(crate) struct Plan {
    pub(crate) process: Process,
    configs: Configs,
    doubts: Vec<Mistake>,
    folder: Folder,
    listen: SocketAddr,
    own_broker: bool,
}

impl Plan {
    /// Opens the data folder and reads the settings; nothing listens yet.
    pub(crate) fn new(options: SystemOptions, global: &Global) -> Result<Self, Failure> {
        let folder = Folder::open(&options.data)?;
        let mut extra = options.settings;
        extra.extend(suited_to_one_machine(&folder));
        if let Some(url) = &options.nats_url {
            extra.push(("AUDITRELAY_NATS_URL".to_owned(), url.clone()));
        }
        let mut settings = process::load(global.config.as_deref(), &extra)?;
        let mut process = Process::parse(&mut settings, "all", global);
        let configs = Configs::parse(&mut settings);
        let doubts = settings.doubts();
        settings.finish()?;
        if let Some(url) = options.nats_url.clone() {
            process.nats.url = url;
        }
        let own_broker = options.nats_url.is_none();
        Ok(Self { process, configs, doubts, folder, listen: options.listen, own_broker })
    }

    /// Starts everything and returns when requests can be answered.
    pub(crate) async fn start(mut self) -> Result<System, Failure> {
        let broker = if self.own_broker {
            let guardian = Guardian::start(self.folder.broker_store()).await?;
            guardian.url().clone_into(&mut self.process.nats.url);
            Some(guardian)
        } else {
            None
        };
        let streams = auditrelay_streams::connect_with(&self.process.nats, &self.process.tls)
            .await
            .map_err(|error| process::unusable(error, &self.process.nats.url))?;
        let listener =
            TcpListener::bind(self.listen).await.map_err(Failure::io(self.listen.to_string()))?;
        let address = listener.local_addr().map_err(Failure::io(self.listen.to_string()))?;
        let context = Context::new(self.process.instance.clone());
        process::tell(&self.doubts, &context.metrics);
        let parts = Parts {
            whole: context.drain.clone(),
            front: context.drain.child(),
            sender: context.drain.child(),
            scheduler: context.drain.child(),
            retention: context.drain.child(),
            streams,
            broker,
            folder: self.folder,
        };
        // An operator's port is a convenience here: another run may have it.
        let admin = admin::serve(self.process.admin, context.clone()).await.ok();
        parts.start(self.configs, listener, &context).await?;
        broker::watch(parts.streams.clone(), &context);
        let url = base_url(address)?;
        let tokens = bootstrap::tokens(&parts.folder, &url).await?;
        Ok(System { url, admin, tokens, parts })
    }
}

impl Parts {
    async fn start(
        &self,
        configs: Configs,
        listener: TcpListener,
        context: &Context,
    ) -> anyhow::Result<()> {
        let part = |drain: &Drain| Context { drain: drain.clone(), ..context.clone() };
        let streams = || self.streams.clone();
        auditrelay_retention::start(configs.retention, streams(), part(&self.retention)).await?;
        auditrelay_replay_scheduler::start(configs.scheduler, streams(), part(&self.scheduler))
            .await?;
        auditrelay_webhook_sender::start(configs.sender, streams(), part(&self.sender)).await?;
        let front = part(&self.front);
        let ingest = auditrelay_ingest::router(configs.ingest, streams(), front.clone()).await?;
        let api = auditrelay_api::router(configs.api, streams(), front).await?;
        let served = http::serve(listener, api.merge(ingest), self.front.clone());
        self.front.spawn("http", served);
        Ok(())
    }
}

impl System {
    /// Resolves when a part has failed and the system should stop.
    pub(crate) async fn failed(&self) {
        self.parts.whole.soft.cancelled().await;
    }

    /// Drains and stops everything in order.
    pub(crate) async fn stop(self) -> Stopped {
        let Parts { whole, front, sender, scheduler, retention, streams, broker, folder } =
            self.parts;
        let mut stopped = Stopped::Clean;
        for part in [front, sender, scheduler, retention, whole] {
            if part.stop(GRACE).await == Stopped::Forced {
                stopped = Stopped::Forced;
            }
        }
        if let Err(error) = streams.flush().await {
            tracing::debug!(%error, "the broker went first");
        }
        drop(streams);
        if let Some(broker) = broker {
            broker.stop().await;
        }
        // The next run may have it only now.
        drop(folder);
        stopped
    }
}

/// Loopback receivers, short waits; whoever sets a variable wins.
pub(crate) fn suited_to_one_machine(folder: &Folder) -> Vec<(String, String)> {
    let pairs = [
        ("AUDITRELAY_SIGNING_KEYS_FILE", folder.signing_keys()),
        ("AUDITRELAY_SEALING_KEYS_FILE", folder.sealing_keys()),
        ("AUDITRELAY_INGEST_PRIVACY_KEY_FILE", folder.privacy_key()),
        ("AUDITRELAY_API_PLATFORM_TOKEN_FILE", folder.platform_token()),
        ("AUDITRELAY_API_ALLOW_HTTP_DESTINATIONS", "true".to_owned()),
        ("AUDITRELAY_API_ALLOW_PRIVATE_DESTINATIONS", LOOPBACK.to_owned()),
        ("AUDITRELAY_SENDER_ALLOW_HTTP", "true".to_owned()),
        ("AUDITRELAY_SENDER_ALLOW_PRIVATE_DESTINATIONS", LOOPBACK.to_owned()),
        ("AUDITRELAY_SENDER_PROBE_MIN", "2s".to_owned()),
        ("AUDITRELAY_SENDER_PROBE_MAX", "15s".to_owned()),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value)).into()
}

const LOOPBACK: &str = "127.0.0.0/8,::1/128";

/// A wildcard address is reached through loopback.
fn base_url(address: SocketAddr) -> Result<Url, Failure> {
    let host = match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => "127.0.0.1".to_owned(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => "[::1]".to_owned(),
        SocketAddr::V4(v4) => v4.ip().to_string(),
        SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
    };
    let url = format!("http://{host}:{}", address.port());
    Url::parse(&url).map_err(|error| Failure::Other(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_is_shown_as_loopback() {
        let cases = [
            ("0.0.0.0:8080", "http://127.0.0.1:8080/"),
            ("[::]:1", "http://[::1]:1/"),
            ("192.0.2.1:80", "http://192.0.2.1/"),
        ];
        for (address, url) in cases {
            assert_eq!(base_url(address.parse().unwrap()).unwrap().as_str(), url);
        }
    }
}
