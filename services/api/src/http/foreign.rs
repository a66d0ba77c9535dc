//! Lists of things that we do not have, for clients that clean up everything they know of.

use auditrelay_api_core::authz::Ask;
use axum::Router;
use axum::routing::get;

use super::portal_children::empty_numbered;
use super::response::{Answer, ok};
use crate::api::Api;
use crate::auth::Signed;

const PATHS: &[&str] = &[
    "/v1/ai-gateways",
    "/v1/catalog-services",
    "/v1/event-gateways",
    "/v2/application-auth-strategies",
    "/v2/control-planes",
    "/v2/dashboards",
    "/v2/dcr-providers",
    "/v3/apis",
    "/v3/system-accounts",
    "/v3/teams",
];

/// All of them, empty.
pub(super) fn routes() -> Router<Api> {
    PATHS.iter().fold(Router::new(), |router, path| router.route(path, get(empty)))
}

async fn empty(signed: Signed) -> Answer {
    signed.own(Ask::ReadConfig)?;
    Ok(ok(&empty_numbered()))
}
