//! What all pages share: the frame, answers, and pages that say no.

use askama::Template;
use auditrelay_api_core::query::Query;
use auditrelay_runtime::problem::Problem;
use auditrelay_runtime::{ids, telemetry};
use axum::response::{Html, IntoResponse, Response};
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderValue, StatusCode};

use super::assets;
use super::visit::{Answer, Visit};

/// Where somebody who signed in arrives.
pub(super) const HOME: &str = "/console/overview";
/// The first tab of the setup.
pub(super) const SETUP: &str = "/console/setup/destinations";

/// Where in the console a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Overview,
    Events,
    Organization,
    Access,
    Keys,
    Destinations,
    Konnect,
    PortalLogs,
    Portals,
}

impl Section {
    const fn name(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Events => "events",
            Self::Organization => "organization",
            Self::Access => "access",
            Self::Keys => "keys",
            Self::Destinations => "destinations",
            Self::Konnect => "konnect",
            Self::PortalLogs => "portal_logs",
            Self::Portals => "portals",
        }
    }

    const fn is_setup(self) -> bool {
        matches!(self, Self::Destinations | Self::Konnect | Self::PortalLogs)
    }
}

/// What surrounds a page.
pub(super) struct Frame {
    pub(super) title: String,
    pub(super) section: Section,
    pub(super) organization: String,
    pub(super) who: String,
    pub(super) role: &'static str,
    pub(super) may_change: bool,
    pub(super) form_token: String,
    pub(super) notice: Option<&'static str>,
    /// Where style and script are.
    pub(super) assets: String,
}

impl Frame {
    /// For links: whether this one leads to where we are.
    pub(super) fn current(&self, name: &str) -> &'static str {
        if self.section.name() == name {
            "page"
        } else if name == "setup" && self.section.is_setup() {
            "true"
        } else {
            "false"
        }
    }
}

/// A page that says no; no session is needed to see it.
#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    title: &'a str,
    detail: &'a str,
    trace: &'a str,
    assets: String,
}

/// What was done, as the page after it says.
pub(super) fn notice(query: Option<&str>) -> Option<&'static str> {
    match Query::parse(query).get("done")? {
        "saved" => Some("Saved."),
        "created" => Some("Created."),
        "deleted" => Some("Deleted."),
        "resent" => Some("Sent again, and the receiver took it."),
        "refused" => Some("Sent again, and refused again: see below."),
        "discarded" => Some("Discarded."),
        "revoked" => Some("Revoked. Whoever used it is refused from now on."),
        "replay" => Some("The replay was sent. Its status follows below."),
        "paused" => Some("The replay is paused."),
        "resumed" => Some("The replay goes on."),
        "cancelled" => Some("The replay was cancelled."),
        _ => None,
    }
}

pub(super) fn html(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => (status, Html(text)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page cannot be written");
            Problem::internal().into_response()
        }
    }
}

pub(super) fn ok(page: &impl Template) -> Response {
    html(StatusCode::OK, page)
}

/// A part of a page.
pub(super) fn fragment(html: String) -> Response {
    Html(html).into_response()
}

/// A few words for a script. Not `text/plain`: that would be taken for a refusal of the router.
pub(super) fn text(status: StatusCode, words: &'static str) -> Response {
    (status, Html(words)).into_response()
}

/// Leads a browser on after a form, or away from a page without content.
pub(super) fn see(path: &str) -> Response {
    let mut response = (StatusCode::SEE_OTHER, Html("")).into_response();
    if let Ok(path) = HeaderValue::from_str(path) {
        response.headers_mut().insert(LOCATION, path);
    }
    response.headers_mut().remove(CONTENT_TYPE);
    response
}

/// A refusal as a page.
pub(super) fn problem(problem: &Problem) -> Response {
    let (title, detail) = match problem.status {
        StatusCode::NOT_FOUND => {
            ("There is nothing here", "The page does not exist, or what it showed is gone.")
        }
        StatusCode::FORBIDDEN => (
            "You may not do this",
            "Your token's role does not allow it. Ask an administrator of your organization.",
        ),
        _ => (problem.title, problem.detail.as_str()),
    };
    refused(problem, title, detail)
}

/// Something else than our pages made the browser send a form.
pub(super) fn foreign() -> Response {
    let detail = "The form did not come from a page of this console. Nothing was changed.";
    refused(&Problem::forbidden(), "Refused", detail)
}

/// The form is from another session of this browser.
pub(super) fn stale() -> Response {
    let detail = "The form is out of date, because you signed in or out since it was opened. \
                  Nothing was changed. Go back, reload the page and send it again.";
    refused(&Problem::forbidden(), "Please send it again", detail)
}

fn refused(problem: &Problem, title: &str, detail: &str) -> Response {
    let trace = telemetry::trace_id().unwrap_or_else(|| ids::uuid_v4().simple().to_string());
    let page = ProblemPage { title, detail, trace: &trace, assets: assets::folder() };
    let mut response = html(problem.status, &page);
    let headers = problem.headers.iter().map(|(name, value)| (name.clone(), value.clone()));
    response.headers_mut().extend(headers);
    response
}

pub(super) async fn home(_visit: Visit) -> Answer {
    Ok(see(HOME))
}

pub(super) async fn setup(_visit: Visit) -> Answer {
    Ok(see(SETUP))
}

pub(super) async fn missing() -> Answer {
    Err(Problem::not_found().into())
}
