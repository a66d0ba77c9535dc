//! What is answered before and after the handlers, so that every refusal is a problem.

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONTENT_TYPE, EXPECT};
use http::{HeaderMap, StatusCode};

use crate::problem::Problem;

/// Longer URIs are refused.
const URI_BYTES_MAX: usize = 8 * 1_024;
/// Headers that are larger altogether are refused.
const HEADER_BYTES_MAX: usize = 16 * 1_024;

/// Why the request does not reach a handler.
pub(super) fn refusal(request: &Request) -> Option<Problem> {
    let uri = request.uri().path_and_query().map_or(0, |uri| uri.as_str().len());
    if uri > URI_BYTES_MAX {
        let detail = format!("URI exceeds {URI_BYTES_MAX} bytes");
        return Some(Problem::new(StatusCode::URI_TOO_LONG, "URI Too Long", detail));
    }
    if header_bytes(request.headers()) > HEADER_BYTES_MAX {
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        let detail = format!("Header fields exceed {HEADER_BYTES_MAX} bytes");
        return Some(Problem::new(status, "Request Header Fields Too Large", detail));
    }
    let expect = request.headers().get(EXPECT);
    if expect.is_some_and(|expect| !expect.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        let status = StatusCode::EXPECTATION_FAILED;
        return Some(Problem::new(status, "Expectation Failed", "Expectation not supported"));
    }
    None
}

/// The answer as a problem, where it is the router's or an extractor's own refusal: those are
/// empty or plain text, and no handler of ours answers an error that way.
pub(super) fn as_problem(response: Response) -> Response {
    let status = response.status();
    let refused = status.is_client_error() || status.is_server_error();
    let plain = match response.headers().get(CONTENT_TYPE) {
        None => axum::body::HttpBody::size_hint(response.body()).exact() == Some(0),
        Some(kind) => kind.as_bytes().starts_with(b"text/plain"),
    };
    if !refused || !plain {
        return response;
    }
    let allow = response.headers().get(ALLOW).and_then(|allow| allow.to_str().ok());
    let problem = match status {
        StatusCode::UNAUTHORIZED => Problem::unauthorized(),
        StatusCode::FORBIDDEN => Problem::forbidden(),
        StatusCode::NOT_FOUND => Problem::not_found(),
        // Where it is not said here, the router adds `Allow` after this layer.
        StatusCode::METHOD_NOT_ALLOWED => Problem::method_not_allowed(allow),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Problem::unsupported_media_type(),
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Problem::unreadable_body(),
        StatusCode::INTERNAL_SERVER_ERROR => Problem::internal(),
        other => {
            let title = other.canonical_reason().unwrap_or("Error");
            Problem::new(other, title, title)
        }
    };
    problem.into_response()
}

fn header_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}
