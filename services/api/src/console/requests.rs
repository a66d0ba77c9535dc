//! The Requests tab: every request that live delivery or a replay job sent, by outcome, and one
//! of them in detail.

use askama::Template;
use auditrelay_api_core::attempt::{View, Wish};
use auditrelay_api_core::query::Query;
use auditrelay_model::delivery::{Attempt, DeliveryEvent, Lane};
use auditrelay_model::replay::Jobs;
use auditrelay_runtime::problem::Problem;
use auditrelay_streams::Start;
use axum::extract::{FromRequestParts, RawPathParams};
use http::Uri;
use http::request::Parts;

use super::moment::{Moment, bytes, count};
use super::page::{self, Frame};
use super::place::{Named, Place};
use super::visit::{Answer, Refusal, Visit};
use crate::api::Api;
use crate::http::attempts;
use crate::problems;

/// Rows on one page.
const ROWS: usize = 50;
/// Replay jobs in the menu.
const JOBS: usize = 20;

/// Which requests are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Any,
    Delivered,
    Failed,
}

impl Outcome {
    const ALL: [(Self, &'static str, &'static str); 3] = [
        (Self::Any, "any", "All"),
        (Self::Delivered, "delivered", "Delivered"),
        (Self::Failed, "failed", "Failed"),
    ];

    fn parse(name: Option<&str>) -> Self {
        let found = Self::ALL.iter().find(|(_, key, _)| name == Some(key));
        found.map_or(Self::Any, |(outcome, ..)| *outcome)
    }

    const fn delivered(self) -> Option<bool> {
        match self {
            Self::Any => None,
            Self::Delivered => Some(true),
            Self::Failed => Some(false),
        }
    }
}

/// A request in a list.
pub(super) struct Row {
    /// The path of its own page.
    pub(super) href: String,
    pub(super) at: Option<Moment>,
    pub(super) delivered: bool,
    pub(super) status: Option<u16>,
    pub(super) message: String,
    pub(super) events: String,
    pub(super) size: String,
    pub(super) number: u32,
    pub(super) took: String,
}

impl Row {
    fn of(attempt: View, base: &str, api: &Api) -> Self {
        Self {
            href: format!("{base}/requests/{}?lane={}", attempt.id, attempt.lane),
            at: Moment::parse(Some(&attempt.at), api.now()),
            delivered: attempt.delivered,
            status: attempt.status,
            events: count(attempt.events),
            size: bytes(attempt.body_bytes),
            number: attempt.attempt,
            took: format!("{} ms", count(attempt.duration_ms)),
            message: attempt.message,
        }
    }
}

/// The newest requests of a place.
pub(super) async fn newest(visit: &Visit, place: &Place, size: usize) -> Result<Vec<Row>, Problem> {
    let found = attempts::page(&visit.api().streams, place.scope, Wish::newest(size)).await;
    Ok(rows(visit, place, found.map_err(|error| problems::unread(&error))?.data))
}

fn rows(visit: &Visit, place: &Place, found: Vec<View>) -> Vec<Row> {
    found.into_iter().map(|view| Row::of(view, &place.base, visit.api())).collect()
}

/// Whose requests a query asks for: those of live delivery, or of a replay job.
fn lane(query: &Query) -> Lane {
    let job = query.get("lane").and_then(|lane| lane.parse().ok());
    job.map_or(Lane::Live, Lane::Replay)
}

/// Live delivery, and the newest jobs, with what people call them.
fn lanes(visit: &Visit, jobs: &Jobs, asked: Lane) -> Vec<(String, String)> {
    let now = visit.api().now();
    let mut all: Vec<_> = jobs.all().collect();
    all.sort_by_key(|job| std::cmp::Reverse((job.accepted_at, job.id)));
    let known = all.into_iter().take(JOBS).map(|job| {
        let sent = Moment::new(job.accepted_at, now).ago;
        let name = job.terms.name.as_deref().map_or(String::new(), |name| format!(" {name},"));
        (job.id.to_string(), format!("Replay{name} sent {sent}"))
    });
    let live = ("live".to_owned(), "Live delivery".to_owned());
    let mut lanes: Vec<_> = std::iter::once(live).chain(known).collect();
    if lanes.iter().all(|(token, _)| *token != asked.token()) {
        lanes.push((asked.token(), "Another replay".to_owned()));
    }
    lanes
}

#[derive(Template)]
#[template(path = "requests.html")]
struct Page {
    frame: Frame,
    place: Place,
    tab: &'static str,
    outcomes: [(Outcome, &'static str, &'static str); 3],
    outcome: Outcome,
    lanes: Vec<(String, String)>,
    lane: String,
    rows: Vec<Row>,
    /// The link to older ones.
    older: Option<String>,
    first: bool,
}

pub(super) async fn list(visit: Visit, named: Named, uri: Uri) -> Answer {
    let place = Place::find(named, visit.org, &visit.config)?;
    let query = Query::parse(uri.query());
    let outcome = Outcome::parse(query.get("outcome"));
    let after = query.get("after").and_then(|text| text.parse().ok());
    let lane = lane(&query);
    let wish = Wish { after, lane, delivered: outcome.delivered(), ..Wish::newest(ROWS) };
    let found = attempts::page(&visit.api().streams, place.scope, wish).await;
    let found = found.map_err(|error| problems::unread(&error))?;
    let older = found.next.map(|next| query.with(&["after"], &[("after", &next.to_string())]));
    let jobs = visit.api().jobs(place.scope).await?;
    Ok(page::ok(&Page {
        frame: visit.frame(&place.name, place.section())?,
        tab: "requests",
        outcomes: Outcome::ALL,
        outcome,
        lanes: lanes(&visit, &jobs, lane),
        lane: lane.token(),
        rows: rows(&visit, &place, found.data),
        older,
        first: after.is_none(),
        place,
    }))
}

#[derive(Template)]
#[template(path = "request.html")]
struct Detail {
    frame: Frame,
    place: Place,
    at: Option<Moment>,
    delivered: bool,
    status: Option<u16>,
    message: String,
    facts: Vec<(&'static str, String)>,
    /// Its id, and where its page links to.
    destination: (String, Option<String>),
    trace: Option<Trace>,
    /// The page of its first event.
    event: String,
}

/// A trace's id, linked where there is something that shows traces.
struct Trace {
    id: String,
    url: Option<String>,
}

/// The sequence in the path.
pub(super) struct Sequence(u64);

impl FromRequestParts<Api> for Sequence {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refusal> {
        let params = RawPathParams::from_request_parts(parts, api).await;
        let params = params.map_err(|_| Problem::not_found())?;
        let found = params.iter().find(|(name, _)| *name == "sequence");
        let sequence = found.and_then(|(_, text)| text.parse().ok());
        Ok(Self(sequence.ok_or_else(Problem::not_found)?))
    }
}

pub(super) async fn show(
    visit: Visit,
    named: Named,
    Sequence(sequence): Sequence,
    uri: Uri,
) -> Answer {
    let place = Place::find(named, visit.org, &visit.config)?;
    let (streams, lane) = (&visit.api().streams, lane(&Query::parse(uri.query())));
    let found = streams.delivery_at(place.scope, lane, Start::Sequence(sequence)).await;
    let found = found.map_err(|error| problems::unread(&error))?;
    let fact = found.filter(|(at, _)| *at == sequence).ok_or_else(Problem::not_found)?.1;
    let view = View::of(sequence, &fact).ok_or_else(Problem::not_found)?;
    Ok(page::ok(&Detail::of(&visit, place, &fact, view)?))
}

impl Detail {
    fn of(visit: &Visit, place: Place, fact: &DeliveryEvent, view: View) -> Result<Self, Problem> {
        let destinations = &visit.config.destinations;
        let destination = view.destination_id.parse().ok().and_then(|id| destinations.get(&id));
        let listed = destination.filter(|destination| !destination.implicit);
        let link = listed.map(|_| format!("/console/setup/destinations/{}", view.destination_id));
        let name = destination.map_or(&view.destination_id, |destination| &destination.name);
        let trace_url = visit.api().config.trace_url.as_deref();
        Ok(Self {
            frame: visit.frame(&place.name, place.section())?,
            at: Moment::parse(Some(&view.at), visit.api().now()),
            delivered: view.delivered,
            status: view.status,
            destination: (name.clone(), link),
            trace: view.trace_id.as_ref().map(|id| Trace {
                id: id.clone(),
                url: trace_url.map(|url| url.replace("{trace_id}", id)),
            }),
            event: first_event(&place, fact),
            facts: facts(fact, &view),
            message: view.message,
            place,
        })
    }
}

fn first_event(place: &Place, fact: &DeliveryEvent) -> String {
    let scope = place.scope.token();
    fact.fact.attempt().map_or_else(
        || "/console/events".to_owned(),
        |Attempt { first, .. }| {
            format!("/console/events/{scope}/{}/{}", first.sequence, first.number)
        },
    )
}

fn facts(fact: &DeliveryEvent, view: &View) -> Vec<(&'static str, String)> {
    vec![
        ("Took", format!("{} ms", count(view.duration_ms))),
        ("Attempt", view.attempt.to_string()),
        ("Batch", view.batch_id.clone()),
        ("Events", count(view.events)),
        ("Numbers", format!("{} to {}", count(view.first_number), count(view.last_number))),
        ("Size", bytes(view.body_bytes)),
        ("Log format", view.log_format.to_owned()),
        ("Sent by", fact.sender.clone()),
    ]
}
