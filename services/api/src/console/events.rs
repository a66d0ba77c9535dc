//! The Events page: the log that is kept, searched by time, kind and text, the newest first.

use std::time::Duration;

use askama::Template;
use auditrelay_api_core::audit_log::{At, Page, Wish};
use auditrelay_api_core::authz::Ask;
use auditrelay_api_core::query::Query;
use auditrelay_model::event::EventKind;
use auditrelay_model::record::Position;
use auditrelay_model::{Scope, Timestamp};
use auditrelay_runtime::problem::Problem;
use http::{StatusCode, Uri};

use super::entry::Entry;
use super::form::{self, Errors, Fields};
use super::glance;
use super::moment::{self, text};
use super::page::{self, Frame, Section};
use super::place::Place;
use super::visit::{Answer, Visit};
use crate::http::audit_logs::gather;
use crate::pull;

/// Events on one page.
const ROWS: &str = "50";
/// Logs in the menu; the page of each log leads here too.
const LOGS_MAX: usize = 200;
/// The menu's entries: what a form sends, what people read, how many hours.
const RANGES: [(&str, &str, u64); 5] = [
    ("1h", "Last hour", 1),
    ("6h", "Last 6 hours", 6),
    ("24h", "Last 24 hours", 24),
    ("3d", "Last 3 days", 72),
    ("7d", "Last 7 days", 168),
];
/// What the menu of kinds calls events about the organization itself.
const TRAIL: &str = "trail";
const KINDS: [(&str, &str); 4] = [
    ("authentication", "Authentication: logins"),
    ("authorization", "Authorization: permission checks"),
    ("gateway_access", "Gateway access: requests"),
    (TRAIL, "Own trail: changes, replays, denied calls"),
];
/// The form's fields, as the API names them and as people read them.
const FIELDS: &Fields = &[
    ("from", "filter[ts][gte]", "From"),
    ("to", "filter[ts][lte]", "To"),
    ("kind", "filter[type]", "Kind"),
    ("text", "filter[text]", "Text"),
];

/// What is searched for, as it is in the query.
struct Asked {
    log: String,
    range: String,
    from: String,
    to: String,
    kind: String,
    text: String,
    after: Option<String>,
    before: Option<String>,
}

impl Asked {
    fn of(query: &Query, now: Timestamp) -> Self {
        let value = |name: &str| query.get(name).unwrap_or_default().to_owned();
        let place = |name: &str| query.get(name).map(ToOwned::to_owned);
        let known = RANGES.iter().find(|(key, ..)| query.get("range") == Some(key));
        let custom = known.is_none() && !value("from").is_empty();
        let (range, hours) = known.map_or(("24h", 24), |(key, _, hours)| (*key, *hours));
        let begins = moment::field(now - Duration::from_hours(hours));
        let (from, to) =
            if custom { (value("from"), value("to")) } else { (begins, String::new()) };
        let log = query.get("log").unwrap_or("org").to_owned();
        let range = if custom { "custom" } else { range }.to_owned();
        let (kind, text) = (value("kind"), value("text"));
        Self { log, range, from, to, kind, text, after: place("after"), before: place("before") }
    }

    /// As a client of the JSON API would ask.
    fn query(&self) -> String {
        let (from, to) = (moment::from_field(&self.from), moment::from_field(&self.to));
        let mut pairs = vec![("page[size]", ROWS), ("filter[ts][gte]", from.as_str())];
        let optional = [
            ("filter[ts][lte]", Some(to.as_str()).filter(|_| !self.to.is_empty())),
            ("filter[type]", Some(self.kind.as_str()).filter(|kind| !["", TRAIL].contains(kind))),
            ("filter[trail]", Some("true").filter(|_| self.kind == TRAIL)),
            ("filter[text]", Some(self.text.as_str()).filter(|text| !text.is_empty())),
            ("page[after]", self.after.as_deref()),
            ("page[before]", self.before.as_deref()),
        ];
        pairs.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
        Query::parse(None).with(&[], &pairs)
    }

    /// A link to another page of the same search. The times are pinned, so that pages fit
    /// together.
    fn link(&self, name: &str, cursor: &str) -> String {
        let pairs = [
            ("log", self.log.as_str()),
            ("range", "custom"),
            ("from", &self.from),
            ("to", &self.to),
            ("kind", &self.kind),
            ("text", &self.text),
            (name, cursor),
        ];
        let said: Vec<_> = pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        Query::parse(None).with(&[], &said)
    }

    /// What the live tail shows: the same kind and text.
    fn tail(&self, scope: Scope) -> String {
        let pairs = [("kind", self.kind.as_str()), ("text", self.text.as_str())];
        let said: Vec<_> = pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        format!("/console/live/{}/tail?{}", scope.token(), Query::parse(None).with(&[], &said))
    }
}

#[derive(Template)]
#[template(path = "events.html")]
struct Events {
    frame: Frame,
    logs: Vec<(String, String)>,
    ranges: [(&'static str, &'static str, u64); 5],
    kinds: [(&'static str, &'static str); 4],
    asked: Asked,
    rows: Vec<Entry>,
    older: Option<String>,
    newer: Option<String>,
    tail: String,
    /// Since when the search has looked at everything, if it ended early.
    searched: bool,
    oldest_text: String,
    errors: Errors,
}

pub(super) async fn list(visit: Visit, uri: Uri) -> Answer {
    visit.signed.own(Ask::ReadEvents)?;
    let api = visit.api();
    let now = api.now();
    let asked = Asked::of(&Query::parse(uri.query()), now);
    let place = Place::named(&asked.log, visit.org, &visit.config)?;
    let wish = Wish::parse(Some(&asked.query()), place.scope, now, &api.config.cursor_key);
    let wish = match wish {
        Ok(wish) => wish,
        Err(faults) => {
            let (status, errors) = Errors::from(crate::problems::invalid(&faults), FIELDS)?;
            return refused(&visit, &place, asked, status, errors);
        }
    };
    let streams = &api.streams;
    let gathered = match wish.at {
        At::Start => {
            gather(api, place.scope, wish.at, pull::newest(streams, place.scope, wish.clone()))
                .await
        }
        at @ (At::After(_) | At::Before(_)) => {
            gather(api, place.scope, at, pull::page(streams, place.scope, wish.clone())).await
        }
    };
    match gathered {
        Ok((page, _)) => Ok(page::ok(&Events::of(&visit, &place, asked, &wish, page)?)),
        Err(problem) => {
            let (status, errors) = Errors::from(problem, FIELDS)?;
            refused(&visit, &place, asked, status, errors)
        }
    }
}

fn refused(
    visit: &Visit,
    place: &Place,
    asked: Asked,
    status: StatusCode,
    errors: Errors,
) -> Answer {
    Ok(form::refused(status, &Events { errors, ..Events::empty(visit, place, asked)? }))
}

impl Events {
    fn empty(visit: &Visit, place: &Place, asked: Asked) -> Result<Self, Problem> {
        let own = Place::organization(visit.org);
        let places = glance::places(&visit.config, own);
        let places = places.into_iter().take(LOGS_MAX);
        let mut logs: Vec<_> = places.map(|place| (place.scope.token(), place.name)).collect();
        if logs.iter().all(|(token, _)| *token != asked.log) {
            logs.push((place.scope.token(), place.name.clone()));
        }
        Ok(Self {
            frame: visit.frame("Events", Section::Events)?,
            logs,
            ranges: RANGES,
            kinds: KINDS,
            tail: asked.tail(place.scope),
            asked,
            rows: Vec::new(),
            older: None,
            newer: None,
            searched: false,
            oldest_text: text(visit.api().now() - auditrelay_model::window::RETENTION),
            errors: Errors::default(),
        })
    }

    fn of(
        visit: &Visit,
        place: &Place,
        asked: Asked,
        wish: &Wish,
        page: Page,
    ) -> Result<Self, Problem> {
        let key = &visit.api().config.cursor_key;
        let link = |name: &str, at: Option<Position>| Some(asked.link(name, &wish.seal(key, at?)));
        let first = asked.after.is_none() && asked.before.is_none();
        let older = link("before", page.previous);
        let newer = link("after", page.next).filter(|_| !first);
        let searched = page.events.is_empty() && (older.is_some() || newer.is_some());
        let found = page.places.into_iter().zip(page.events).rev();
        let now = visit.api().now();
        let rows = found.map(|(at, event)| Entry::of(place.scope, at, &event, now)).collect();
        Ok(Self { rows, older, newer, searched, ..Self::empty(visit, place, asked)? })
    }

    fn is_kind(&self, kind: &str) -> bool {
        self.asked.kind == kind
    }
}

/// Whether a query asks for what happened to the organization itself.
pub(super) fn wants_trail(query: &Query) -> bool {
    query.get("kind") == Some(TRAIL)
}

/// The kind that a query names; one that is none is no filter.
pub(super) fn kind(query: &Query) -> Option<EventKind> {
    EventKind::from_name(query.get("kind")?)
}
