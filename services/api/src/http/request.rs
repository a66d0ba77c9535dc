//! What handlers take out of a request.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use auditrelay_api_core::authz::Ask;
use auditrelay_model::Scope;
use auditrelay_model::config::OrgConfig;
use auditrelay_model::id::{OrgId, PortalId};
use auditrelay_runtime::http::body;
use auditrelay_runtime::problem::Problem;
use axum::extract::{FromRequestParts, Path, Request};
use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::request::Parts;

use crate::api::Api;
use crate::auth::Signed;

/// Most bytes of a body.
pub(crate) const BODY_BYTES_MAX: usize = 64 * 1024;
/// How long a body may take to come.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The id in the path; a text that cannot be one names nothing that exists.
pub(super) struct Id<T>(pub(super) T);

impl<T: FromStr> FromRequestParts<Api> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, api).await;
        let Path(text) = path.map_err(|_| Problem::not_found())?;
        text.parse().map(Self).map_err(|_| Problem::not_found())
    }
}

/// The two ids in the path.
pub(super) struct Ids<A, B>(pub(super) A, pub(super) B);

impl<A: FromStr, B: FromStr> FromRequestParts<Api> for Ids<A, B> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let path = Path::<(String, String)>::from_request_parts(parts, api).await;
        let Path((one, other)) = path.map_err(|_| Problem::not_found())?;
        let one = one.parse().map_err(|_| Problem::not_found())?;
        let other = other.parse().map_err(|_| Problem::not_found())?;
        Ok(Self(one, other))
    }
}

/// The body of a request that carries JSON.
pub(super) async fn json(request: Request) -> Result<Bytes, Problem> {
    if !is_json(request.headers()) {
        return Err(Problem::unsupported_media_type());
    }
    body(request.into_body(), BODY_BYTES_MAX, BODY_TIMEOUT).await
}

/// `application/json`, or anything that is JSON by its suffix; no type counts as JSON too.
fn is_json(headers: &HeaderMap) -> bool {
    let plain = headers.get(CONTENT_ENCODING).is_none_or(|coding| coding == "identity");
    let kind = headers.get(CONTENT_TYPE).map(|kind| kind.to_str().unwrap_or_default());
    let kind = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim().to_lowercase());
    plain && kind.is_none_or(|kind| kind == "application/json" || kind.ends_with("+json"))
}

/// The portal's scope, if the caller may ask this and the portal exists.
pub(crate) async fn portal_scope(
    signed: &Signed,
    ask: Ask,
    portal: PortalId,
) -> Result<(Scope, Arc<OrgConfig>), Problem> {
    let org = signed.own(ask)?;
    let config = signed.api.read(org).await?;
    if !config.portals.contains_key(&portal) {
        return Err(Problem::not_found());
    }
    Ok((Scope::Portal(org, portal), config))
}

/// The scope of the caller's own organization, if it may ask this.
pub(crate) fn organization_scope(signed: &Signed, ask: Ask) -> Result<(Scope, OrgId), Problem> {
    let org = signed.own(ask)?;
    Ok((Scope::Organization(org), org))
}

/// The scope by its name in the path, `org` or a portal's id, if the caller may ask this there.
pub(super) async fn named_scope(
    signed: &Signed,
    ask: Ask,
    name: &str,
) -> Result<(Scope, Arc<OrgConfig>), Problem> {
    let org = signed.own(ask)?;
    match Scope::from_token(org, name).ok_or_else(Problem::not_found)? {
        Scope::Portal(_, portal) => portal_scope(signed, ask, portal).await,
        scope @ Scope::Organization(_) => Ok((scope, signed.api.read(org).await?)),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_plain_json_is_read() {
        let is = |kind: Option<&'static str>, coding: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            for (name, value) in [(CONTENT_TYPE, kind), (CONTENT_ENCODING, coding)] {
                if let Some(value) = value {
                    headers.insert(name, HeaderValue::from_static(value));
                }
            }
            is_json(&headers)
        };
        assert!(is(Some("application/json"), None));
        assert!(is(Some("Application/JSON; charset=utf-8"), Some("identity")));
        assert!(is(Some("application/merge-patch+json"), None));
        assert!(is(None, None));
        assert!(!is(Some("text/plain"), None));
        assert!(!is(Some("application/x-www-form-urlencoded"), None));
        assert!(!is(Some("application/json"), Some("gzip")));
    }
}
