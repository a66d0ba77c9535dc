//! The Requests tab: every request that a webhook's live delivery sent, by outcome, and one of
//! them in detail.

use askama::Template;
use auditrelay_api_core::attempt::View;
use auditrelay_api_core::query::Query;
use auditrelay_model::delivery::{DeliveryEvent, Lane};
use auditrelay_runtime::problem::Problem;
use auditrelay_streams::{Backwards, ReadError, Start, Streams};
use axum::extract::{FromRequestParts, RawPathParams};
use http::Uri;
use http::request::Parts;

use super::moment::{Moment, bytes, count};
use super::page::{self, Frame};
use super::place::{Named, Place};
use super::visit::{Answer, Refusal, Visit};
use crate::api::Api;
use crate::problems;

/// Rows on one page.
const ROWS: usize = 50;
/// Facts that are looked at for one page; most are requests.
const FACTS_MAX: usize = 5_000;

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

    const fn wants(self, delivered: bool) -> bool {
        match self {
            Self::Any => true,
            Self::Delivered => delivered,
            Self::Failed => !delivered,
        }
    }
}

/// A request in a list.
pub(super) struct Row {
    pub(super) sequence: u64,
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
    fn of(sequence: u64, attempt: View, api: &Api) -> Self {
        Self {
            sequence,
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

/// The newest requests below a sequence, the newest first, and where to go on.
struct Found {
    rows: Vec<(u64, View)>,
    /// Older ones lie below this sequence; none when everything was looked at.
    below: Option<u64>,
}

async fn find(
    streams: &Streams,
    place: &Place,
    below: Option<u64>,
    outcome: Outcome,
    size: usize,
) -> Result<Found, ReadError> {
    let high = match below {
        Some(below) => below.saturating_sub(1),
        None => streams.last_delivery(place.scope, Lane::Live).await?.map_or(0, |(_, last)| last),
    };
    let mut way = Backwards::new(1, high);
    let (mut rows, mut looked, mut lowest) = (Vec::new(), 0, high);
    while !way.is_done() && rows.len() < size && looked < FACTS_MAX {
        let facts = streams.delivery_back(place.scope, Lane::Live, &mut way).await?;
        looked += facts.len();
        lowest = facts.first().map_or(lowest, |(sequence, _)| *sequence);
        let requests = facts.iter().rev().filter_map(|(sequence, fact)| {
            View::of(*sequence, fact)
                .filter(|view| outcome.wants(view.delivered))
                .map(|view| (*sequence, view))
        });
        rows.extend(requests);
    }
    let more = rows.len() > size || !way.is_done();
    rows.truncate(size);
    let full = rows.len() == size;
    let last = rows.last().filter(|_| full).map(|(sequence, _)| *sequence);
    Ok(Found { below: more.then(|| last.unwrap_or(lowest)), rows })
}

/// The newest requests of a place.
pub(super) async fn newest(visit: &Visit, place: &Place, size: usize) -> Result<Vec<Row>, Problem> {
    let found = find(&visit.api().streams, place, None, Outcome::Any, size).await;
    Ok(rows(visit, found.map_err(|error| problems::unread(&error))?.rows))
}

fn rows(visit: &Visit, found: Vec<(u64, View)>) -> Vec<Row> {
    found.into_iter().map(|(sequence, view)| Row::of(sequence, view, visit.api())).collect()
}

#[derive(Template)]
#[template(path = "requests.html")]
struct Page {
    frame: Frame,
    place: Place,
    tab: &'static str,
    outcomes: [(Outcome, &'static str, &'static str); 3],
    outcome: Outcome,
    rows: Vec<Row>,
    /// The link to older ones.
    older: Option<String>,
    first: bool,
}

pub(super) async fn list(visit: Visit, named: Named, uri: Uri) -> Answer {
    let place = Place::find(named, visit.org, &visit.config)?;
    let query = Query::parse(uri.query());
    let outcome = Outcome::parse(query.get("outcome"));
    let below = query.get("below").and_then(|text| text.parse().ok());
    let found = find(&visit.api().streams, &place, below, outcome, ROWS).await;
    let found = found.map_err(|error| problems::unread(&error))?;
    let older = found.below.map(|below| query.with(&["below"], &[("below", &below.to_string())]));
    let (rows, frame) = (rows(&visit, found.rows), visit.frame(&place.name, place.section())?);
    let (outcomes, first) = (Outcome::ALL, below.is_none());
    Ok(page::ok(&Page { frame, place, tab: "requests", outcomes, outcome, rows, older, first }))
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

pub(super) async fn show(visit: Visit, named: Named, Sequence(sequence): Sequence) -> Answer {
    let place = Place::find(named, visit.org, &visit.config)?;
    let streams = &visit.api().streams;
    let found = streams.delivery_at(place.scope, Lane::Live, Start::Sequence(sequence)).await;
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
    use auditrelay_model::delivery::DeliveryFact;
    let scope = place.scope.token();
    match &fact.fact {
        DeliveryFact::Attempt(attempt) => {
            format!("/console/events/{scope}/{}/{}", attempt.first.sequence, attempt.first.number)
        }
        DeliveryFact::FellBehind { .. }
        | DeliveryFact::CaughtUp
        | DeliveryFact::Held(_)
        | DeliveryFact::Resumed
        | DeliveryFact::Quarantined(_)
        | DeliveryFact::Passed { .. }
        | DeliveryFact::Expired { .. }
        | DeliveryFact::Stopped { .. } => "/console/events".to_owned(),
    }
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
