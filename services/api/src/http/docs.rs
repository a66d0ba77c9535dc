//! `/openapi.json` and `/docs`: this API, described. Public.

use std::sync::LazyLock;

use auditrelay_api_core::openapi::{DocsPage, docs_page, document};
use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};

use super::response::{Answer, ok};
use crate::api::Api;

static PAGE: LazyLock<DocsPage> = LazyLock::new(docs_page);
static DOCUMENT: LazyLock<serde_json::Value> = LazyLock::new(document);

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/openapi.json", get(machine)).route("/docs", get(people))
}

async fn machine() -> Answer {
    Ok(ok(&*DOCUMENT))
}

async fn people() -> Response {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, PAGE.policy.as_str()),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, PAGE.html.as_str()).into_response()
}
