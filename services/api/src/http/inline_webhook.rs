//! `/v2/audit-log-webhook`: the organization's webhook with its destination inline.

use auditrelay_api_core::Action;
use auditrelay_api_core::authz::Ask;
use auditrelay_api_core::webhook::inline::{Draft, View, implicit_id};
use axum::extract::Request;

use super::request::{self, organization_scope};
use super::response::{Answer, ok};
use crate::auth::Signed;
use crate::problems;

pub(super) async fn get(signed: Signed) -> Answer {
    let (scope, org) = organization_scope(&signed, Ask::ReadConfig)?;
    Ok(ok(&View::of(&*signed.api.read(org).await?, scope)))
}

pub(super) async fn patch(signed: Signed, request: Request) -> Answer {
    let (scope, org) = organization_scope(&signed, Ask::ChangeConfig)?;
    let body = request::json(request).await?;
    let api = &signed.api;
    let draft = Draft::parse(&body, &api.config.rules);
    let draft = draft.map_err(|faults| problems::invalid(&faults))?;
    let id = implicit_id(org);
    let secret = draft.authorization().map(|secret| api.seal(secret.expose(), id)).transpose()?;
    let patch = draft.sealed(secret, api.seal("", id)?, api.config.new_host_needs_authorization);
    let action = Action::PatchInlineWebhook(scope, patch);
    let config = api.execute(org, &signed, action).await?;
    Ok(ok(&View::of(&config, scope)))
}
