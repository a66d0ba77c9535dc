//! `/v3/organizations/me` and `/v3/users/me`: who am I? Clients ask it when somebody signs in.

use auditrelay_api_core::authz::Ask;
use auditrelay_model::access::Principal;
use auditrelay_model::window::RETENTION;
use auditrelay_runtime::problem::Problem;
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::response::{Answer, ok};
use crate::auth::Signed;

pub(super) async fn organization(signed: Signed) -> Answer {
    let org = signed.own(Ask::Identity)?;
    let config = signed.api.read(org).await?;
    let made = config.created_at.unwrap_or_default().to_rfc3339_seconds();
    Ok(ok(&json!({
        "id": org.to_string(),
        "name": config.name.as_ref().ok_or_else(Problem::not_found)?,
        "owner_id": null,
        "login_path": null,
        "state": "active",
        "retention_period_days": RETENTION.as_secs() / (24 * 3_600),
        "created_at": made,
        "updated_at": made,
    })))
}

pub(super) async fn user(signed: Signed) -> Answer {
    signed.own(Ask::Identity)?;
    let name = &signed.origin.principal_name;
    let id = match &signed.principal {
        Some(Principal::Token(id)) => id.uuid(),
        Some(Principal::Federated(subject)) => made_of(subject),
        None => return Err(Problem::not_found()),
    };
    let email = if name.contains('@') { name } else { "" };
    Ok(ok(&json!({
        "id": id.to_string(),
        "email": email,
        "full_name": name,
        "preferred_name": name,
        "active": true,
    })))
}

/// Always the same id for the same person.
fn made_of(subject: &str) -> Uuid {
    let digest: [u8; 32] = Sha256::digest(format!("auditrelay person\0{subject}")).into();
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}
