//! What is wrong with a request, in the words of RFC 9457 as Konnect writes them.
//!
//! Texts are constant per kind: nothing of the request is echoed but the names of fields.

mod parameter;

use axum::response::{IntoResponse, Response};
use http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use std::time::Duration;

pub use parameter::{InvalidParameter, Rule};

use crate::{ids, telemetry};

/// The content type of every problem.
pub const CONTENT_TYPE_PROBLEM: &str = "application/problem+json; charset=utf-8";

/// An answer that says no, and why.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// The status in words.
    pub title: &'static str,
    /// What is wrong, constant per kind.
    pub detail: String,
    /// Every parameter that is wrong (400 only).
    pub invalid: Vec<InvalidParameter>,
    /// Headers beside the usual ones (boxed: a problem is the error of many a result).
    pub headers: Box<HeaderMap>,
}

impl Problem {
    /// A problem with `status` and nothing else to say.
    pub fn new(status: StatusCode, title: &'static str, detail: impl Into<String>) -> Self {
        let (detail, headers) = (detail.into(), Box::default());
        Self { status, title, detail, invalid: Vec::new(), headers }
    }

    /// 400 with everything that is wrong; `detail` names the kind of mistake.
    pub fn bad_request(detail: impl Into<String>, invalid: Vec<InvalidParameter>) -> Self {
        Self { invalid, ..Self::new(StatusCode::BAD_REQUEST, "Bad Request", detail) }
    }

    /// 400 whose detail follows from the first parameter.
    pub fn invalid(invalid: Vec<InvalidParameter>) -> Self {
        let detail = invalid.first().map_or("Invalid parameter", InvalidParameter::detail);
        Self::bad_request(detail, invalid)
    }

    /// 400: the body is not what its media type says.
    pub fn unreadable_body() -> Self {
        Self::invalid(vec![InvalidParameter::body()])
    }

    /// 401.
    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized", "Invalid credentials")
            .with(WWW_AUTHENTICATE, "Bearer")
    }

    /// 403, for somebody who is known.
    pub fn forbidden() -> Self {
        let detail = "You do not have permission to perform this action";
        Self::new(StatusCode::FORBIDDEN, "Forbidden", detail)
    }

    /// 404.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not Found", "Not found")
    }

    /// 405; `allow` lists the methods, `None` leaves the header to the router.
    pub fn method_not_allowed(allow: Option<&str>) -> Self {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        let problem = Self::new(status, "Method Not Allowed", "Method not allowed");
        match allow {
            Some(allow) => problem.with(ALLOW, allow),
            None => problem,
        }
    }

    /// 408: the body did not come in time.
    pub fn request_timeout() -> Self {
        let status = StatusCode::REQUEST_TIMEOUT;
        Self::new(status, "Request Timeout", "Request body timed out").with(CONNECTION, "close")
    }

    /// 409.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "Resource Conflict", detail)
    }

    /// 413: more than `limit` bytes.
    pub fn payload_too_large(limit: usize) -> Self {
        let detail = format!("Request body exceeds {limit} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "Payload Too Large", detail)
            .with(CONNECTION, "close")
    }

    /// 415: neither this media type nor this content encoding.
    pub fn unsupported_media_type() -> Self {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        Self::new(status, "Unsupported Media Type", "Content type/encoding not supported")
            .with(http::header::ACCEPT_ENCODING, "gzip, identity")
    }

    /// 429.
    pub fn too_many_requests(retry_after: Duration) -> Self {
        let status = StatusCode::TOO_MANY_REQUESTS;
        Self::new(status, "Too Many Requests", "Rate limit exceeded").retry_after(retry_after)
    }

    /// 500; the reason is in the log only.
    pub fn internal() -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::new(status, "Internal Server Error", "Something went wrong on our side")
    }

    /// 503.
    pub fn unavailable(detail: impl Into<String>, retry_after: Duration) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable", detail)
            .retry_after(retry_after)
    }

    /// The same with a header; a value that cannot be one is left out.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    fn retry_after(self, wait: Duration) -> Self {
        // Whole seconds, rounded up: asking again a moment early is a wasted request.
        let seconds = wait.as_millis().div_ceil(1_000).max(1);
        self.with(RETRY_AFTER, &seconds.to_string())
    }

    /// The body, for somebody who looks it up as `instance`.
    pub fn body(&self, instance: &str) -> String {
        let body = Body {
            status: self.status.as_u16(),
            title: self.title,
            kind: format!("https://httpstatuses.com/{}", self.status.as_u16()),
            instance: format!("kong:trace:{instance}"),
            detail: &self.detail,
            invalid_parameters: &self.invalid,
        };
        serde_json::to_string(&body).unwrap_or_default()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let instance = telemetry::trace_id().unwrap_or_else(|| ids::uuid_v4().simple().to_string());
        let body = self.body(&instance);
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.extend(*self.headers);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE_PROBLEM));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }
}

#[derive(Serialize)]
struct Body<'a> {
    status: u16,
    title: &'static str,
    #[serde(rename = "type")]
    kind: String,
    instance: String,
    detail: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    invalid_parameters: &'a [InvalidParameter],
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn body(problem: &Problem) -> Value {
        serde_json::from_str(&problem.body("abc")).unwrap()
    }

    #[test]
    fn a_problem_reads_as_konnect_writes_it() {
        assert_eq!(
            body(&Problem::not_found()),
            json!({"status": 404, "title": "Not Found", "type": "https://httpstatuses.com/404",
                   "instance": "kong:trace:abc", "detail": "Not found"})
        );
        assert_eq!(
            body(&Problem::unreadable_body()),
            json!({"status": 400, "title": "Bad Request", "type": "https://httpstatuses.com/400",
                   "instance": "kong:trace:abc", "detail": "Could not parse request body",
                   "invalid_parameters": [{"field": "body", "reason": "request format is invalid",
                                           "source": "body"}]})
        );
    }

    #[test]
    fn headers_are_those_of_the_catalogue() {
        let response = Problem::unauthorized().into_response();
        let headers = response.headers();
        assert_eq!(headers["content-type"], "application/problem+json; charset=utf-8");
        assert_eq!(headers["cache-control"], "no-store");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["www-authenticate"], "Bearer");
        let wait = Duration::from_millis(1_001);
        assert_eq!(Problem::too_many_requests(wait).headers["retry-after"], "2");
        assert_eq!(Problem::too_many_requests(Duration::ZERO).headers["retry-after"], "1");
        assert_eq!(Problem::payload_too_large(7).headers["connection"], "close");
        assert_eq!(Problem::method_not_allowed(Some("GET, PUT")).headers["allow"], "GET, PUT");
    }

    #[test]
    fn the_detail_follows_from_the_first_parameter() {
        let cases = [
            (InvalidParameter::required("name"), "Required field missing"),
            (InvalidParameter::blank("name"), "Required field missing"),
            (InvalidParameter::unknown("nmae"), "Unknown property"),
            (InvalidParameter::missing_reference("id"), "Invalid reference"),
            (InvalidParameter::date_time("start_at"), "Invalid parameter"),
        ];
        for (parameter, detail) in cases {
            assert_eq!(Problem::invalid(vec![parameter]).detail, detail);
        }
    }
}
