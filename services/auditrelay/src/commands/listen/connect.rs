//! Points a webhook at our own receiver for as long as it runs, and removes every trace after.

use auditrelay_model::destination::LogFormat;
use auditrelay_model::id::PortalId;
use auditrelay_runtime::ids;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::{Client, ClientError};
use crate::failure::Failure;
use crate::output;

/// A destination and a webhook that exist for us alone.
#[derive(Debug)]
pub(super) struct Connection {
    client: Client,
    destination: String,
    webhook: String,
}

impl Connection {
    /// Makes the destination and binds the webhook to it; a webhook that is in use is left alone.
    pub(super) async fn make(
        client: Client,
        portal: Option<PortalId>,
        receiver: Value,
    ) -> Result<Self, Failure> {
        let webhook = match portal {
            None => "/v3/audit-log-webhook".to_owned(),
            Some(portal) => format!("/v3/portals/{portal}/audit-log-webhook"),
        };
        if is_bound(&client, &webhook).await? {
            return Err(Failure::Other(anyhow::anyhow!(
                "the webhook has a destination already; remove it first (DELETE {webhook})"
            )));
        }
        let path = "/v3/audit-log-destinations";
        let made = client.expect(Method::POST, path, Some(&receiver)).await?;
        let destination = made.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let connection = Self { client, destination, webhook };
        let bind = json!({
            "audit_log_destination_id": connection.destination,
            "enabled": true,
        });
        let bound = connection.client.expect(Method::PATCH, &connection.webhook, Some(&bind)).await;
        if let Err(error) = bound {
            connection.remove().await;
            return Err(error.into());
        }
        Ok(connection)
    }

    /// Removes the webhook, then the destination. What cannot be removed is named: somebody has
    /// to know that it is still there.
    pub(super) async fn remove(self) {
        let destination = format!("/v3/audit-log-destinations/{}", self.destination);
        for path in [&self.webhook, &destination] {
            match self.client.expect(Method::DELETE, path, None).await {
                Ok(_) => {}
                Err(ClientError::Refused(refusal)) if refusal.status == StatusCode::NOT_FOUND => {}
                Err(error) => output::note(&format!("auditrelay: still there: {error}")),
            }
        }
    }
}

async fn is_bound(client: &Client, webhook: &str) -> Result<bool, ClientError> {
    match client.get(webhook).await {
        Ok(found) => Ok(found.get("audit_log_destination_id").is_some_and(Value::is_string)),
        Err(ClientError::Refused(refusal)) if refusal.status == StatusCode::NOT_FOUND => Ok(false),
        Err(error) => Err(error),
    }
}

/// What the destination is made of.
pub(super) fn destination(endpoint: &str, authorization: &str, format: LogFormat) -> Value {
    json!({
        "name": format!("auditrelay-listen-{}", ids::uuid_v7()),
        "endpoint": endpoint,
        "authorization": authorization,
        "log_format": format.name(),
        "skip_ssl_verification": false,
    })
}

/// A value that nobody else can send.
pub(super) fn random_authorization() -> String {
    format!("Bearer {}{}", ids::uuid_v4().simple(), ids::uuid_v4().simple())
}
