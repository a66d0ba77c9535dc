//! One service as if it were a process: a runtime and a connection of its own, so that killing it
//! leaves nothing of it behind.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use auditrelay_runtime::context::Context;
use auditrelay_runtime::lifecycle::Stopped;
use auditrelay_runtime::settings::Settings;
use auditrelay_streams::{NatsSettings, Streams, Tls};
use tokio::runtime::Runtime;

use crate::wait;

/// How long a service may take to finish what it has in hand.
const GRACE: Duration = Duration::from_secs(30);

/// A service of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// Makes the streams.
    Retention,
    /// Takes events in.
    Ingest,
    /// Decides about replay jobs.
    Scheduler,
    /// Sends.
    Sender,
    /// Answers people.
    Api,
}

impl Service {
    /// All of them, in the order in which they start.
    pub const ALL: [Self; 5] =
        [Self::Retention, Self::Ingest, Self::Scheduler, Self::Sender, Self::Api];

    /// Its user at the broker.
    pub const fn user(self) -> &'static str {
        self.section()
    }

    /// The part of the settings that is its own.
    const fn section(self) -> &'static str {
        match self {
            Self::Retention => "retention",
            Self::Ingest => "ingest",
            Self::Scheduler => "scheduler",
            Self::Sender => "sender",
            Self::Api => "api",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.section())
    }
}

/// A running service.
pub(super) struct Process {
    pub(super) service: Service,
    /// Where it listens, if it does.
    pub(super) address: Option<SocketAddr>,
    context: Context,
    runtime: Option<Runtime>,
}

impl Process {
    pub(super) fn metrics(&self) -> String {
        self.context.metrics.encode()
    }

    pub(super) async fn start(
        service: Service,
        instance: String,
        nats: (String, Tls),
        env: BTreeMap<String, String>,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name(instance.clone())
            .enable_all()
            .build()
            .expect("a runtime");
        let context = Context::new(instance);
        let begun = runtime.spawn(begin(service, nats, env, context.clone()));
        let begun = wait::soon(&format!("the start of {service}"), begun).await;
        let address = match begun.expect("a start that does not panic") {
            Ok(address) => address,
            Err(why) => panic!("{service} does not start: {why:#}"),
        };
        Self { service, address, context, runtime: Some(runtime) }
    }

    /// Waits until it says that it can work.
    pub(super) async fn ready(&self) {
        wait::until_so(&format!("{} to be ready", self.service), || {
            let missing = self.context.readiness.missing();
            if missing.is_empty() { Ok(()) } else { Err(format!("{missing:?}")) }
        })
        .await;
    }

    /// Tells it to stop and waits; it must finish by itself.
    pub(super) async fn stop(self) {
        let stopped = self.context.drain.stop(GRACE).await;
        assert!(matches!(stopped, Stopped::Clean), "{} had to be cut off", self.service);
    }
}

/// All at once, wherever its tasks stand, as if the process were killed.
impl Drop for Process {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn begin(
    service: Service,
    (url, tls): (String, Tls),
    env: BTreeMap<String, String>,
    context: Context,
) -> anyhow::Result<Option<SocketAddr>> {
    let mut settings = Settings::load(None, env.into_iter())?;
    for section in ["signing", "sealing"] {
        settings.allow_section(section);
    }
    for other in Service::ALL.iter().filter(|other| **other != service) {
        settings.allow_section(other.section());
    }
    let name = context.instance.clone();
    let connection = NatsSettings { url, credentials: None, name };
    let streams = auditrelay_streams::connect_with(&connection, &tls).await?;
    run(service, settings, streams, context).await
}

/// Reads what the service reads and starts it.
async fn run(
    service: Service,
    mut settings: Settings,
    streams: Streams,
    context: Context,
) -> anyhow::Result<Option<SocketAddr>> {
    match service {
        Service::Retention => {
            let config = auditrelay_retention::Config::parse(&mut settings);
            settings.finish()?;
            auditrelay_retention::start(config, streams, context).await?;
            Ok(None)
        }
        Service::Ingest => {
            let config = auditrelay_ingest::Config::parse(&mut settings);
            settings.finish()?;
            Ok(Some(auditrelay_ingest::start(config, streams, context).await?.address))
        }
        Service::Scheduler => {
            let config = auditrelay_replay_scheduler::Config::parse(&mut settings);
            settings.finish()?;
            auditrelay_replay_scheduler::start(config, streams, context).await?;
            Ok(None)
        }
        Service::Sender => {
            let config = auditrelay_webhook_sender::Config::parse(&mut settings);
            settings.finish()?;
            auditrelay_webhook_sender::start(config, streams, context).await?;
            Ok(None)
        }
        Service::Api => {
            let config = auditrelay_api::Config::parse(&mut settings);
            settings.finish()?;
            Ok(Some(auditrelay_api::start(config, streams, context).await?.address))
        }
    }
}
