//! The Quarantine tab: events that the receiver refused alone, to be sent again or discarded.

use askama::Template;
use auditrelay_api_core::quarantine::{State, View, Wish, parse_reason};
use auditrelay_api_core::query::Query;
use auditrelay_model::quarantine::{QuarantineAction, Release};
use auditrelay_runtime::problem::Problem;
use axum::extract::{FromRequestParts, RawPathParams};
use http::Uri;
use http::request::Parts;
use serde_json::json;

use super::form::{self, Errors, Fields, Form};
use super::moment::Moment;
use super::page::{self, Frame};
use super::place::{Named, Place};
use super::replay::name_of;
use super::visit::{Answer, Refusal, Visit};
use super::words::Badge;
use crate::api::Api;
use crate::http::quarantine::{page as parked, release};
use crate::problems;

/// Rows on one page.
const ROWS: usize = 25;
/// The form's fields, as the API names them and as people read them.
const FIELDS: &Fields = &[("reason", "reason", "Reason")];
const STATES: [(Option<State>, &str, &str); 4] = [
    (Some(State::Parked), "parked", "Waiting"),
    (Some(State::Delivered), "delivered", "Sent again"),
    (Some(State::Discarded), "discarded", "Discarded"),
    (None, "any", "All"),
];

#[derive(Template)]
#[template(path = "quarantine.html")]
struct Page {
    frame: Frame,
    place: Place,
    tab: &'static str,
    states: [(Option<State>, &'static str, &'static str); 4],
    state: Option<State>,
    rows: Vec<Row>,
    older: Option<String>,
    errors: Errors,
}

struct Row {
    id: String,
    /// The reason that was typed and refused.
    refused: Option<String>,
    at: Option<Moment>,
    event: String,
    event_id: String,
    job: bool,
    status: Option<u16>,
    message: String,
    badge: Badge,
    waits: bool,
    releases: Vec<String>,
}

impl Row {
    fn of(visit: &Visit, place: &Place, view: View) -> Self {
        let scope = place.scope.token();
        let at = &view.position;
        Self {
            event: format!("/console/events/{scope}/{}/{}", at.sequence, at.number),
            at: Moment::parse(Some(&view.at), visit.api().now()),
            event_id: view.event_id,
            job: view.job_id.is_some(),
            status: view.status,
            message: view.message,
            badge: match view.state {
                State::Parked => Badge { word: "Waiting", tone: "warn" },
                State::Delivered => Badge { word: "Sent again", tone: "good" },
                State::Discarded => Badge { word: "Discarded", tone: "quiet" },
            },
            waits: view.state == State::Parked,
            releases: view
                .releases
                .iter()
                .map(|release| {
                    let who = name_of(&visit.config, &release.actor);
                    let what = match (release.delivered, release.status) {
                        (None, _) => "discarded".to_owned(),
                        (Some(true), _) => "sent again and taken".to_owned(),
                        (Some(false), Some(status)) => format!("sent again, answered {status}"),
                        (Some(false), None) => "sent again without an answer".to_owned(),
                    };
                    let why = release.reason.as_deref().map(|why| format!(": {why}"));
                    format!("{what} by {who}{}", why.unwrap_or_default())
                })
                .collect(),
            id: view.id,
            refused: None,
        }
    }
}

impl Page {
    async fn read(visit: &Visit, place: Place, query: &Query) -> Result<Self, Problem> {
        let asked = query.get("state").unwrap_or("parked");
        let state = STATES.iter().find(|(_, key, _)| *key == asked);
        let state = state.map_or(Some(State::Parked), |(state, ..)| *state);
        let after = query.get("after").and_then(|text| text.parse().ok());
        let wish = Wish { size: ROWS, after, state };
        let found = parked(&visit.api().streams, place.scope, wish).await;
        let found = found.map_err(|error| problems::unread(&error))?;
        let older = found.next.map(|next| query.with(&["after"], &[("after", &next.to_string())]));
        let rows = found.data.into_iter().map(|view| Row::of(visit, &place, view)).collect();
        Ok(Self {
            frame: visit.frame(&place.name, place.section())?,
            place,
            tab: "quarantine",
            states: STATES,
            state,
            rows,
            older,
            errors: Errors::default(),
        })
    }
}

/// The parked event in the path.
pub(super) struct Parked(u64);

impl FromRequestParts<Api> for Parked {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refusal> {
        let params = RawPathParams::from_request_parts(parts, api).await;
        let params = params.map_err(|_| Problem::not_found())?;
        let found = params.iter().find(|(name, _)| *name == "parked");
        let id = found.and_then(|(_, text)| text.parse().ok());
        Ok(Self(id.ok_or_else(Problem::not_found)?))
    }
}

pub(super) async fn list(visit: Visit, named: Named, uri: Uri) -> Answer {
    let place = Place::find(named, visit.org, &visit.config)?;
    Ok(page::ok(&Page::read(&visit, place, &Query::parse(uri.query())).await?))
}

pub(super) async fn resend(visit: Visit, named: Named, parked: Parked, form: Form) -> Answer {
    finish(visit, named, parked, form, Ok(QuarantineAction::Resend)).await
}

pub(super) async fn discard(visit: Visit, named: Named, parked: Parked, form: Form) -> Answer {
    let body = json!({"reason": form.text("reason").trim()}).to_string();
    let reason = parse_reason(body.as_bytes()).map_err(|faults| problems::invalid(&faults));
    let action = reason.map(|reason| QuarantineAction::Discard { reason });
    finish(visit, named, parked, form, action).await
}

async fn finish(
    visit: Visit,
    named: Named,
    Parked(id): Parked,
    form: Form,
    action: Result<QuarantineAction, Problem>,
) -> Answer {
    let place = Place::find(named, visit.org, &visit.config)?;
    let released = match action {
        Ok(action) => release(&visit.signed, place.scope, id, action).await,
        Err(problem) => Err(problem),
    };
    match released {
        Ok(released) => {
            let done = match released.what {
                Release::Discarded { .. } => "discarded",
                Release::Resent(resent) if resent.delivered => "resent",
                Release::Resent(_) => "refused",
            };
            Ok(page::see(&format!("{}/quarantine?done={done}", place.base)))
        }
        Err(problem) => {
            let (status, errors) = Errors::from(problem, FIELDS)?;
            let mut page = Page::read(&visit, place, &Query::default()).await?;
            let row = page.rows.iter_mut().find(|row| row.id == id.to_string());
            if let Some(row) = row {
                row.refused = Some(form.text("reason").to_owned());
            }
            Ok(form::refused(status, &Page { errors, ..page }))
        }
    }
}
