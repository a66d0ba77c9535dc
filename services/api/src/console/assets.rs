//! Style and script, compiled in; their addresses change with their content.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, StatusCode};
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("../../assets/console.css");
const SCRIPT: &str = include_str!("../../assets/console.js");
const ICON: &str = include_str!("../../assets/icon.svg");

/// The same for the same content, so that replicas of one build agree.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let digest = Sha256::new().chain_update(STYLE).chain_update(SCRIPT).chain_update(ICON);
    let short: Vec<u8> = digest.finalize().into_iter().take(6).collect();
    URL_SAFE_NO_PAD.encode(short)
});

/// The folder of this build's assets.
pub(super) fn folder() -> String {
    format!("/console/assets/{}", *VERSION)
}

pub(super) async fn get(Path((version, name)): Path<(String, String)>) -> Response {
    let found = match name.as_str() {
        "console.css" => Some((STYLE, "text/css; charset=utf-8")),
        "console.js" => Some((SCRIPT, "text/javascript; charset=utf-8")),
        "icon.svg" => Some((ICON, "image/svg+xml")),
        _ => None,
    };
    let Some((content, kind)) = found.filter(|_| version == *VERSION) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers: [(HeaderName, &str); 3] = [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, content).into_response()
}
