//! The live tail: events as they are stored.

use std::collections::VecDeque;

use askama::Template;
use auditrelay_api_core::audit_log::Needle;
use auditrelay_api_core::authz::Ask;
use auditrelay_api_core::query::Query;
use auditrelay_model::Timestamp;
use auditrelay_model::event::EventKind;
use auditrelay_model::record::Position;
use auditrelay_runtime::problem::Problem;
use auditrelay_streams::Fetched;
use axum::extract::Path;
use axum::response::sse::Event;
use http::{HeaderMap, Uri};
use serde_json::json;
use tokio::time::Duration;

use super::entry::Entry;
use super::events::{kind, wants_trail};
use super::feed::{Feed, Source};
use super::place::Place;
use super::visit::{Answer, Visit};
use crate::problems;

/// How often the log is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Records that are read at a look.
const RECORDS: usize = 50;
/// Events that are shown of a look; nobody reads more.
const SHOWN: usize = 100;

struct Tail {
    place: Place,
    kind: Option<EventKind>,
    text: Option<Needle>,
    trail: bool,
    /// The next record's lowest sequence.
    from: u64,
}

/// A stream of rows, from where the reader last was, or from now on.
pub(super) async fn follow(
    visit: Visit,
    Path(scope): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Answer {
    visit.signed.own(Ask::ReadEvents)?;
    let place = Place::named(&scope, visit.org, &visit.config)?;
    let query = Query::parse(uri.query());
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse::<u64>().ok());
    let last = match last {
        Some(last) => Some(last),
        None => visit
            .api()
            .streams
            .last_head(place.scope)
            .await
            .map(|newest| newest.map(|newest| newest.sequence))
            .map_err(|error| problems::unread(&error))?,
    };
    let from = last.map_or(1, |last| last.saturating_add(1));
    let text = query.get("text").map(Needle::new);
    Feed::open(visit, Tail { place, kind: kind(&query), text, trail: wants_trail(&query), from })
}

impl Source for Tail {
    const EVERY: Duration = LOOK;

    async fn look(&mut self, visit: &Visit) -> Result<VecDeque<Event>, Problem> {
        let streams = &visit.api().streams;
        let read = streams.records_from(self.place.scope, self.from, RECORDS).await;
        let (records, _) = read.map_err(|error| problems::unread(&error))?;
        let (mut rows, now) = (Vec::new(), visit.api().now());
        for record in &records {
            rows.extend(self.rows(record, now));
            self.from = record.head.sequence + 1;
        }
        if rows.is_empty() {
            return Ok(VecDeque::new());
        }
        let more = rows.len().saturating_sub(SHOWN);
        let newest: String = rows.into_iter().rev().take(SHOWN).collect();
        let data = json!({"rows": newest, "more": more}).to_string();
        let event = Event::default().event("rows").id((self.from - 1).to_string()).data(data);
        Ok(VecDeque::from([event]))
    }
}

impl Tail {
    fn rows(&self, record: &Fetched, now: Timestamp) -> Vec<String> {
        if self.kind.is_some_and(|kind| !record.may_hold(kind)) {
            return Vec::new();
        }
        // What cannot be read is reported where it is delivered.
        let Ok(decoded) = record.decode() else { return Vec::new() };
        let head = &record.head;
        let numbered = (head.first_number..).zip(decoded.events);
        let wanted = numbered.filter(|(_, event)| {
            self.kind.is_none_or(|kind| kind == event.kind())
                && (!self.trail || event.is_trail())
                && self.text.as_ref().is_none_or(|text| text.is_in(event))
        });
        let rows = wanted.filter_map(|(number, event)| {
            let at = Position { epoch: head.epoch, number, sequence: head.sequence };
            Entry::of(self.place.scope, at, &event, now).render().ok()
        });
        rows.collect()
    }
}
