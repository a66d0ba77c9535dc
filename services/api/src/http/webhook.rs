//! `/v3/audit-log-webhook` and `/v3/portals/{portal}/audit-log-webhook`.

use std::sync::Arc;

use auditrelay_api_core::Action;
use auditrelay_api_core::authz::Ask;
use auditrelay_api_core::webhook::{View, WebhookPatch};
use auditrelay_model::Scope;
use auditrelay_model::config::OrgConfig;
use auditrelay_model::id::PortalId;
use auditrelay_runtime::problem::Problem;
use axum::extract::Request;
use serde_json::json;

use super::request::{self, Id, organization_scope, portal_scope};
use super::response::{Answer, no_content, ok};
use crate::auth::Signed;
use crate::problems;

/// Not found until there is a destination: the answer's schema demands its id.
pub(super) async fn get(signed: Signed) -> Answer {
    let (scope, org) = organization_scope(&signed, Ask::ReadConfig)?;
    let config = signed.api.read(org).await?;
    let webhook = config.webhooks.get(&scope);
    let webhook = webhook.filter(|webhook| webhook.destination.is_some());
    Ok(ok(&View::of(Some(webhook.ok_or_else(Problem::not_found)?))))
}

pub(super) async fn patch(signed: Signed, request: Request) -> Answer {
    let (scope, _) = organization_scope(&signed, Ask::ChangeConfig)?;
    patch_scope(&signed, scope, request).await
}

pub(super) async fn delete(signed: Signed) -> Answer {
    let (scope, _) = organization_scope(&signed, Ask::ChangeConfig)?;
    remove(&signed, scope).await
}

/// A portal whose webhook was never set has one that is switched off.
pub(super) async fn get_of_portal(signed: Signed, Id(portal): Id<PortalId>) -> Answer {
    let (scope, config) = portal_scope(&signed, Ask::ReadConfig, portal).await?;
    Ok(match config.webhooks.get(&scope) {
        None => ok(&json!({ "enabled": false })),
        Some(webhook) => ok(&View::of(Some(webhook))),
    })
}

pub(super) async fn patch_of_portal(
    signed: Signed,
    Id(portal): Id<PortalId>,
    request: Request,
) -> Answer {
    let (scope, _) = portal_scope(&signed, Ask::ChangeConfig, portal).await?;
    patch_scope(&signed, scope, request).await
}

pub(super) async fn delete_of_portal(signed: Signed, Id(portal): Id<PortalId>) -> Answer {
    let (scope, _) = portal_scope(&signed, Ask::ChangeConfig, portal).await?;
    remove(&signed, scope).await
}

async fn patch_scope(signed: &Signed, scope: Scope, request: Request) -> Answer {
    let body = request::json(request).await?;
    let config = change(signed, scope, &body).await?;
    Ok(ok(&View::of(config.webhooks.get(&scope))))
}

/// Changes a scope's webhook as a body asks.
pub(crate) async fn change(
    signed: &Signed,
    scope: Scope,
    body: &[u8],
) -> Result<Arc<OrgConfig>, Problem> {
    signed.of(Ask::ChangeConfig, scope.org())?;
    let patch = WebhookPatch::parse(body).map_err(|faults| problems::invalid(&faults))?;
    let action = Action::PatchWebhook(scope, patch);
    signed.api.execute(scope.org(), signed, action).await
}

async fn remove(signed: &Signed, scope: Scope) -> Answer {
    let action = Action::RemoveWebhook(scope);
    signed.api.execute(scope.org(), signed, action).await?;
    Ok(no_content())
}
