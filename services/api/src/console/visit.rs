//! Somebody who is signed in and looks at a page.

use std::sync::Arc;

use auditrelay_api_core::authz::{Ask, Caller, permits};
use auditrelay_api_core::token;
use auditrelay_model::config::OrgConfig;
use auditrelay_model::id::{OrgId, TokenId};
use auditrelay_model::origin::Origin;
use auditrelay_runtime::http::origin;
use auditrelay_runtime::problem::Problem;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{Method, StatusCode};

use super::assets;
use super::gate::{Held, LIVE};
use super::page::{self, Frame, Section};
use super::session::{Session, Who};
use super::sign_in;
use crate::api::Api;
use crate::auth::Signed;

/// Somebody whose session counts now, and whose token too.
pub(super) struct Visit {
    pub(super) signed: Signed,
    pub(super) org: OrgId,
    pub(super) config: Arc<OrgConfig>,
    pub(super) session: Session,
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
        let origin = self.signed.origin.clone();
        let Some(signed) = signed(&api, &config, &self.session, origin) else { return false };
        (self.signed, self.config) = (signed, config);
        self.session.is_alive(api.now()) && permits(self.signed.caller, Ask::ReadConfig)
    }

    /// The token that was signed in with, if it was one of ours.
    pub(super) const fn token(&self) -> Option<TokenId> {
        match self.signed.caller {
            Caller::Member { token, .. } => Some(token),
            Caller::Federated { .. } | Caller::Platform => None,
        }
    }

    /// What surrounds a page.
    pub(super) fn frame(&self, title: &str, section: Section) -> Result<Frame, Problem> {
        Ok(Frame {
            title: title.to_owned(),
            section,
            organization: self.config.name.clone().unwrap_or_default(),
            who: self.signed.origin.principal_name.clone(),
            role: match self.signed.caller {
                Caller::Member { role, .. } | Caller::Federated { role, .. } => role.name(),
                Caller::Platform => "operator",
            },
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
        let org = match session.who() {
            None => return Err(signed_out(parts, false)),
            Some(Who::Token(org, _) | Who::Person(org, ..)) => org,
        };
        let config = api.read(org).await?;
        let origin = origin(parts, &api.config.proxies);
        let Some(signed) = signed(api, &config, &session, origin) else {
            return Err(signed_out(parts, true));
        };
        signed.own(Ask::ReadConfig)?;
        let notice = page::notice(parts.uri.query());
        Ok(Self { signed, org, config, session, notice })
    }
}

/// Who is there, if the session was not ended and its token counts now.
pub(super) fn signed(
    api: &Api,
    config: &OrgConfig,
    session: &Session,
    origin: Origin,
) -> Option<Signed> {
    if config.name.is_none() || config.ended_sessions.contains_key(&session.id()) {
        return None;
    }
    match session.who()? {
        Who::Token(org, id) => {
            let token = config.tokens.get(&id).filter(|token| token::is_valid(token, api.now()))?;
            Some(Signed::member(api.clone(), org, token, origin))
        }
        Who::Person(org, role, vouched) => {
            let origin = Origin { principal_name: vouched.name, ..origin };
            Some(Signed::person(api.clone(), (org, role), vouched.subject, origin))
        }
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
