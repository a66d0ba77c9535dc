//! Signing in with a token, and out again.

use askama::Template;
use auditrelay_api_core::Action;
use auditrelay_api_core::authz::{Ask, Caller, permits};
use auditrelay_api_core::query::Query;
use auditrelay_model::access::Principal;
use auditrelay_runtime::http::origin;
use auditrelay_runtime::problem::Problem;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::request::Parts;
use http::{HeaderMap, StatusCode, Uri};

use super::assets;
use super::form::{Errors, Form};
use super::gate::{self, Held};
use super::kept;
use super::page;
use super::session::{Session, Vouched, Who};
use super::visit::{Answer, Whence, signed};
use crate::api::Api;
use crate::auth::{Signed, identify};

/// Longer is no token of ours.
const TOKEN_LENGTH_MAX: usize = 8192;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct Page {
    assets: String,
    form_token: String,
    next: String,
    /// Whether an identity provider's tokens count too.
    federated: bool,
    /// Whether people sign in at the provider.
    provider: bool,
    notice: Option<&'static str>,
    /// What was typed when the last session was over.
    kept: String,
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
    let page = Page { notice, ..Page::new(&api, next) };
    shown(&api, &held, &headers, StatusCode::OK, page)
}

/// The same for somebody whom the identity provider sent back, but not as somebody.
pub(super) fn declined(
    api: &Api,
    held: &Held,
    headers: &HeaderMap,
    why: &'static str,
    kept: String,
) -> Answer {
    let page = Page { notice: Some(why), kept, ..Page::new(api, page::HOME) };
    shown(api, held, headers, StatusCode::FORBIDDEN, page)
}

/// The same for a form that came when its session was over.
pub(super) fn again(api: &Api, held: &Held, headers: &HeaderMap, kept: String) -> Answer {
    let notice = if kept.is_empty() {
        "Your session has ended, and nothing was changed. Sign in again to go on."
    } else {
        "Your session has ended, and nothing was changed. Sign in again: what you typed is kept."
    };
    let page = Page { notice: Some(notice), kept, ..Page::new(api, page::HOME) };
    shown(api, held, headers, StatusCode::UNAUTHORIZED, page)
}

fn shown(api: &Api, held: &Held, headers: &HeaderMap, status: StatusCode, page: Page) -> Answer {
    let (session, is_new) = match &held.session {
        Some(session) => (session.clone(), false),
        None => (Session::visitor(api)?, true),
    };
    let form_token = session.form_token(api)?;
    let mut response = page::html(status, &Page { form_token, ..page });
    if is_new {
        gate::set(&mut response, api, &session, gate::is_secure(headers));
    }
    Ok(response)
}

impl Page {
    /// Whether what was typed can go along to the provider.
    const fn fits_provider(&self) -> bool {
        self.kept.len() <= kept::PROVIDER_BYTES_MAX
    }

    fn new(api: &Api, next: &str) -> Self {
        Self {
            assets: assets::folder(),
            form_token: String::new(),
            next: next.to_owned(),
            federated: api.oidc.is_some(),
            provider: api.oidc.as_ref().is_some_and(|oidc| oidc.sign_in().is_some()),
            notice: None,
            kept: String::new(),
            errors: Errors::default(),
        }
    }
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
    let (status, error) = match &signed {
        Some(signed) if permits(signed.caller, Ask::ReadConfig) => {
            return welcome(&api, &headers, &form, signed, &text);
        }
        Some(Signed { caller: Caller::Platform, .. }) => (
            StatusCode::FORBIDDEN,
            "This is the operator's token, which belongs to no organization. Sign in with an \
             admin or viewer token of one.",
        ),
        Some(_) => (
            StatusCode::FORBIDDEN,
            "This token may only send audit events. Sign in with an admin or viewer token.",
        ),
        None if text.is_empty() => (StatusCode::BAD_REQUEST, "Enter an API token."),
        None => (StatusCode::UNAUTHORIZED, "This token is not known, has expired or was revoked."),
    };
    api.telemetry.refused("sign_in");
    let next = form.text("next").to_owned();
    let page = Page {
        form_token: form.session.form_token(&api)?,
        kept: form.text(kept::FIELD).to_owned(),
        errors: Errors::one("token", error),
        ..Page::new(&api, if is_page(&next) { &next } else { page::HOME })
    };
    Ok(page::html(status, &page))
}

/// A new session, whatever cookie was there before.
fn welcome(api: &Api, headers: &HeaderMap, form: &Form, signed: &Signed, text: &str) -> Answer {
    let session = session(api, signed, expiry(text).unwrap_or_default())?;
    tracing::info!(actor = signed.actor(), "signed in to the console");
    let next = form.text("next");
    let mut response = match form.kept(api) {
        Some(kept) => kept::ask(api, &session, &kept)?,
        None => page::see(if is_page(next) { next } else { page::HOME }),
    };
    gate::set(&mut response, api, &session, gate::is_secure(headers));
    Ok(response)
}

/// A new session of somebody who may have one; a person's ends then.
pub(super) fn session(api: &Api, signed: &Signed, until: i64) -> Result<Session, Problem> {
    match (signed.caller, &signed.principal) {
        (Caller::Member { org, token, .. }, _) => Session::member(api, org, token),
        (Caller::Federated { org, role }, Some(Principal::Federated(subject))) => {
            let (org, role) = (org.to_string(), role.name().to_owned());
            let (subject, name) = (subject.clone(), signed.origin.principal_name.clone());
            Session::person(api, Vouched { org, role, subject, name, until })
        }
        (Caller::Federated { .. } | Caller::Platform, _) => Err(Problem::internal()),
    }
}

/// When a provider's token ends, in nanoseconds; it was checked before.
pub(super) fn expiry(token: &str) -> Option<i64> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&claims).ok()?;
    claims.get("exp")?.as_i64()?.checked_mul(1_000_000_000)
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
    let Some(Who::Token(org, _) | Who::Person(org, ..)) = session.who() else { return Ok(()) };
    let config = api.read(org).await?;
    let origin = origin(parts, &api.config.proxies);
    // A session does not outlive its token.
    let Some(signed) = signed(&api, &config, session, origin) else { return Ok(()) };
    let action = Action::EndSession { session: session.id(), until: session.until() };
    api.execute(org, &signed, action).await.map(drop)
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
