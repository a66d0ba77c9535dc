//! What handlers answer with.

use auditrelay_runtime::problem::Problem;
use axum::Json;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

/// Every handler's answer.
pub(super) type Answer = Result<Response, Problem>;

/// A JSON document; not to be kept by anything between here and the client.
pub(super) fn json(status: StatusCode, document: &impl Serialize) -> Response {
    not_kept((status, Json(document)).into_response())
}

fn not_kept(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// 200 with a JSON document.
pub(super) fn ok(document: &impl Serialize) -> Response {
    json(StatusCode::OK, document)
}

/// 200 with a JSON document that is written already.
pub(super) fn ok_text(document: Bytes) -> Response {
    let kind = (CONTENT_TYPE, HeaderValue::from_static("application/json"));
    not_kept(([kind], document).into_response())
}

/// 204.
pub(super) fn no_content() -> Response {
    StatusCode::NO_CONTENT.into_response()
}
