//! A form that came when its session was over: what was typed is not lost. It goes, sealed, with
//! the sign-in and comes back on a page that asks whether to send it.

use std::time::Duration;

use askama::Template;
use auditrelay_api_core::query::Query;
use auditrelay_model::Timestamp;
use auditrelay_runtime::problem::Problem;
use axum::extract::Request;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::assets;
use super::form::{FORM_TOKEN, fields};
use super::gate::Held;
use super::page;
use super::session::{Session, open, seal};
use super::sign_in;
use super::visit::Answer;
use crate::api::Api;

/// The field that carries it.
pub(super) const FIELD: &str = "kept";
/// What it is sealed for.
const PURPOSE: &[u8] = b"auditrelay console typed";
/// Typed long ago is not what somebody means now.
const LONGEST: Duration = Duration::from_hours(1);
/// Longer forms are not kept: the sign-in has to fit into a request.
const BYTES_MAX: usize = 40_000;
/// Longer ones do not go along to an identity provider: they have to fit into a cookie.
pub(super) const PROVIDER_BYTES_MAX: usize = 2_500;
/// Fields that nobody sees, and what nobody needs to see.
const SECRET: &str = "authorization";
const INNER: [&str; 3] = [FORM_TOKEN, "seen", "key"];

/// A form, and the path that it was sent to.
#[derive(Serialize, Deserialize)]
pub(super) struct Kept {
    at: i64,
    path: String,
    fields: String,
}

impl Kept {
    /// What a sign-in or the page behind it carries, if it carries any.
    pub(super) fn open(api: &Api, carried: &Query) -> Option<Self> {
        let kept: Self = open(api, PURPOSE, carried.get(FIELD)?)?;
        let fresh = api.now().since(Timestamp::from_nanos(kept.at)) < LONGEST;
        fresh.then_some(kept)
    }

    /// The same as a page can carry it.
    pub(super) fn seal(&self, api: &Api) -> Result<String, Problem> {
        seal(api, PURPOSE, self)
    }

    /// The fields, at the path that they were typed for.
    pub(super) fn of(&self, path: &str) -> Option<Query> {
        (self.path == path).then(|| Query::parse(Some(&self.fields)))
    }

    /// What was typed as people read it.
    fn told(&self) -> Vec<(String, String)> {
        let fields = Query::parse(Some(&self.fields));
        let read =
            fields.pairs().filter(|(name, value)| !value.is_empty() && !INNER.contains(name));
        let told = read.map(|(name, value)| {
            let value = if name == SECRET { "typed, and not shown" } else { value };
            (name.replace('_', " "), value.to_owned())
        });
        told.collect()
    }
}

/// Whether a form comes from somebody who was signed in and is not any more.
pub(super) fn is_lost(request: &Request, held: &Held) -> bool {
    let alone =
        ["/console/sign-in", "/console/sign-in/provider", "/console/sign-out", "/console/theme"];
    request.method() == http::Method::POST
        && held.session.as_ref().and_then(Session::who).is_none()
        && !alone.contains(&request.uri().path())
}

/// The sign-in, with what was typed.
pub(super) async fn keep(api: &Api, held: &Held, request: Request) -> Answer {
    let (headers, path) = (request.headers().clone(), request.uri().path().to_owned());
    let fields = fields(request).await?.with(&[FORM_TOKEN], &[]);
    let kept = Kept { at: api.now().nanos(), path, fields };
    let carried = Some(kept.seal(api)?).filter(|sealed| sealed.len() <= BYTES_MAX);
    sign_in::again(api, held, &headers, carried.unwrap_or_default())
}

#[derive(Template)]
#[template(path = "kept.html")]
struct Page {
    assets: String,
    form_token: String,
    path: String,
    told: Vec<(String, String)>,
    sealed: String,
}

/// Asks whether to send it now.
pub(super) fn ask(api: &Api, session: &Session, kept: &Kept) -> Result<Response, Problem> {
    Ok(page::ok(&Page {
        assets: assets::folder(),
        form_token: session.form_token(api)?,
        path: kept.path.clone(),
        told: kept.told(),
        sealed: kept.seal(api)?,
    }))
}
