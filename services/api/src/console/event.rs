//! One event in detail: what it says, how it is written for each kind of receiver, and whether its
//! signature and its place in the log hold.

use askama::Template;
use auditrelay_api_core::audit_log::item;
use auditrelay_api_core::authz::Ask;
use auditrelay_format::{render, seal_line};
use auditrelay_model::Scope;
use auditrelay_model::destination::LogFormat;
use auditrelay_model::event::{AuditEvent, Detail};
use auditrelay_model::record::Record;
use auditrelay_runtime::problem::Problem;
use auditrelay_signing::line;
use auditrelay_streams::{ReadError, StoredRecord, Streams};
use axum::extract::Path;

use super::entry::{kind, told};
use super::keys;
use super::moment::{Moment, count};
use super::page::{self, Frame, Section};
use super::place::Place;
use super::visit::{Answer, Visit};
use super::words::Badge;
use crate::api::Api;
use crate::problems;

#[derive(Template)]
#[template(path = "event.html")]
struct Page {
    frame: Frame,
    log: Place,
    title: String,
    verdict: Badge,
    at: Moment,
    stored: Moment,
    facts: Vec<(&'static str, String)>,
    lines: Vec<Line>,
    json: String,
    chain: Chain,
    before: Option<String>,
    behind: Option<String>,
}

/// An event as a receiver gets it.
pub(super) struct Line {
    pub(super) format: &'static str,
    pub(super) text: String,
    /// The key whose signature was checked on this very text; none when the check failed.
    pub(super) signer: Option<String>,
}

/// Whether the record follows the one before it, by its digest.
enum Chain {
    First,
    Unbroken(String),
    Broken(String),
    /// The record before it is not kept any more.
    Expired,
}

pub(super) async fn show(
    visit: Visit,
    Path((log, sequence, number)): Path<(String, String, String)>,
) -> Answer {
    visit.signed.own(Ask::ReadEvents)?;
    let place = Place::named(&log, visit.org, &visit.config)?;
    let api = visit.api();
    let (Ok(sequence), Ok(number)) = (sequence.parse::<u64>(), number.parse::<u64>()) else {
        return Err(Problem::not_found().into());
    };
    let stored = holder(&api.streams, place.scope, sequence, number).await;
    let stored = stored.map_err(|error| problems::unread(&error))?;
    let stored = stored.ok_or_else(Problem::not_found)?;
    let (record, sequence) = (&stored.record, stored.sequence);
    let event = number.checked_sub(record.first_number);
    let event = event.and_then(|index| record.events.get(usize::try_from(index).ok()?));
    let event = event.ok_or_else(Problem::not_found)?;
    let chain = chain(&api.streams, place.scope, sequence, record).await;
    let chain = chain.map_err(|error| problems::unread(&error))?;
    let (verdict, title) = told(event);
    let near = |other: u64| {
        let within = (record.first_number..=record.last_number()).contains(&other);
        within.then(|| format!("/console/events/{log}/{sequence}/{other}"))
    };
    let item = item::signed(place.scope, event, |text| sign(api, text));
    let page = Page {
        frame: visit.frame("Event", Section::Events)?,
        title,
        verdict,
        at: Moment::new(event.ts, api.now()),
        stored: Moment::new(stored.stored_at, api.now()),
        facts: facts(event, number),
        lines: LogFormat::ALL
            .iter()
            .map(|format| written(api, place.scope, event, *format))
            .collect(),
        json: serde_json::to_string_pretty(&item).unwrap_or_default(),
        chain,
        before: near(number.saturating_sub(1)),
        behind: near(number + 1),
        log: place,
    };
    Ok(page::ok(&page))
}

/// The record that holds an event: the one at the sequence, or the next, because a place may name
/// the record before it.
async fn holder(
    streams: &Streams,
    scope: Scope,
    mut sequence: u64,
    number: u64,
) -> Result<Option<StoredRecord>, ReadError> {
    for _ in 0..2 {
        let stored = streams.next_readable_record(scope, sequence).await?;
        let Some(stored) = stored else { return Ok(None) };
        let record = &stored.record;
        if (record.first_number..=record.last_number()).contains(&number) {
            return Ok(Some(stored));
        }
        sequence = stored.sequence + 1;
    }
    Ok(None)
}

fn sign(api: &Api, text: &[u8]) -> String {
    keys::all(api).next().map(|key| key.sign(text)).unwrap_or_default()
}

/// An event as a receiver of this format gets it, and its signature checked as a receiver does.
pub(super) fn written(api: &Api, scope: Scope, event: &AuditEvent, format: LogFormat) -> Line {
    let text = render(event, scope, format, &api.config.vendor);
    let signature = sign(api, text.as_bytes());
    let text = seal_line(text, format, &signature);
    let signer = line::split(&text)
        .and_then(|(signed, signature)| keys::signer(api, signed.as_bytes(), signature));
    Line { format: format.name(), text, signer }
}

async fn chain(
    streams: &Streams,
    scope: Scope,
    sequence: u64,
    record: &Record,
) -> Result<Chain, ReadError> {
    let Some(expected) = record.previous_digest else { return Ok(Chain::First) };
    let before = streams.last_record_up_to(scope, sequence.saturating_sub(1)).await?;
    let Some(before) = before else { return Ok(Chain::Expired) };
    let stored = match streams.next_record(scope, before.sequence).await {
        Err(ReadError::Corrupt(_)) => return Ok(Chain::Broken(count(before.last_number))),
        read => read?,
    };
    let Some(stored) = stored.filter(|stored| stored.sequence == before.sequence) else {
        return Ok(Chain::Expired);
    };
    let number = count(stored.record.last_number());
    Ok(if stored.digest == expected { Chain::Unbroken(number) } else { Chain::Broken(number) })
}

/// What the event says, by the names that people read; what it does not say is left out.
fn facts(event: &AuditEvent, number: u64) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("Kind", kind(&event.detail).to_owned()),
        ("Event ID", event.id.to_string()),
        ("Number in its log", count(number)),
        ("Principal", event.principal_id.clone()),
        ("Principal's name", event.principal_name.clone()),
        ("Actor", event.actor_id.clone()),
        ("Client address", event.client_ip.map(|ip| ip.to_string()).unwrap_or_default()),
        ("Request", event.uri.clone()),
        ("User agent", event.user_agent.clone()),
        ("Trace ID", event.trace_id.clone()),
    ];
    match &event.detail {
        Detail::Authentication(detail) => {
            facts.push(("Login with", detail.method.name().to_owned()));
            facts.push(("Outcome", detail.outcome.name().replace('_', " ")));
        }
        Detail::Authorization(detail) => {
            facts.push(("Service", detail.service.clone()));
            facts.push(("Resource", detail.resource.clone()));
            facts.push(("Action", detail.action.clone()));
        }
        Detail::Access(detail) => {
            facts.push(("Method", detail.method.clone()));
            facts.push(("Status", detail.status_code.to_string()));
            facts.push(("Query", detail.query.clone()));
        }
    }
    facts.retain(|(_, value)| !value.is_empty());
    facts
}
