//! What all lanes of a sender share.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use auditrelay_model::destination::Destination;
use auditrelay_model::id::{BatchId, DestinationId};
use auditrelay_model::replay::Target;
use auditrelay_model::{Scope, Timestamp};
use auditrelay_runtime::context::Context;
use auditrelay_runtime::ids;
use auditrelay_streams::{ConfigFold, Projection, Streams, shard_of};
use auditrelay_webhook_sender_core::lane::{Moment, Switch};
use auditrelay_webhook_sender_core::route;
use http::HeaderValue;
use tokio::sync::Semaphore;

use crate::config::{Config, Keys};
use crate::destinations::Destinations;
use crate::memory::Memory;
use crate::shards::HeldShards;
use crate::telemetry::Telemetry;
use crate::transport::Transport;
use crate::writing_pool::WritingPool;

/// Who asks for a single request waits a little longer than this, whatever deliveries may take.
const COMMAND_DEADLINE_MAX: Duration = Duration::from_secs(15);

/// What all lanes of a sender share.
pub(crate) struct Sender {
    pub(crate) config: Config,
    pub(crate) keys: Keys,
    pub(crate) streams: Streams,
    pub(crate) context: Context,
    pub(crate) configured: Projection<ConfigFold>,
    pub(crate) transport: Transport,
    pub(crate) telemetry: Telemetry,
    /// For records that wait.
    pub(crate) memory: Arc<Memory>,
    /// Where batches are written.
    pub(crate) writing: WritingPool,
    /// The shards that this sender holds.
    pub(crate) shards: HeldShards,
    /// Requests that are out at the same time.
    pub(crate) requests: Semaphore,
    pub(crate) destinations: Destinations,
}

/// A scope's receiver as it is configured now.
#[derive(Debug, Clone)]
pub(crate) struct Receiver {
    pub(crate) switch: Switch,
    /// When the webhook could first send: another time is another webhook.
    pub(crate) since: Option<Timestamp>,
    pub(crate) destination: Option<Arc<Destination>>,
}

impl Sender {
    pub(crate) fn now(&self) -> Timestamp {
        self.context.clock.now()
    }

    /// How long a request may take that somebody waits for.
    pub(crate) fn command_deadline(&self) -> Duration {
        self.config.request_deadline.min(COMMAND_DEADLINE_MAX)
    }

    pub(crate) fn moment(&self) -> Moment {
        let (now, running) = (self.now(), self.destinations.running());
        Moment { now, running, chance: ids::chance(), fresh: BatchId::from_uuid(ids::uuid_v7()) }
    }

    pub(crate) fn receiver(&self, scope: Scope, target: Target) -> Receiver {
        let config = self.configured.get(&scope.org()).state;
        let (switch, destination) =
            route::receiver(&config, scope, target, |id| self.config.limits.of(id).in_flight);
        Receiver {
            switch,
            since: if target.destination.is_none() { route::since(&config, scope) } else { None },
            destination: destination.map(Arc::new),
        }
    }

    /// Events a second that this sender may give a destination; none where there is no cap.
    pub(crate) fn rate(&self, scope: Scope, destination: DestinationId) -> Option<u64> {
        let cap = self.config.limits.of(destination).events_per_second?;
        let config = self.configured.get(&scope.org()).state;
        let mine = |scope| self.shards.holds(shard_of(scope));
        let (here, all) = route::share(&config, destination, mine);
        Some((cap * here.max(1) / all.max(1)).max(1))
    }

    /// The `Authorization` header's value; none where the destination has none.
    pub(crate) fn authorization(
        &self,
        destination: &Destination,
    ) -> anyhow::Result<Option<HeaderValue>> {
        let sealed = &destination.authorization;
        let associated = destination.id.to_string();
        let opened = self
            .keys
            .sealing
            .open_text(&sealed.key_id, &sealed.nonce, &sealed.ciphertext, associated.as_bytes())
            .context("the destination's authorization cannot be opened")?;
        if opened.is_empty() {
            return Ok(None);
        }
        let mut value = HeaderValue::from_str(&opened)
            .context("the destination's authorization is not a header value")?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}
