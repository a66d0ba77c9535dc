//! `ingest`, `retention`, `replay-scheduler`, `webhook-sender`, `api`: one service, one process.

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use auditrelay_runtime::admin;
use auditrelay_runtime::context::Context;
use auditrelay_runtime::lifecycle::{self, Stopped};
use auditrelay_runtime::settings::Settings;
use auditrelay_streams::Streams;
use serde_json::json;

use crate::broker;
use crate::cli::Global;
use crate::failure::Failure;
use crate::output::{self, Output};
use crate::process::{self, Process};

const EXAMPLES: &str = "\
Examples:
  AUDITRELAY_NATS_URL=nats://127.0.0.1:4222 auditrelay retention
  auditrelay api --config auditrelay.toml --check

Settings come from the environment (AUDITRELAY_INGEST_LISTEN) and from the file ([ingest] listen);
the environment wins. Operators look at /live, /ready and /metrics on admin.listen. SIGTERM: not
ready, after drain.delay it drains within drain.grace; a second one ends at once. Wrong settings: a line each, exit code 78.";

/// How long to wait between tries to reach the broker.
const CONNECT_PAUSE: Duration = Duration::from_secs(1);
/// How often to say for the same reason that it cannot be reached.
const SAY_EVERY: u32 = 15;

/// How to run a service.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ServiceArgs {
    /// Only say whether the settings are in order
    #[arg(long)]
    check: bool,
}

/// Which service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Ingest,
    Retention,
    ReplayScheduler,
    WebhookSender,
    Api,
}

impl Role {
    /// All of them.
    pub(crate) const ALL: [Self; 5] =
        [Self::Ingest, Self::Retention, Self::ReplayScheduler, Self::WebhookSender, Self::Api];

    /// As it is called on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Retention => "retention",
            Self::ReplayScheduler => "replay-scheduler",
            Self::WebhookSender => "webhook-sender",
            Self::Api => "api",
        }
    }

    /// The sections whose keys it must all know.
    pub(crate) const fn sections(self) -> &'static [&'static str] {
        match self {
            Self::Ingest => &["ingest"],
            Self::Retention => &["retention"],
            Self::ReplayScheduler => &["scheduler"],
            Self::WebhookSender => &["sender", "sealing", "signing"],
            Self::Api => &["api", "sealing", "signing"],
        }
    }
}

/// The service of this name, for arguments.
pub(super) fn role(name: &str) -> Result<Role, String> {
    Role::ALL.into_iter().find(|role| role.name() == name).ok_or_else(|| {
        let names = Role::ALL.map(Role::name);
        format!("expected one of {}", names.join(", "))
    })
}

/// A service with its settings.
pub(super) enum Configured {
    Ingest(auditrelay_ingest::Config),
    Retention(auditrelay_retention::Config),
    ReplayScheduler(auditrelay_replay_scheduler::Config),
    WebhookSender(Box<auditrelay_webhook_sender::Config>),
    Api(Box<auditrelay_api::Config>),
}

impl Configured {
    pub(super) fn parse(role: Role, settings: &mut Settings) -> Self {
        match role {
            Role::Ingest => Self::Ingest(auditrelay_ingest::Config::parse(settings)),
            Role::Retention => Self::Retention(auditrelay_retention::Config::parse(settings)),
            Role::ReplayScheduler => {
                Self::ReplayScheduler(auditrelay_replay_scheduler::Config::parse(settings))
            }
            Role::WebhookSender => {
                Self::WebhookSender(Box::new(auditrelay_webhook_sender::Config::parse(settings)))
            }
            Role::Api => Self::Api(Box::new(auditrelay_api::Config::parse(settings))),
        }
    }

    async fn start(self, streams: Streams, context: Context) -> anyhow::Result<()> {
        match self {
            Self::Ingest(config) => {
                auditrelay_ingest::start(config, streams, context).await.map(drop)
            }
            Self::Retention(config) => auditrelay_retention::start(config, streams, context).await,
            Self::ReplayScheduler(config) => {
                auditrelay_replay_scheduler::start(config, streams, context).await
            }
            Self::WebhookSender(config) => {
                auditrelay_webhook_sender::start(*config, streams, context).await.map(drop)
            }
            Self::Api(config) => auditrelay_api::start(*config, streams, context).await.map(drop),
        }
    }
}

/// Runs the service until it is told to stop.
pub(crate) async fn run(
    role: Role,
    args: ServiceArgs,
    global: &Global,
) -> Result<ExitCode, Failure> {
    let mut settings = process::load(global.config.as_deref(), &[])?;
    process::allow_other_services(&mut settings, role.sections());
    let process = Process::parse(&mut settings, role.name(), global);
    let service = Configured::parse(role, &mut settings);
    let doubts = settings.doubts();
    settings.finish()?;
    if args.check {
        process::mention(&doubts);
        match global.output {
            Output::Text => output::line(&format!("{}: the settings are in order", role.name())),
            Output::Json => output::json(&json!({ "service": role.name(), "status": "ok" })),
        }
        return Ok(ExitCode::SUCCESS);
    }
    let guard = process.telemetry(role.name())?;
    let context = Context::new(process.instance.clone());
    process::tell(&doubts, &context.metrics);
    let place = format!("admin.listen {}", process.admin);
    admin::serve(process.admin, context.clone()).await.map_err(Failure::io(place))?;
    tracing::info!(service = role.name(), version = env!("CARGO_PKG_VERSION"), admin = %process.admin, "started");
    let (delay, grace) = (process.delay, process.grace);
    let failed = Arc::new(OnceLock::new());
    context.drain.spawn("start", start(service, process, context.clone(), Arc::clone(&failed)));
    let stopped = lifecycle::signals(context.drain.clone(), delay, grace).await;
    tracing::info!(clean = stopped == Stopped::Clean, "stopped");
    guard.shutdown().await;
    match (Arc::into_inner(failed).and_then(OnceLock::into_inner), stopped) {
        (Some(error), _) => Err(in_words(error)),
        (None, Stopped::Clean) => Ok(ExitCode::SUCCESS),
        (None, Stopped::Forced) => Ok(ExitCode::FAILURE),
    }
}

/// Connects, then starts the service; what it cannot start without ends the process.
async fn start(
    service: Configured,
    process: Process,
    context: Context,
    failed: Arc<OnceLock<anyhow::Error>>,
) {
    let Some(streams) = connect(&process, &context).await else { return };
    broker::watch(streams.clone(), &context);
    if let Err(error) = service.start(streams, context.clone()).await {
        // Only one task ever sets it.
        let _already = failed.set(error);
        context.drain.soft.cancel();
    }
}

/// A broker that is away at the start is waited for, as one that goes away later is.
async fn connect(process: &Process, context: &Context) -> Option<Streams> {
    context.readiness.set("nats", Err("not connected yet".to_owned()));
    let mut tries = 0_u32;
    let mut said = String::new();
    loop {
        match auditrelay_streams::connect_with(&process.nats, &process.tls).await {
            Ok(streams) => {
                context.readiness.set("nats", Ok(()));
                return Some(streams);
            }
            Err(error) => {
                let words = process::in_words(error, &process.nats.url);
                if tries.is_multiple_of(SAY_EVERY) || words != said {
                    tracing::warn!(reason = words, "the broker cannot be used yet: trying again");
                    said.clone_from(&words);
                }
                context.readiness.set("nats", Err(words));
                tries = tries.wrapping_add(1);
            }
        }
        tokio::select! {
            () = context.drain.soft.cancelled() => return None,
            () = tokio::time::sleep(CONNECT_PAUSE) => {}
        }
    }
}

/// An address that cannot be listened on is an I/O matter, and says so in the exit code.
fn in_words(error: anyhow::Error) -> Failure {
    let what = error.to_string();
    match error.downcast::<std::io::Error>() {
        Ok(source) => Failure::Io { what, source },
        Err(error) => Failure::Other(error),
    }
}
