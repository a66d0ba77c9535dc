//! The organization and the tokens of a system on one machine, made through its own API.

use std::time::Duration;

use auditrelay_model::id::OrgId;
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use super::folder::Folder;
use crate::client::{Call, Client, ClientError};
use crate::failure::Failure;
use crate::files;

/// How long the system may take to answer at the start: it may have a long log to read.
const PATIENCE: Duration = Duration::from_mins(1);

/// The organization and who may do what in it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Tokens {
    /// The organization's id.
    pub(crate) organization: String,
    /// Configures.
    pub(crate) admin: String,
    /// Sends audit events.
    pub(crate) producer: String,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("organization", &self.organization).finish_non_exhaustive()
    }
}

/// The tokens of an earlier run when the store still knows them, new ones otherwise.
pub(super) async fn tokens(folder: &Folder, url: &Url) -> Result<Tokens, Failure> {
    let path = folder.tokens();
    if let Some(tokens) = std::fs::read_to_string(&path)
        .ok()
        .and_then(|text| serde_json::from_str::<Tokens>(&text).ok())
        && is_known(url, &tokens).await?
    {
        return Ok(tokens);
    }
    let tokens = make(folder, url).await?;
    let text = json!(tokens).to_string();
    files::replace_private(&path, &text).map_err(Failure::io(path.display().to_string()))?;
    Ok(tokens)
}

async fn is_known(url: &Url, tokens: &Tokens) -> Result<bool, Failure> {
    let client = Client::new(url, &tokens.admin)?;
    match ask(&client, Method::GET, "/v3/audit-log-destinations", None).await {
        Ok(_) => Ok(true),
        Err(ClientError::Refused(refusal)) if refusal.status.is_client_error() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

async fn make(folder: &Folder, url: &Url) -> Result<Tokens, Failure> {
    let name = folder.platform_token();
    let platform = std::fs::read_to_string(&name).map_err(Failure::io(name))?;
    let client = Client::new(url, platform.trim())?;
    let body = json!({ "name": "development" });
    let made = ask(&client, Method::POST, "/v1/organizations", Some(&body)).await?;
    let organization: OrgId = text(&made, "id")?.parse().map_err(anyhow::Error::from)?;
    Ok(Tokens {
        organization: organization.to_string(),
        admin: issue(&client, organization, "admin").await?,
        producer: issue(&client, organization, "producer").await?,
    })
}

async fn issue(client: &Client, organization: OrgId, role: &str) -> Result<String, Failure> {
    let path = format!("/v1/organizations/{organization}/tokens");
    let body = json!({ "name": role, "role": role });
    let made = ask(client, Method::POST, &path, Some(&body)).await?;
    Ok(text(&made, "token")?.to_owned())
}

/// The streams are made while the first requests already come: 503 is no refusal here.
async fn ask(
    client: &Client,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<Value, ClientError> {
    let call = Call { method, path, body: body.map(Value::to_string), idempotency_key: None };
    client.patiently(&call, PATIENCE, |_, _| ()).await?.success(&call)
}

fn text<'a>(document: &'a Value, name: &str) -> Result<&'a str, Failure> {
    let text = document.get(name).and_then(Value::as_str);
    text.ok_or_else(|| Failure::Other(anyhow::anyhow!("the answer has no {name}")))
}
