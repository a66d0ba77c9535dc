//! The headers of a request.

use auditrelay_model::Timestamp;
use auditrelay_model::destination::Destination;
use auditrelay_runtime::telemetry::traceparent_for_others;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::sender::Sender;

/// What a receiver reads in every request before it looks at the body.
pub(crate) struct Stamp<'a> {
    /// The same over all attempts of a batch.
    pub(crate) message_id: &'a str,
    /// When it is sent.
    pub(crate) at: Timestamp,
    /// Over id, time and body.
    pub(crate) signature: &'a str,
}

/// What every request has.
pub(crate) fn headers(
    sender: &Sender,
    destination: &Destination,
    stamp: &Stamp<'_>,
) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::with_capacity(14);
    if let Some(authorization) = sender.authorization(destination)? {
        headers.insert(AUTHORIZATION, authorization);
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    headers.insert(WEBHOOK_ID, HeaderValue::from_str(stamp.message_id)?);
    headers.insert(WEBHOOK_TIMESTAMP, HeaderValue::from(unix_seconds(stamp.at)));
    headers.insert(WEBHOOK_SIGNATURE, HeaderValue::from_str(stamp.signature)?);
    if let Some(traceparent) = traceparent_for_others() {
        headers.insert(TRACEPARENT, HeaderValue::from_str(&traceparent)?);
    }
    Ok(headers)
}

/// The time as it is signed.
pub(crate) fn unix_seconds(at: Timestamp) -> i64 {
    at.millis().div_euclid(1_000)
}

/// Who we say we are.
pub(crate) const AGENT: &str = concat!("auditrelay/", env!("CARGO_PKG_VERSION"));
/// 1 for the first attempt of a batch.
pub(crate) const ATTEMPT: HeaderName = HeaderName::from_static("x-auditrelay-attempt");
/// When the batch was sent first.
pub(crate) const FIRST_ATTEMPT: HeaderName = HeaderName::from_static("x-auditrelay-first-attempt");
/// The replay job that a request belongs to.
pub(crate) const REPLAY_JOB: HeaderName = HeaderName::from_static("x-auditrelay-replay-job");
/// What the request holds, in short.
pub(crate) const MANIFEST: HeaderName = HeaderName::from_static("x-auditrelay-manifest");
/// On events out of quarantine only.
pub(crate) const QUARANTINE: HeaderName = HeaderName::from_static("x-auditrelay-quarantine");
/// On the event that tells a receiver why nothing follows.
pub(crate) const LAST: HeaderName = HeaderName::from_static("x-auditrelay-last");
/// On test deliveries only.
pub(crate) const TEST: HeaderName = HeaderName::from_static("x-auditrelay-test");

const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
