//! `/v2/audit-log-webhook/jwks.json`: what receivers check signatures with. Public.

use axum::extract::State;
use http::HeaderValue;
use http::header::CACHE_CONTROL;

use super::response::{Answer, ok};
use crate::api::Api;

pub(super) async fn get(State(api): State<Api>) -> Answer {
    let mut response = ok(&api.jwks);
    // Keys are published long before and after they sign.
    let kept = HeaderValue::from_static("public, max-age=300");
    response.headers_mut().insert(CACHE_CONTROL, kept);
    Ok(response)
}
