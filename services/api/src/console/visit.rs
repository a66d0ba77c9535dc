//! Somebody who is signed in and looks at a page.

use std::sync::Arc;

use auditrelay_api_core::authz::{Ask, Caller, permits};
use auditrelay_api_core::token;
use auditrelay_model::config::OrgConfig;
use auditrelay_model::id::{OrgId, TokenId};
use auditrelay_model::origin::Origin;
use auditrelay_model::token::Token;
use auditrelay_runtime::http::origin;
use auditrelay_runtime::problem::Problem;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{Method, StatusCode};

use super::assets;
use super::gate::{Held, LIVE};
use super::page::{self, Frame, Section};
use super::session::Session;
use super::sign_in;
use crate::api::Api;
use crate::auth::Signed;

/// Somebody whose session and whose token both count now.
pub(super) struct Visit {
    pub(super) signed: Signed,
    pub(super) org: OrgId,
    pub(super) config: Arc<OrgConfig>,
    pub(super) session: Session,
    /// The token that was signed in with.
    pub(super) token: TokenId,
    held: Token,
    notice: Option<&'static str>,
}

impl Visit {
    pub(super) fn api(&self) -> &Api {
        &self.signed.api
    }

    /// Whether there is any use in showing buttons that change something.
    pub(super) fn may_change(&self) -> bool {
        permits(self.signed.caller, Ask::ChangeConfig)
    }

    /// Whether the session and its token count even now; meanwhile changed rights apply from here
    /// on. While the broker is away nothing else is known.
    pub(super) async fn still_counts(&mut self) -> bool {
        let api = self.api().clone();
        let Ok(config) = api.read(self.org).await else { return true };
        let held = config.tokens.get(&self.token).filter(|token| token::is_valid(token, api.now()));
        let Some(held) = held.cloned() else { return false };
        if config.ended_sessions.contains_key(&self.session.id()) {
            return false;
        }
        self.signed.caller = Caller::Member { org: self.org, token: self.token, role: held.role };
        (self.held, self.config) = (held, config);
        self.session.is_alive(api.now()) && permits(self.signed.caller, Ask::ReadConfig)
    }

    /// What surrounds a page.
    pub(super) fn frame(&self, title: &str, section: Section) -> Result<Frame, Problem> {
        Ok(Frame {
            title: title.to_owned(),
            section,
            organization: self.config.name.clone().unwrap_or_default(),
            who: self.held.name.clone(),
            role: self.held.role.name(),
            may_change: self.may_change(),
            form_token: self.session.form_token(self.api())?,
            notice: self.notice,
            assets: assets::folder(),
        })
    }
}

/// Why there is no page for this request.
pub(super) enum Refusal {
    /// It is answered already, with another page.
    Answered(Box<Response>),
    /// As the JSON API would refuse.
    Problem(Problem),
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Answered(response) => *response,
            Self::Problem(problem) => page::problem(&problem),
        }
    }
}

/// Where a request comes from.
pub(super) struct Whence(pub(super) Origin);

impl FromRequestParts<Api> for Whence {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refusal> {
        Ok(Self(origin(parts, &api.config.proxies)))
    }
}

/// Every page's answer.
pub(super) type Answer = Result<Response, Refusal>;

impl FromRequestParts<Api> for Visit {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refusal> {
        let held = parts.extensions.get::<Held>().cloned().unwrap_or_default();
        let ended = held.ended;
        let Some(session) = held.session else { return Err(signed_out(parts, ended)) };
        let Some((org, id)) = session.holder() else { return Err(signed_out(parts, false)) };
        let config = api.read(org).await?;
        if config.ended_sessions.contains_key(&session.id()) {
            return Err(signed_out(parts, true));
        }
        let held = config.tokens.get(&id).filter(|token| token::is_valid(token, api.now()));
        let Some(held) = held.cloned() else { return Err(signed_out(parts, true)) };
        let origin = origin(parts, &api.config.proxies);
        let signed = Signed::member(api.clone(), org, &held, origin);
        signed.own(Ask::ReadConfig)?;
        let notice = page::notice(parts.uri.query());
        Ok(Self { signed, org, config, session, token: id, held, notice })
    }
}

/// Leads to the sign-in and from there back; a script is only told.
fn signed_out(parts: &Parts, ended: bool) -> Refusal {
    let path = parts.uri.path();
    if path.starts_with(LIVE) {
        let told = page::text(StatusCode::UNAUTHORIZED, "Signed out");
        return Refusal::Answered(Box::new(told));
    }
    let back = if parts.method == Method::GET { path } else { page::HOME };
    Refusal::Answered(Box::new(sign_in::lead(back, ended)))
}
