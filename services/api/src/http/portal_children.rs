//! What hangs on portals elsewhere and not here. Clients look at all of it before they plan
//! anything, each in the shape they decode; what may be missing is simply not found.

use auditrelay_api_core::authz::Ask;
use auditrelay_model::id::PortalId;
use auditrelay_runtime::problem::Problem;
use axum::Router;
use axum::routing::get;
use serde_json::{Value, json};

use super::request::{Id, portal_scope};
use super::response::{Answer, ok};
use crate::api::Api;
use crate::auth::Signed;

/// The children that must answer, and the word that is no portal's id.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/v3/portals/email-domains", get(email_domains))
        .route("/v3/portals/{portal}/pages", get(pages))
        .route("/v3/portals/{portal}/snippets", get(numbered))
        .route("/v3/portals/{portal}/teams", get(numbered))
        .route("/v3/portals/{portal}/ip-allow-list", get(ip_allow_list))
        .route("/v3/portals/{portal}/identity-providers", get(identity_providers))
        .route("/v3/portals/{portal}/email-config", get(missing))
        .route("/v3/portals/{portal}/custom-domain", get(missing).delete(missing))
}

/// An empty list with numbered pages.
pub(super) fn empty_numbered() -> Value {
    json!({ "data": [], "meta": { "page": { "total": 0, "size": 100, "number": 1 } } })
}

async fn email_domains(signed: Signed) -> Answer {
    signed.own(Ask::ReadConfig)?;
    Ok(ok(&empty_numbered()))
}

async fn pages(signed: Signed, portal: Id<PortalId>) -> Answer {
    child(&signed, portal, &json!({ "data": [] })).await
}

async fn numbered(signed: Signed, portal: Id<PortalId>) -> Answer {
    child(&signed, portal, &empty_numbered()).await
}

async fn ip_allow_list(signed: Signed, portal: Id<PortalId>) -> Answer {
    let meta = json!({ "next": null, "previous": null, "size": 100 });
    child(&signed, portal, &json!({ "data": [], "meta": meta })).await
}

/// A bare array, unlike all others.
async fn identity_providers(signed: Signed, portal: Id<PortalId>) -> Answer {
    child(&signed, portal, &json!([])).await
}

async fn missing(signed: Signed) -> Answer {
    signed.own(Ask::ReadConfig)?;
    Err(Problem::not_found())
}

async fn child(signed: &Signed, Id(portal): Id<PortalId>, empty: &Value) -> Answer {
    portal_scope(signed, Ask::ReadConfig, portal).await?;
    Ok(ok(empty))
}
