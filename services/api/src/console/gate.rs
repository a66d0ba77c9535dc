//! What happens around every page: who is there, whether a browser was sent by somebody else, and
//! what browsers must not do with the answer.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, HOST, ORIGIN, REFERRER_POLICY, SET_COOKIE,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use super::kept;
use super::page;
use super::session::Session;
use super::theme;
use crate::api::Api;

/// The cookie's name where the browser speaks https: no other host or path can set it.
const SECURE_NAME: &str = "__Host-auditrelay";
const PLAIN_NAME: &str = "auditrelay";
/// Paths that scripts ask again and again: they keep no session awake.
pub(super) const LIVE: &str = "/console/live/";

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const GUARDS: [(HeaderName, &str); 7] = [
    (CACHE_CONTROL, "no-store"),
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// What a request's cookie says.
#[derive(Clone, Default)]
pub(super) struct Held {
    /// The session, if it still counts.
    pub(super) session: Option<Session>,
    /// There was one, but it has ended.
    pub(super) ended: bool,
    /// It came in the cookie that only https carries.
    secure: bool,
}

/// Stands before every page.
pub(super) async fn around(State(api): State<Api>, request: Request, next: Next) -> Response {
    let headers = request.headers().clone();
    theme::within(&headers, answered(&api, request, next)).await
}

async fn answered(api: &Api, mut request: Request, next: Next) -> Response {
    let held = held(api, request.headers());
    let response = if is_foreign(&request) {
        api.telemetry.refused("foreign_origin");
        page::foreign()
    } else {
        request.extensions_mut().insert(held.clone());
        if kept::is_lost(&request, &held) {
            return guarded(kept::keep(api, &held, request).await.into_response());
        }
        let live = request.uri().path().starts_with(LIVE);
        let response = next.run(request).await;
        if live { response } else { kept_awake(api, &held, response) }
    };
    guarded(response)
}

/// With what browsers must not do with it.
fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in GUARDS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn held(api: &Api, headers: &HeaderMap) -> Held {
    let found = [SECURE_NAME, PLAIN_NAME].into_iter().find_map(|name| {
        let session = Session::open(api, cookie(headers, name)?)?;
        Some((session, name == SECURE_NAME))
    });
    let Some((session, secure)) = found else { return Held::default() };
    if session.is_alive(api.now()) {
        return Held { session: Some(session), ended: false, secure };
    }
    Held { session: None, ended: session.who().is_some(), secure }
}

pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
}

/// Whether something else than a page of ours makes the browser send this. Browsers say so
/// themselves; what is no browser has no cookies that could be abused.
fn is_foreign(request: &Request) -> bool {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return false;
    }
    let text = |name: HeaderName| request.headers().get(name).map(|value| value.to_str());
    match text(HeaderName::from_static("sec-fetch-site")) {
        Some(site) => !matches!(site, Ok("same-origin" | "none")),
        None => match text(ORIGIN) {
            None => false,
            Some(origin) => {
                let host = text(HOST).and_then(Result::ok);
                let origin = origin.ok().and_then(|origin| origin.parse::<Uri>().ok());
                origin.and_then(|origin| origin.authority().map(ToString::to_string)).as_deref()
                    != host
            }
        },
    }
}

/// Writes the cookie again when it is time to, unless the page has written one itself.
fn kept_awake(api: &Api, held: &Held, mut response: Response) -> Response {
    let refreshed = held.session.as_ref().and_then(|session| session.refreshed(api.now()));
    if let Some(session) = refreshed.filter(|_| !response.headers().contains_key(SET_COOKIE)) {
        set(&mut response, api, &session, held.secure);
    }
    response
}

/// Whether the browser speaks https: it says so with the form, or a proxy in front of us does.
/// Whoever lies here only gets a cookie that is kept better.
pub(super) fn is_secure(headers: &HeaderMap) -> bool {
    let starts = |name: HeaderName, with: &str| {
        headers.get(name).is_some_and(|value| value.as_bytes().starts_with(with.as_bytes()))
    };
    starts(ORIGIN, "https://") || starts(HeaderName::from_static("x-forwarded-proto"), "https")
}

/// Gives the browser a session.
pub(super) fn set(response: &mut Response, api: &Api, session: &Session, secure: bool) {
    if let Ok(value) = session.seal(api) {
        write(response, secure, &value, "");
    }
}

/// Takes the browser's session away.
pub(super) fn clear(response: &mut Response) {
    for secure in [true, false] {
        write(response, secure, "", "; Max-Age=0");
    }
}

fn write(response: &mut Response, secure: bool, value: &str, more: &str) {
    let (name, flag) = if secure { (SECURE_NAME, "; Secure") } else { (PLAIN_NAME, "") };
    let line = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict{flag}{more}");
    if let Ok(line) = HeaderValue::try_from(line) {
        response.headers_mut().append(SET_COOKIE, line);
    }
}
