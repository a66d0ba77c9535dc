//! The organization's webhook as version 2 has it: with endpoint, authorization and format inline.
//! Behind it stands a destination of its own, which is not listed.

use auditrelay_model::Timestamp;
use auditrelay_model::config::{ConfigChange, OrgConfig};
use auditrelay_model::destination::{Destination, LogFormat, SealedSecret, TlsPolicy};
use auditrelay_model::id::{DestinationId, OrgId};
use auditrelay_model::scope::Scope;
use auditrelay_model::secret::Secret;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::address::AddressRules;
use crate::body::{Reader, Unknown};
use crate::command::{Decided, Denial};
use crate::destination::{DestinationPatch, PatchDraft, SEND_AGAIN};
use crate::fault::{Fault, Wrong};

/// The endpoint that a webhook without a destination shows; clients look for this word.
const UNCONFIGURED: &str = "unconfigured";
/// The time that things which never happened show.
pub const ZERO_TIME: &str = "0001-01-01T00:00:00Z";

/// What is to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InlinePatch {
    /// Of the destination; its authorization is sealed for [`implicit_id`].
    pub destination: DestinationPatch,
    /// The switch.
    pub enabled: Option<bool>,
    /// An empty authorization value, sealed: what a webhook made without one has.
    pub no_authorization: SealedSecret,
}

/// What somebody wants changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    destination: PatchDraft,
    enabled: Option<bool>,
}

impl Draft {
    /// Reads the body of a request to change the webhook.
    pub fn parse(body: &[u8], rules: &AddressRules) -> Result<Self, Vec<Fault>> {
        let mut reader = Reader::parse(body)?;
        let destination = PatchDraft::read(&mut reader, rules);
        let enabled = reader.flag("enabled").value();
        reader.finish(Unknown::Ignored)?;
        Ok(Self { destination, enabled })
    }

    /// The value that must be sealed before it is stored.
    pub const fn authorization(&self) -> Option<&Secret> {
        self.destination.authorization()
    }

    /// The change to be made.
    pub fn sealed(
        self,
        authorization: Option<SealedSecret>,
        no_authorization: SealedSecret,
        new_host_needs_authorization: bool,
    ) -> InlinePatch {
        InlinePatch {
            destination: self.destination.sealed(authorization, new_host_needs_authorization),
            enabled: self.enabled,
            no_authorization,
        }
    }
}

/// The id of the organization's own inline destination: always the same, so that its authorization
/// can be sealed for it before it is known whether it exists.
pub fn implicit_id(org: OrgId) -> DestinationId {
    let digest: [u8; 32] = Sha256::new()
        .chain_update(b"auditrelay inline destination\0")
        .chain_update(org.uuid().as_bytes())
        .finalize()
        .into();
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    DestinationId::from_uuid(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

/// Decides on a changed webhook.
pub(crate) fn patch(
    config: &OrgConfig,
    at: Timestamp,
    scope: Scope,
    patch: &InlinePatch,
) -> Decided {
    let old = config.webhooks.get(&scope);
    let bound = old.and_then(|webhook| config.destinations.get(&webhook.destination?));
    let enabled = patch.enabled.unwrap_or_else(|| old.is_some_and(|webhook| webhook.enabled));
    let (id, change) = match bound {
        Some(bound) => changed(config, at, bound, scope, patch)?,
        None => made(config, at, scope, patch)?,
    };
    let mut changes: Vec<ConfigChange> = change.into_iter().collect();
    changes.extend(super::change(config, scope, id, enabled));
    Ok(changes)
}

type Inline = (Option<DestinationId>, Option<ConfigChange>);

/// What becomes of the destination that the webhook has.
fn changed(
    config: &OrgConfig,
    at: Timestamp,
    bound: &Destination,
    scope: Scope,
    patch: &InlinePatch,
) -> Result<Inline, Denial> {
    let new = patch.destination.applied(bound);
    if new == *bound {
        return Ok((Some(bound.id), None));
    }
    if bound.implicit {
        if patch.destination.carries_secret_away(bound) {
            return Err(Denial::fault("authorization", SEND_AGAIN));
        }
        let change = ConfigChange::DestinationUpdated(Destination { updated_at: at, ..new });
        return Ok((Some(bound.id), Some(change)));
    }
    // Others may use a named destination; the webhook gets one of its own, and the authorization
    // of the named one is sealed for that one only.
    if patch.destination.authorization.is_none() {
        return Err(Denial::fault("authorization", Wrong::Required));
    }
    let (id, change) = stored(config, at, scope, new);
    Ok((Some(id), Some(change)))
}

/// The destination of a webhook that has none yet.
fn made(
    config: &OrgConfig,
    at: Timestamp,
    scope: Scope,
    patch: &InlinePatch,
) -> Result<Inline, Denial> {
    let wish = &patch.destination;
    let blank = Destination {
        id: implicit_id(scope.org()),
        name: String::new(),
        endpoint: String::new(),
        authorization: patch.no_authorization.clone(),
        log_format: LogFormat::Cef,
        tls: TlsPolicy::Verify,
        created_at: at,
        updated_at: at,
        implicit: true,
    };
    let new = wish.applied(&blank);
    if wish.endpoint.is_none() {
        return if new == blank && patch.enabled != Some(true) {
            Ok((None, None))
        } else {
            Err(Denial::fault("endpoint", Wrong::Required))
        };
    }
    let (id, change) = stored(config, at, scope, new);
    Ok((Some(id), Some(change)))
}

fn stored(
    config: &OrgConfig,
    at: Timestamp,
    scope: Scope,
    like: Destination,
) -> (DestinationId, ConfigChange) {
    let id = implicit_id(scope.org());
    let name = "org-webhook".to_owned();
    let new = Destination { id, name, created_at: at, updated_at: at, implicit: true, ..like };
    match config.destinations.get(&id) {
        Some(old) => {
            let new = Destination { created_at: old.created_at, ..new };
            (id, ConfigChange::DestinationUpdated(new))
        }
        None => (id, ConfigChange::DestinationCreated(new)),
    }
}

/// The organization's webhook on the wire of version 2.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct View {
    /// The destination's URL, or `unconfigured`.
    pub endpoint: String,
    /// The switch.
    pub enabled: bool,
    /// How batches are written.
    pub log_format: &'static str,
    /// Whether any certificate is taken.
    pub skip_ssl_verification: bool,
    /// When webhook or destination were last changed.
    pub updated_at: String,
    /// Which destination; clients show it although version 2 does not name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit_log_destination_id: Option<String>,
}

impl View {
    /// A scope's webhook with its destination.
    pub fn of(config: &OrgConfig, scope: Scope) -> Self {
        let webhook = config.webhooks.get(&scope);
        let bound = webhook.and_then(|webhook| config.destinations.get(&webhook.destination?));
        let changed = webhook.map(|webhook| webhook.updated_at);
        let changed = changed.max(bound.map(|bound| bound.updated_at));
        Self {
            endpoint: bound.map_or_else(|| UNCONFIGURED.to_owned(), |bound| bound.endpoint.clone()),
            enabled: bound.is_some() && webhook.is_some_and(|webhook| webhook.enabled),
            log_format: bound.map_or(LogFormat::Cef, |bound| bound.log_format).name(),
            skip_ssl_verification: bound.is_some_and(|bound| bound.tls.skips()),
            updated_at: changed.map_or_else(|| ZERO_TIME.to_owned(), |at| at.to_string()),
            audit_log_destination_id: bound.map(|bound| bound.id.to_string()),
        }
    }
}
