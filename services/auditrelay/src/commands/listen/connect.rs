//! Points a webhook at our own receiver. The destination is found again by its name, so that a
//! receiver that comes back gets what it missed; a webhook that sends elsewhere is left alone.

use auditrelay_model::id::{DestinationId, PortalId};
use auditrelay_runtime::ids;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::{Client, ClientError};
use crate::commands::org::{items, text};
use crate::failure::Failure;
use crate::output;

const DESTINATIONS: &str = "/v3/audit-log-destinations";

/// A destination and the webhook that is bound to it.
#[derive(Debug)]
pub(super) struct Connection {
    client: Client,
    destination: DestinationId,
    webhook: String,
}

impl Connection {
    /// Makes or takes up the destination that `wanted` names, and binds the webhook to it.
    pub(super) async fn make(
        client: Client,
        portal: Option<PortalId>,
        wanted: &Value,
    ) -> Result<Self, Failure> {
        let webhook = match portal {
            None => "/v3/audit-log-webhook".to_owned(),
            Some(portal) => format!("/v3/portals/{portal}/audit-log-webhook"),
        };
        let ours = find(&client, text(wanted, "name")).await?;
        let bound = bound_to(&client, &webhook).await?;
        if bound.is_some() && bound != ours {
            return Err(Failure::Other(anyhow::anyhow!(
                "the webhook has another destination already; remove it first (DELETE {webhook})"
            )));
        }
        let destination = put(&client, ours, wanted).await?;
        let bind = json!({ "audit_log_destination_id": destination, "enabled": true });
        client.expect(Method::PATCH, &webhook, Some(&bind)).await?;
        let destination = destination.parse().map_err(anyhow::Error::from)?;
        Ok(Self { client, destination, webhook })
    }

    /// Removes the webhook, then the destination. What cannot be removed is named: somebody has
    /// to know that it is still there.
    pub(super) async fn remove(self) {
        let destination = format!("{DESTINATIONS}/{}", self.destination);
        for path in [&self.webhook, &destination] {
            match self.client.expect(Method::DELETE, path, None).await {
                Ok(_) => {}
                Err(ClientError::Refused(refusal)) if refusal.status == StatusCode::NOT_FOUND => {}
                Err(error) => output::note(&format!("auditrelay: still there: {error}")),
            }
        }
    }
}

async fn find(client: &Client, name: &str) -> Result<Option<String>, ClientError> {
    let listed = client.get(DESTINATIONS).await?;
    let ours = items(&listed).find(|destination| text(destination, "name") == name);
    Ok(ours.map(|destination| text(destination, "id").to_owned()))
}

async fn bound_to(client: &Client, webhook: &str) -> Result<Option<String>, ClientError> {
    match client.get(webhook).await {
        Ok(found) => {
            let id = found.get("audit_log_destination_id").and_then(Value::as_str);
            Ok(id.map(str::to_owned))
        }
        Err(ClientError::Refused(refusal)) if refusal.status == StatusCode::NOT_FOUND => Ok(None),
        Err(error) => Err(error),
    }
}

/// An existing one gets our address and authorization of today.
async fn put(client: &Client, ours: Option<String>, wanted: &Value) -> Result<String, ClientError> {
    if let Some(id) = ours {
        client.expect(Method::PATCH, &format!("{DESTINATIONS}/{id}"), Some(wanted)).await?;
        return Ok(id);
    }
    let made = client.expect(Method::POST, DESTINATIONS, Some(wanted)).await?;
    Ok(text(&made, "id").to_owned())
}

/// A value that nobody else can send.
pub(super) fn random_authorization() -> String {
    format!("Bearer {}{}", ids::uuid_v4().simple(), ids::uuid_v4().simple())
}
