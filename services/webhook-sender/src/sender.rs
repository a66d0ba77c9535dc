//! What all lanes of a sender share.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use auditrelay_model::destination::Destination;
use auditrelay_model::id::BatchId;
use auditrelay_model::{Scope, Timestamp};
use auditrelay_runtime::context::Context;
use auditrelay_runtime::ids;
use auditrelay_streams::{ConfigFold, Projection, Streams};
use auditrelay_webhook_sender_core::lane::{Moment, Switch};
use auditrelay_webhook_sender_core::route;
use http::HeaderValue;
use tokio::sync::Semaphore;

use crate::config::{Config, Keys};
use crate::memory::Memory;
use crate::telemetry::Telemetry;
use crate::transport::Transport;

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
    /// Batches that are written at the same time.
    pub(crate) cpu: Arc<Semaphore>,
    /// Requests that are out at the same time.
    pub(crate) requests: Semaphore,
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
        Moment { now: self.now(), chance: ids::chance(), fresh: BatchId::from_uuid(ids::uuid_v7()) }
    }

    pub(crate) fn receiver(&self, scope: Scope) -> Receiver {
        let config = self.configured.get(&scope.org()).state;
        let destination = config.enabled_destination(scope).map(|(_, found)| found.clone());
        Receiver {
            switch: route::switch(&config, scope),
            since: route::since(&config, scope),
            destination: destination.map(Arc::new),
        }
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
