//! What is taken from a response.

use std::time::Duration;

use auditrelay_webhook_sender_core::message::printable;
use auditrelay_webhook_sender_core::outcome::{FailureKind, Outcome};
use http::header::{CONTENT_ENCODING, HeaderName, RETRY_AFTER};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::failed;

const BODY_BYTES_MAX: usize = 4 * 1024;
const BODY_WAIT: Duration = Duration::from_secs(1);
/// Longer ones say nothing that could be followed.
const RETRY_AFTER_BYTES_MAX: usize = 256;

/// The head decides; whatever is wrong with the body, the answer stands. A body that is too long,
/// too slow or broken is dropped with its connection.
pub(super) async fn read(response: Response<Incoming>, authorization: &str) -> Outcome {
    let (head, body) = response.into_parts();
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        return failed(FailureKind::Protocol, "unexpected 101");
    }
    let message = if head.status.is_redirection() {
        "redirect not followed".to_owned()
    } else if is_encoded(&head.headers) {
        String::new()
    } else {
        printable(&first_bytes(body).await, authorization)
    };
    Outcome::Answered {
        status: head.status.as_u16(),
        retry_after: joined(&head.headers, &RETRY_AFTER),
        message,
    }
}

/// A compressed body is neither unpacked nor shown.
fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity")
}

async fn first_bytes(mut body: Incoming) -> Vec<u8> {
    let mut bytes = Vec::new();
    let reading = async {
        while let Some(Ok(frame)) = body.frame().await {
            let Ok(data) = frame.into_data() else { continue };
            let room = BODY_BYTES_MAX.saturating_sub(bytes.len());
            bytes.extend(data.into_iter().take(room));
            if bytes.len() >= BODY_BYTES_MAX {
                break;
            }
        }
    };
    // Whatever came in time is kept.
    let _ = timeout(BODY_WAIT, reading).await;
    bytes
}

fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let values: Vec<&str> = values.collect();
    let text = values.join(", ");
    (!text.is_empty() && text.len() <= RETRY_AFTER_BYTES_MAX).then_some(text)
}
