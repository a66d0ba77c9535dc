//! Signing in at the identity provider: the way there, and the way back.
//!
//! What only this browser may come back with goes along, sealed, in a cookie of its own: unlike
//! the session's it must come with a visit that another site leads to. For the same reason the way
//! back ends on a page of ours, from which the session's cookie goes along again.

use std::time::Duration;

use askama::Template;
use auditrelay_api_core::authz::{Ask, permits};
use auditrelay_api_core::query::Query;
use auditrelay_model::Timestamp;
use auditrelay_runtime::problem::Problem;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue, Uri};
use serde::{Deserialize, Serialize};

use super::assets;
use super::form::Form;
use super::gate::{self, Held};
use super::kept::{self, Kept};
use super::page;
use super::session::{open, seal};
use super::sign_in::{self, is_page};
use super::visit::{Answer, Whence};
use crate::api::Api;
use crate::auth::vouched_for;
use crate::oidc::{Challenge, SignIn};
use crate::problems;

const COOKIE: &str = "auditrelay-provider";
/// What the cookie is sealed for.
const PURPOSE: &[u8] = b"auditrelay console provider";
/// Somebody types a password and a second factor.
const LONGEST: Duration = Duration::from_mins(10);
/// The provider's word counts at least this long; asking it again costs a click.
const COUNTS: Duration = Duration::from_hours(1);

const STALE: &str = "Signing in took too long, or was begun in another browser. Try again.";
const DECLINED: &str = "The identity provider did not sign you in. Try again, or use a token.";
const NOBODY: &str = "The identity provider knows you, but what it says of you allows nothing \
                      here. Ask whoever manages your access.";

/// What the browser began with.
#[derive(Serialize, Deserialize)]
struct Begun {
    at: i64,
    state: String,
    nonce: String,
    verifier: String,
    next: String,
    /// What was typed when the last session was over.
    kept: Option<Kept>,
}

fn sign_in_of(api: &Api) -> Result<&SignIn, Problem> {
    let oidc = api.oidc.as_ref().and_then(|oidc| oidc.sign_in());
    oidc.ok_or_else(Problem::not_found)
}

/// Leads to the provider.
pub(super) async fn begin(State(api): State<Api>, uri: Uri) -> Answer {
    let query = Query::parse(uri.query());
    let next = query.get("next").filter(|next| is_page(next)).unwrap_or(page::HOME);
    lead(&api, next, None, page::see).await
}

/// The same with what was typed when the last session was over. A form may not lead to another
/// site, so a page of ours does.
pub(super) async fn begin_again(State(api): State<Api>, form: Form) -> Answer {
    let kept = form.kept(&api);
    let way = |there: &str| {
        page::ok(&Way {
            assets: assets::folder(),
            title: "Signing in",
            heading: "Sign in at your identity provider",
            next: there.to_owned(),
        })
    };
    lead(&api, page::HOME, kept, way).await
}

async fn lead(
    api: &Api,
    next: &str,
    kept: Option<Kept>,
    answer: impl FnOnce(&str) -> Response,
) -> Answer {
    let sign_in = sign_in_of(api)?;
    let begun = Begun {
        at: api.now().nanos(),
        state: secret(api)?,
        nonce: secret(api)?,
        // Three, since a verifier has 43 characters or more.
        verifier: [secret(api)?, secret(api)?, secret(api)?].concat(),
        next: next.to_owned(),
        kept,
    };
    let Begun { state, nonce, verifier, .. } = &begun;
    let there = sign_in.begin(&Challenge { state, nonce, verifier }).await;
    let there = there.map_err(|error| problems::no_provider(&error))?;
    let mut response = answer(&there);
    keep(&mut response, sign_in, &seal(api, PURPOSE, &begun)?, LONGEST);
    Ok(response)
}

/// A text that nobody guesses.
fn secret(api: &Api) -> Result<String, Problem> {
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(api.random()?).for_each(|(to, from)| *to = from);
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn keep(response: &mut Response, sign_in: &SignIn, value: &str, age: Duration) {
    let secure = if sign_in.is_secure() { "; Secure" } else { "" };
    let (path, age) = ("/console/sign-in", age.as_secs());
    let line =
        format!("{COOKIE}={value}; Path={path}; Max-Age={age}; HttpOnly; SameSite=Lax{secure}");
    if let Ok(line) = HeaderValue::try_from(line) {
        response.headers_mut().append(SET_COOKIE, line);
    }
}

#[derive(Template)]
#[template(path = "way.html")]
struct Way {
    assets: String,
    title: &'static str,
    heading: &'static str,
    next: String,
}

/// Where the provider sends the browser back to.
pub(super) async fn back(
    State(api): State<Api>,
    Extension(held): Extension<Held>,
    headers: HeaderMap,
    Whence(origin): Whence,
    uri: Uri,
) -> Answer {
    let sign_in = sign_in_of(&api)?;
    let query = Query::parse(uri.query());
    let no = |why, kept: Option<&Kept>| {
        api.telemetry.refused("sign_in");
        let kept = kept.map(|kept| kept.seal(&api)).transpose()?;
        sign_in::declined(&api, &held, &headers, why, kept.unwrap_or_default())
    };
    let Some(begun) = begun(&api, &headers, &query) else { return no(STALE, None) };
    let kept = begun.kept.as_ref();
    let Some(code) = query.get("code") else { return no(DECLINED, kept) };
    let token = sign_in.redeem(code, &begun.verifier).await;
    let token = token.map_err(|error| problems::no_provider(&error))?;
    let Some(token) = token else { return no(DECLINED, kept) };
    let signed = vouched_for(&api, &token, &begun.nonce, origin).await?;
    let Some(signed) = signed.filter(|one| permits(one.caller, Ask::ReadConfig)) else {
        return no(NOBODY, kept);
    };
    let until = sign_in::expiry(&token).unwrap_or_default().max((api.now() + COUNTS).nanos());
    let session = sign_in::session(&api, &signed, until)?;
    tracing::info!(actor = signed.actor(), "signed in to the console at the identity provider");
    let mut response = match kept {
        Some(kept) => kept::ask(&api, &session, kept)?,
        None => page::ok(&Way {
            assets: assets::folder(),
            title: "Signed in",
            heading: "You are signed in",
            next: begun.next,
        }),
    };
    keep(&mut response, sign_in, "", Duration::ZERO);
    gate::set(&mut response, &api, &session, sign_in.is_secure());
    Ok(response)
}

/// What this browser began with, if it is what comes back and not too old.
fn begun(api: &Api, headers: &HeaderMap, query: &Query) -> Option<Begun> {
    let begun: Begun = open(api, PURPOSE, gate::cookie(headers, COOKIE)?)?;
    let fresh = api.now().since(Timestamp::from_nanos(begun.at)) < LONGEST;
    (fresh && query.get("state") == Some(begun.state.as_str())).then_some(begun)
}
