//! Every route, in one table. Version 2 and 3 show the same things on the same host.

pub(crate) mod attempts;
pub(crate) mod audit_logs;
mod coverage;
pub(crate) mod destinations;
mod docs;
mod foreign;
mod identity;
mod inline_webhook;
mod jwks;
mod newest_first;
mod organizations;
mod portal_children;
pub(crate) mod portals;
mod privacy;
pub(crate) mod progress;
pub(crate) mod quarantine;
pub(crate) mod replay;
pub(crate) mod replay_estimates;
mod replay_events;
pub(crate) mod replay_jobs;
pub(crate) mod replay_report;
pub(crate) mod request;
mod response;
pub(crate) mod status;
pub(crate) mod test_delivery;
pub(crate) mod tokens;
pub(crate) mod webhook;

use axum::Router;
use axum::routing::{delete, get, post};

use crate::api::Api;
use crate::console;

/// The table.
pub(crate) fn router(api: Api) -> Router {
    let foreign = if api.config.foreign_stubs { foreign::routes() } else { Router::new() };
    Router::new()
        .merge(organization_log("/v2"))
        .merge(organization_log("/v3"))
        .route("/v2/audit-log-webhook", get(inline_webhook::get).patch(inline_webhook::patch))
        .route(
            "/v3/audit-log-webhook",
            get(webhook::get).patch(webhook::patch).delete(webhook::delete),
        )
        .route("/v2/audit-log-webhook/jwks.json", get(jwks::get))
        .route("/v3/audit-log-webhook/jwks.json", get(jwks::get))
        .route("/v3/audit-logs", get(audit_logs::get))
        .route("/v3/organizations/me", get(identity::organization))
        .route("/v3/users/me", get(identity::user))
        .merge(portals())
        .merge(own())
        .merge(docs::routes())
        .merge(foreign)
        .merge(console::routes(&api))
        .with_state(api)
}

/// What both versions have for the organization's own log.
fn organization_log(version: &str) -> Router<Api> {
    let path = |path: &str| format!("{version}{path}");
    Router::new()
        .route(&path("/audit-log-destinations"), get(destinations::list).post(destinations::create))
        .route(
            &path("/audit-log-destinations/{id}"),
            get(destinations::get).patch(destinations::patch).delete(destinations::delete),
        )
        .route(&path("/audit-log-webhook/status"), get(status::get))
        .route(&path("/audit-log-replay-job"), get(replay::get).put(replay::put))
}

fn portals() -> Router<Api> {
    Router::new()
        .route("/v3/portals", get(portals::list).post(portals::create))
        .route(
            "/v3/portals/{portal}",
            get(portals::get).patch(portals::patch).delete(portals::delete),
        )
        .route(
            "/v3/portals/{portal}/audit-log-webhook",
            get(webhook::get_of_portal)
                .patch(webhook::patch_of_portal)
                .delete(webhook::delete_of_portal),
        )
        .route("/v3/portals/{portal}/audit-log-webhook/status", get(status::get_of_portal))
        .route(
            "/v3/portals/{portal}/audit-log-replay-job",
            get(replay::get_of_portal).put(replay::put_of_portal),
        )
        .route("/v3/portals/{portal}/audit-logs", get(audit_logs::get_of_portal))
        .merge(portal_children::routes())
}

/// Our own, where nobody expects what Konnect has.
fn own() -> Router<Api> {
    Router::new()
        .route("/v1/organizations", get(organizations::list).post(organizations::create))
        .route("/v1/organizations/{org}/tokens", get(tokens::list).post(tokens::issue))
        .route("/v1/organizations/{org}/tokens/{token}", delete(tokens::revoke))
        .route("/v1/coverage", get(coverage::get))
        .route("/v1/privacy", get(privacy::get).put(privacy::put))
        .route("/v1/destinations/{id}/test", post(test_delivery::stored))
        .route("/v1/destination-tests", post(test_delivery::draft))
        .route("/v1/webhooks/{scope}/delivery", get(status::delivery))
        .route("/v1/webhooks/{scope}/attempts", get(attempts::list))
        .route("/v1/webhooks/{scope}/quarantine", get(quarantine::list))
        .route("/v1/webhooks/{scope}/quarantine/{id}", get(quarantine::get))
        .route("/v1/webhooks/{scope}/quarantine/{id}/resend", post(quarantine::resend))
        .route("/v1/webhooks/{scope}/quarantine/{id}/discard", post(quarantine::discard))
        .route("/v1/replay-job", get(progress::get))
        .route("/v1/replay-job/cancel", post(progress::cancel))
        .route("/v1/portals/{portal}/replay-job", get(progress::get_of_portal))
        .route("/v1/portals/{portal}/replay-job/cancel", post(progress::cancel_of_portal))
        .merge(replay_jobs())
}

/// Replay jobs with all that Konnect does not have.
fn replay_jobs() -> Router<Api> {
    Router::new()
        .route("/v1/replay-estimates", post(replay_estimates::post))
        .route("/v1/replay-jobs", get(replay_jobs::list).post(replay_jobs::create))
        .route("/v1/portal-replay-jobs", post(replay_jobs::create_of_portals))
        .route("/v1/replay-jobs/{job}", get(replay_jobs::get))
        .route("/v1/replay-jobs/{job}/pause", post(replay_jobs::pause))
        .route("/v1/replay-jobs/{job}/resume", post(replay_jobs::resume))
        .route("/v1/replay-jobs/{job}/cancel", post(replay_jobs::cancel))
        .route("/v1/replay-jobs/{job}/retry", post(replay_jobs::retry))
        .route("/v1/replay-jobs/{job}/events", get(replay_events::get))
        .route("/v1/replay-jobs/{job}/report", get(replay_report::get))
}
