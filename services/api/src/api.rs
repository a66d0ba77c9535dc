//! What all handlers share.

use std::sync::Arc;
use std::time::Duration;

use auditrelay_api_core::limit::Rate;
use auditrelay_api_core::organization::check_name;
use auditrelay_api_core::{Action, Command, Denial, decide};
use auditrelay_model::config::OrgConfig;
use auditrelay_model::delivery::{Lane, LaneState};
use auditrelay_model::destination::SealedSecret;
use auditrelay_model::id::{CommandId, DestinationId, OrgId};
use auditrelay_model::replay::Jobs;
use auditrelay_model::{Clock, Scope, Timestamp};
use auditrelay_runtime::context::Context;
use auditrelay_runtime::ids;
use auditrelay_runtime::problem::Problem;
use auditrelay_signing::{Jwks, SealingKeys, SystemRandom, random_nonce};
use auditrelay_streams::{
    AccessLog, ConfigFold, ExecuteError, Executed, Projection, ReplayFold, Streams,
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::{Signed, Tokens};
use crate::config::Config;
use crate::console::LaneMemory;
use crate::limit::Limit;
use crate::oidc::Oidc;
use crate::problems;
use crate::telemetry::{Changed, Telemetry};
use crate::turns::Turns;

/// How long a projection may take to show what the broker has.
pub(crate) const CATCH_UP: Duration = Duration::from_secs(5);

/// Pages that one process gathers at the same time.
const PULLS_MAX: usize = 16;
/// Streams of events that one process serves at the same time.
const READERS_MAX: usize = 256;

/// What all handlers share; cheap to clone.
#[derive(Clone)]
pub(crate) struct Api(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) streams: Streams,
    pub(crate) configs: Projection<ConfigFold>,
    pub(crate) replays: Projection<ReplayFold>,
    pub(crate) tokens: Tokens,
    /// The identity provider, if there is one.
    pub(crate) oidc: Option<Oidc>,
    /// Notes uses of tokens and denied calls.
    pub(crate) log: AccessLog,
    /// What pages that list webhooks read of them before.
    pub(crate) lanes: LaneMemory,
    pub(crate) telemetry: Telemetry,
    pub(crate) jwks: Jwks,
    pub(crate) replay_limit: Limit<Scope>,
    pub(crate) request_limit: Limit<OrgId>,
    pub(crate) turns: Turns<OrgId>,
    /// Streams of server-sent events.
    pub(crate) watches: Turns<OrgId>,
    /// The process stops: streams end.
    pub(crate) soft: CancellationToken,
    /// Pages that are gathered at the same time; each takes some megabytes.
    pub(crate) pulls: Semaphore,
    /// Streams of events that consoles read at the same time.
    pub(crate) readers: Arc<Semaphore>,
    clock: Arc<dyn Clock>,
    pub(crate) sealing: SealingKeys,
    pub(crate) random: SystemRandom,
}

impl std::ops::Deref for Api {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Api {
    /// Begins to follow what the handlers read.
    pub(crate) fn new(config: Config, streams: Streams, context: &Context) -> anyhow::Result<Self> {
        let sealing = config.sealing.clone().ok_or_else(|| anyhow::anyhow!("no sealing keys"))?;
        let signing = config.signing.as_ref().ok_or_else(|| anyhow::anyhow!("no signing keys"))?;
        let telemetry = Telemetry::default();
        telemetry.register(&context.metrics);
        // Requests that are finished during the drain still read what they write, so following
        // ends with the process; the drain does not wait for it.
        let (stop, tasks) = (&context.drain.hard, &TaskTracker::new());
        let ends = (&context.drain.soft, &context.drain.tasks);
        Ok(Self(Arc::new(Inner {
            configs: Projection::start(&streams, stop, tasks),
            replays: Projection::start(&streams, stop, tasks),
            tokens: Tokens::default(),
            oidc: config
                .oidc
                .clone()
                .map(|rules| Oidc::new(rules, config.oidc_client.clone()))
                .transpose()?,
            log: AccessLog::start(&streams, "api", Arc::clone(&context.clock), ends),
            lanes: LaneMemory::new(telemetry.remembered_lanes.clone()),
            telemetry,
            jwks: signing.jwks(),
            replay_limit: Limit::new(Rate::REPLAYS),
            request_limit: Limit::new(Rate::REQUESTS),
            turns: Turns::default(),
            watches: Turns::default(),
            soft: context.drain.soft.clone(),
            pulls: Semaphore::new(PULLS_MAX),
            readers: Arc::new(Semaphore::new(READERS_MAX)),
            clock: Arc::clone(&context.clock),
            sealing,
            random: SystemRandom::new(),
            config,
            streams,
        })))
    }

    /// The time now.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// An organization's configuration with every write that was answered before.
    pub(crate) async fn read(&self, org: OrgId) -> Result<Arc<OrgConfig>, Problem> {
        let read = self.configs.read(&org).await;
        read.map(|versioned| versioned.state).map_err(|error| problems::unread(&error))
    }

    /// Carries a command out and answers with the configuration after it.
    pub(crate) async fn execute(
        &self,
        org: OrgId,
        by: &Signed,
        action: Action,
    ) -> Result<Arc<OrgConfig>, Problem> {
        let command = self.command(by, action);
        let executed = self.configs.execute(&org, |config| decide(config, &command)).await;
        self.decided(org, &command, executed)
    }

    /// Begins an organization, unless another one anywhere has its name.
    pub(crate) async fn begin(
        &self,
        org: OrgId,
        by: &Signed,
        name: String,
    ) -> Result<Arc<OrgConfig>, Problem> {
        let command = self.command(by, Action::CreateOrganization { name: name.clone() });
        let begun = |all: &[(OrgId, Arc<OrgConfig>)]| {
            check_name(&name, all.iter().map(|(_, config)| config.as_ref()))?;
            let facts = decide(&OrgConfig::default(), &command)?;
            facts.into_iter().next().ok_or(Denial::NotFound)
        };
        let executed = self.configs.execute_over_all(&org, begun).await;
        self.decided(org, &command, executed)
    }

    fn command(&self, by: &Signed, action: Action) -> Command {
        let id = CommandId::from_uuid(ids::uuid_v7());
        let (actor, origin) = (by.actor(), Some(by.origin.clone()));
        Command { at: self.now(), actor, origin, id, action }
    }

    fn decided(
        &self,
        org: OrgId,
        command: &Command,
        executed: Result<Executed<OrgConfig>, ExecuteError<Denial>>,
    ) -> Result<Arc<OrgConfig>, Problem> {
        let (action, actor) = (action_name(&command.action), command.actor.as_str());
        let result = result_name(executed.as_ref().err());
        self.telemetry.changed(&Changed { org, actor, action, result });
        executed.map(|done| done.state).map_err(|error| problems::unexecuted(&error))
    }

    /// A scope's replay jobs with every fact that was stored before.
    pub(crate) async fn jobs(&self, scope: Scope) -> Result<Arc<Jobs>, Problem> {
        let read = self.replays.read(&scope).await;
        read.map(|versioned| versioned.state).map_err(|error| problems::unread(&error))
    }

    /// How far a lane has come; a lane that never did anything has come nowhere.
    pub(crate) async fn lane(&self, scope: Scope, lane: Lane) -> Result<LaneState, Problem> {
        let last = self.streams.newest_delivery(scope, lane).await;
        let last = last.map_err(|error| problems::unread(&error))?;
        Ok(last.map(|(_, event)| event.state).unwrap_or_default())
    }

    /// Seals an authorization value for one destination.
    pub(crate) fn seal(
        &self,
        value: &str,
        destination: DestinationId,
    ) -> Result<SealedSecret, Problem> {
        let owner = destination.to_string();
        let nonce = random_nonce(&self.random).map_err(|_| Problem::internal())?;
        let sealed = self.sealing.seal(value.as_bytes(), owner.as_bytes(), nonce);
        let sealed = sealed.map_err(|_| Problem::internal())?;
        let (key_id, nonce) = (sealed.key_id, sealed.nonce.to_vec());
        Ok(SealedSecret { key_id, nonce, ciphertext: sealed.ciphertext })
    }

    /// 32 bytes that nobody can guess.
    pub(crate) fn random(&self) -> Result<[u8; 32], Problem> {
        let mut bytes = [0; 32];
        auditrelay_signing::SecureRandom::fill(&self.random, &mut bytes)
            .map_err(|_| Problem::internal())?;
        Ok(bytes)
    }
}

const fn action_name(action: &Action) -> &'static str {
    match action {
        Action::CreateOrganization { .. } => "create_organization",
        Action::IssueToken(_) => "issue_token",
        Action::RevokeToken(_) => "revoke_token",
        Action::EndSession { .. } => "end_session",
        Action::CreateDestination(_) => "create_destination",
        Action::UpdateDestination(..) => "update_destination",
        Action::DeleteDestination(_) => "delete_destination",
        Action::PatchWebhook(..) => "patch_webhook",
        Action::PatchInlineWebhook(..) => "patch_inline_webhook",
        Action::RemoveWebhook(_) => "remove_webhook",
        Action::CreatePortal(_) => "create_portal",
        Action::UpdatePortal(..) => "update_portal",
        Action::DeletePortal(_) => "delete_portal",
        Action::ChangePrivacy(_) => "change_privacy",
    }
}

const fn result_name(error: Option<&ExecuteError<Denial>>) -> &'static str {
    match error {
        None => "done",
        Some(ExecuteError::Denied(_)) => "denied",
        Some(ExecuteError::Unavailable(_)) => "unavailable",
        Some(ExecuteError::Contended) => "contended",
        Some(ExecuteError::Newer) => "newer",
    }
}
