//! Signing in with an API token, and out again.

use askama::Template;
use auditrelay_api_core::Action;
use auditrelay_api_core::authz::{Ask, Caller, permits};
use auditrelay_api_core::query::Query;
use auditrelay_model::id::{OrgId, TokenId};
use auditrelay_runtime::http::origin;
use auditrelay_runtime::problem::Problem;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, StatusCode, Uri};

use super::assets;
use super::form::{Errors, Form};
use super::gate::{self, Held};
use super::page;
use super::session::Session;
use super::visit::{Answer, Whence};
use crate::api::Api;
use crate::auth::{Signed, identify};

/// Longer is no token of ours.
const TOKEN_LENGTH_MAX: usize = 1024;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct Page {
    assets: String,
    form_token: String,
    next: String,
    notice: Option<&'static str>,
    errors: Errors,
}

/// Leads to the sign-in and from there to a page.
pub(super) fn lead(back: &str, ended: bool) -> Response {
    let mut added = Vec::new();
    if is_page(back) {
        added.push(("next", back));
    }
    if ended {
        added.push(("why", "ended"));
    }
    page::see(&format!("/console/sign-in?{}", Query::parse(None).with(&[], &added)))
}

/// Whether a text is the path of a page of ours; anything else could lead elsewhere.
pub(super) fn is_page(path: &str) -> bool {
    let safe = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-_".contains(&byte));
    path.starts_with("/console/") && safe && !path.contains("//")
}

pub(super) async fn show(
    State(api): State<Api>,
    Extension(held): Extension<Held>,
    headers: HeaderMap,
    uri: Uri,
) -> Answer {
    let query = Query::parse(uri.query());
    let next = query.get("next").filter(|next| is_page(next)).unwrap_or(page::HOME);
    let notice = match query.get("why") {
        Some("ended") => Some("Your session has ended. Sign in again to go on."),
        Some("out") => Some("You are signed out."),
        Some("partly") => Some(
            "You are signed out in this browser. That could not be told to the other servers now: \
             the session ends there by itself within 30 minutes.",
        ),
        Some(_) | None => None,
    };
    let (session, is_new) = match held.session {
        Some(session) => (session, false),
        None => (Session::visitor(&api)?, true),
    };
    let form_token = session.form_token(&api)?;
    let (assets, next, errors) = (assets::folder(), next.to_owned(), Errors::default());
    let mut response = page::ok(&Page { assets, form_token, next, notice, errors });
    if is_new {
        gate::set(&mut response, &api, &session, gate::is_secure(&headers));
    }
    Ok(response)
}

pub(super) async fn enter(
    State(api): State<Api>,
    headers: HeaderMap,
    Whence(origin): Whence,
    form: Form,
) -> Answer {
    let text = form.text("token").trim().to_owned();
    let fits = !text.is_empty() && text.len() <= TOKEN_LENGTH_MAX;
    let signed = if fits { identify(&api, &text, origin).await? } else { None };
    let caller = signed.map(|signed| signed.caller);
    let (status, error) = match caller {
        Some(Caller::Member { org, token, .. })
            if caller.is_some_and(|caller| permits(caller, Ask::ReadConfig)) =>
        {
            return welcome(&api, &headers, &form, org, token);
        }
        Some(Caller::Member { .. } | Caller::Federated { .. }) => (
            StatusCode::FORBIDDEN,
            "This token may only send audit events. Sign in with an admin or viewer token.",
        ),
        Some(Caller::Platform) => (
            StatusCode::FORBIDDEN,
            "This is the operator's token, which belongs to no organization. Sign in with an \
             admin or viewer token of one.",
        ),
        None if text.is_empty() => (StatusCode::BAD_REQUEST, "Enter an API token."),
        None => (StatusCode::UNAUTHORIZED, "This token is not known, has expired or was revoked."),
    };
    api.telemetry.refused("sign_in");
    let next = form.text("next").to_owned();
    let page = Page {
        assets: assets::folder(),
        form_token: form.session.form_token(&api)?,
        next: if is_page(&next) { next } else { page::HOME.to_owned() },
        notice: None,
        errors: Errors::one("token", error),
    };
    Ok(page::html(status, &page))
}

/// A new session, whatever cookie was there before.
fn welcome(api: &Api, headers: &HeaderMap, form: &Form, org: OrgId, token: TokenId) -> Answer {
    let session = Session::member(api, org, token)?;
    tracing::info!(%org, %token, "signed in to the console");
    let next = form.text("next");
    let mut response = page::see(if is_page(next) { next } else { page::HOME });
    gate::set(&mut response, api, &session, gate::is_secure(headers));
    Ok(response)
}

/// The cookie goes at once, whatever happens; with the fact that the session has ended, copies of
/// it count nowhere any more.
pub(super) async fn leave(State(api): State<Api>, parts: Parts, form: Form) -> Answer {
    let why = match end(api, &parts, &form.session).await {
        Ok(()) => "out",
        Err(problem) => {
            tracing::warn!(detail = problem.detail, "a session is ended in its browser only");
            "partly"
        }
    };
    let mut response = page::see(&format!("/console/sign-in?why={why}"));
    gate::clear(&mut response);
    Ok(response)
}

async fn end(api: Api, parts: &Parts, session: &Session) -> Result<(), Problem> {
    let Some((org, token)) = session.holder() else { return Ok(()) };
    let config = api.read(org).await?;
    // A session does not outlive its token.
    let Some(held) = config.tokens.get(&token) else { return Ok(()) };
    let origin = origin(parts, &api.config.proxies);
    let signed = Signed::member(api, org, held, origin);
    let action = Action::EndSession { session: session.id(), until: session.until() };
    signed.api.execute(org, &signed, action).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_elsewhere() {
        assert!(is_page("/console/setup/portals/018f-00/replay"));
        for path in [
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "/console//evil.example",
            "/console/\r\nSet-Cookie: a=b",
            "javascript:alert(1)",
            "/v3/portals",
            "/console/../v3",
            "",
        ] {
            assert!(!is_page(path), "{path}");
        }
    }
}
