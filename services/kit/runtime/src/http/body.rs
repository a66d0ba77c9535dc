//! Reading a request's body within its bounds.

use std::error::Error;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::problem::Problem;

/// The whole body: at most `limit` bytes (else 413) within `timeout`, however it trickles (else
/// 408).
pub async fn body(body: Body, limit: usize, timeout: Duration) -> Result<Bytes, Problem> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > limit {
        return Err(Problem::payload_too_large(limit));
    }
    match tokio::time::timeout(timeout, Limited::new(body, limit).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if too_long(error.as_ref()) => Err(Problem::payload_too_large(limit)),
        Ok(Err(_)) => Err(Problem::unreadable_body()),
        Err(_) => Err(Problem::request_timeout()),
    }
}

fn too_long(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |&error| error.source())
        .any(<dyn Error>::is::<LengthLimitError>)
}
