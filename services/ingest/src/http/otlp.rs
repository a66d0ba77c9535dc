//! Answers as OTLP/HTTP wants them: in the encoding of the request, 200 also when some log records
//! are refused, a `Status` with every failure.

use auditrelay_ingest_core::rejection::Rejection;
use auditrelay_runtime::problem::Problem;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::answer::invalid;
use super::media::media_type;

/// So many reasons are told.
const REASONS: usize = 10;

/// The encodings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    Json,
    Protobuf,
}

impl Wire {
    /// That of the request; JSON where nobody can tell.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        match value.and_then(media_type).as_deref() {
            Some("application/x-protobuf") => Self::Protobuf,
            Some(_) | None => Self::Json,
        }
    }

    /// `ExportLogsServiceResponse`.
    pub(super) fn success(self, refused: usize, rejections: Vec<Rejection>) -> Response {
        let reasons = rejections.into_iter().take(REASONS).map(|rejection| {
            let parameter = invalid(rejection);
            format!("{} {}", parameter.field, parameter.reason)
        });
        let message = reasons.collect::<Vec<_>>().join("; ");
        let body = match (self, refused) {
            (Self::Json, 0) => b"{}".to_vec(),
            (Self::Protobuf, 0) => Vec::new(),
            // 64-bit numbers are texts in the JSON of protobuf.
            (Self::Json, refused) => json!({"partialSuccess": {
                "rejectedLogRecords": refused.to_string(), "errorMessage": message,
            }})
            .to_string()
            .into_bytes(),
            (Self::Protobuf, refused) => {
                let mut partial = Vec::new();
                put_number(&mut partial, 1, refused as u64);
                put_bytes(&mut partial, 2, message.as_bytes());
                let mut body = Vec::new();
                put_bytes(&mut body, 1, &partial);
                body
            }
        };
        self.response(StatusCode::OK, body)
    }

    /// `Status`, with the headers of the problem.
    pub(super) fn failure(self, problem: Problem) -> Response {
        let code = code_of(problem.status);
        let reasons = problem.invalid.iter().take(REASONS);
        let reasons = reasons.map(|one| format!("{} {}", one.field, one.reason));
        let parts: Vec<_> = std::iter::once(problem.detail.clone()).chain(reasons).collect();
        let message = parts.join("; ");
        let body = match self {
            Self::Json => json!({"code": code, "message": message}).to_string().into_bytes(),
            Self::Protobuf => {
                let mut body = Vec::new();
                put_number(&mut body, 1, code);
                put_bytes(&mut body, 2, message.as_bytes());
                body
            }
        };
        let mut response = self.response(problem.status, body);
        response.headers_mut().extend(*problem.headers);
        response
    }

    fn response(self, status: StatusCode, body: Vec<u8>) -> Response {
        let mut response = (status, body).into_response();
        let content_type = match self {
            Self::Json => "application/json",
            Self::Protobuf => "application/x-protobuf",
        };
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        response
    }
}

/// The code of gRPC that is nearest to the status.
const fn code_of(status: StatusCode) -> u64 {
    match status.as_u16() {
        400 | 413 | 415 => 3,
        401 => 16,
        403 => 7,
        404 => 5,
        408 => 4,
        409 => 10,
        429 => 8,
        503 => 14,
        _ => 13,
    }
}

fn put_number(message: &mut Vec<u8>, field: u64, number: u64) {
    put_varint(message, field << 3);
    put_varint(message, number);
}

fn put_bytes(message: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_varint(message, field << 3 | 2);
    put_varint(message, bytes.len() as u64);
    message.extend_from_slice(bytes);
}

fn put_varint(message: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        message.push(low_bits(number) | 0x80);
        number >>= 7;
    }
    message.push(low_bits(number));
}

fn low_bits(number: u64) -> u8 {
    u8::try_from(number & 0x7f).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use auditrelay_ingest_core::rejection::RejectionKind;
    use auditrelay_proto::otlp::v1::{ExportLogsServiceResponse, Status};
    use axum::body::to_bytes;
    use prost::Message;

    use super::*;

    fn rejections() -> Vec<Rejection> {
        let field = "[3].attributes.audit.granted".to_owned();
        vec![Rejection { field, kind: RejectionKind::Required }]
    }

    async fn body(response: Response) -> bytes::Bytes {
        to_bytes(response.into_body(), 1 << 20).await.unwrap()
    }

    #[tokio::test]
    async fn partial_success_says_how_many_and_why() {
        let reason = "[3].attributes.audit.granted is a required field";
        let bytes = body(Wire::Protobuf.success(300, rejections())).await;
        let answer = ExportLogsServiceResponse::decode(bytes).unwrap();
        let partial = answer.partial_success.unwrap();
        assert_eq!((partial.rejected_log_records, partial.error_message), (300, reason.to_owned()));
        let bytes = body(Wire::Json.success(300, rejections())).await;
        let answer: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(
            answer,
            json!({"partialSuccess": {"rejectedLogRecords": "300", "errorMessage": reason}})
        );
        assert_eq!(body(Wire::Protobuf.success(0, Vec::new())).await, "");
        assert_eq!(body(Wire::Json.success(0, Vec::new())).await, "{}");
    }

    #[tokio::test]
    async fn a_failure_is_a_status_with_the_headers_of_the_problem() {
        let problem = Problem::too_many_requests(std::time::Duration::from_secs(7));
        let response = Wire::Protobuf.failure(problem);
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()["retry-after"], "7");
        assert_eq!(response.headers()["content-type"], "application/x-protobuf");
        let status = Status::decode(body(response).await).unwrap();
        assert_eq!((status.code, status.message.as_str()), (8, "Rate limit exceeded"));
        let bytes = body(Wire::Json.failure(Problem::unreadable_body())).await;
        let status: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(status["code"], 3);
        let message = "Could not parse request body; body request format is invalid";
        assert_eq!(status["message"], message);
    }
}
