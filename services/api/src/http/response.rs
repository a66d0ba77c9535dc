//! What handlers answer with.

use auditrelay_runtime::problem::Problem;
use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};
use serde::Serialize;

/// Every handler's answer.
pub(super) type Answer = Result<Response, Problem>;

/// A JSON document; not to be kept by anything between here and the client.
pub(super) fn json(status: StatusCode, document: &impl Serialize) -> Response {
    let mut response = (status, Json(document)).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// 200 with a JSON document.
pub(super) fn ok(document: &impl Serialize) -> Response {
    json(StatusCode::OK, document)
}

/// 204.
pub(super) fn no_content() -> Response {
    StatusCode::NO_CONTENT.into_response()
}
