//! The Replay tab: asking for a replay job, and how far it is.

use std::time::Duration;

use askama::Template;
use askama::filters::HtmlSafe;
use auditrelay_api_core::replay::{Detail, check_webhook};
use auditrelay_model::Timestamp;
use auditrelay_model::config::OrgConfig;
use auditrelay_model::window::RETENTION;
use auditrelay_runtime::ids;
use auditrelay_runtime::problem::Problem;
use http::StatusCode;
use serde_json::json;

use super::coverage::Coverage;
use super::form::{self, Errors, Fields, Form};
use super::jobs::{Estimated, History};
use super::moment::{self, Moment, bytes, count};
use super::page::{self, Frame};
use super::place::{Named, Place};
use super::visit::{Answer, Visit};
use super::words::{Badge, replay_description};
use crate::http::progress::detail;
use crate::http::replay_estimates::of_body;
use crate::http::replay_jobs::at_once;

/// The menu's entries: what a form sends, what people read, how many hours.
const RANGES: [(&str, &str, u64); 7] = [
    ("1h", "Last 1 hour", 1),
    ("6h", "Last 6 hours", 6),
    ("12h", "Last 12 hours", 12),
    ("24h", "Last 24 hours", 24),
    ("2d", "Last 2 days", 48),
    ("3d", "Last 3 days", 72),
    ("7d", "Last 7 days", 168),
];
const CUSTOM: &str = "custom";
const FIELDS: &Fields = &[
    ("start", "start_at", "Start"),
    ("end", "end_at", "End"),
    ("start", "body", "The time range"),
    ("name", "name", "Name"),
];

#[derive(Template)]
#[template(path = "replay.html")]
struct Page {
    frame: Frame,
    place: Place,
    tab: &'static str,
    /// Why no job can be asked for.
    obstacle: Option<&'static str>,
    ranges: [(&'static str, &'static str, u64); 7],
    range: String,
    start: String,
    end: String,
    oldest: String,
    oldest_text: String,
    newest: String,
    /// The same for the same page, so that a form sent twice asks for one job.
    key: String,
    name: String,
    unacknowledged: bool,
    panel: Panel,
    history: History,
    coverage: Coverage,
    /// What was counted before anything is sent.
    estimate: Option<Estimated>,
    errors: Errors,
}

impl Page {
    async fn read(visit: &Visit, place: Place) -> Result<Self, Problem> {
        let now = visit.api().now();
        Ok(Self {
            frame: visit.frame(&place.name, place.section())?,
            tab: "replay",
            obstacle: obstacle(&visit.config, &place),
            ranges: RANGES,
            range: "1h".to_owned(),
            start: moment::field(now - Duration::from_hours(1)),
            end: moment::field(now),
            oldest: moment::field(now - RETENTION),
            oldest_text: moment::text(now - RETENTION),
            newest: moment::field(now),
            key: ids::uuid_v4().to_string(),
            name: String::new(),
            unacknowledged: false,
            panel: Panel::read(visit, &place).await?,
            history: History::read(visit, &place).await?,
            coverage: Coverage::read(visit.api(), place.scope).await?,
            estimate: None,
            errors: Errors::default(),
            place,
        })
    }
}

fn obstacle(config: &OrgConfig, place: &Place) -> Option<&'static str> {
    check_webhook(config, place.scope).is_err().then_some(
        "A replay needs the webhook enabled and an endpoint chosen. Save both in Settings first.",
    )
}

impl Page {
    /// With what was typed.
    fn typed(self, form: &Form) -> Self {
        let typed = |name: &str, other: &str| match form.text(name) {
            "" => other.to_owned(),
            text => text.to_owned(),
        };
        Self {
            start: typed("start", &self.start),
            end: typed("end", &self.end),
            range: form.text("range").to_owned(),
            name: form.text("name").to_owned(),
            unacknowledged: form.is_on("unacknowledged"),
            ..self
        }
    }
}

/// How a scope's newest job is doing.
#[derive(Template)]
#[template(path = "replay_status.html")]
pub(super) struct Panel {
    badge: Badge,
    description: &'static str,
    state: &'static str,
    busy: bool,
    percent: u64,
    window: Option<(Moment, Moment)>,
    accepted: Option<Moment>,
    updated: Option<Moment>,
    actor: String,
    name: Option<String>,
    /// Why nothing is sent at the moment, and since when.
    rests: Option<(Moment, String)>,
    failure: Option<(String, String, &'static str)>,
    left: Option<String>,
    event: Option<Moment>,
    counts: Vec<(&'static str, String)>,
}

impl HtmlSafe for Panel {}

impl Panel {
    pub(super) async fn read(visit: &Visit, place: &Place) -> Result<Self, Problem> {
        let jobs = visit.api().jobs(place.scope).await?;
        let detail = detail(&visit.signed, place.scope, &jobs, jobs.newest.as_ref()).await?;
        Ok(Self::of(detail, &visit.config, visit.api().now()))
    }

    fn is_busy(&self) -> bool {
        self.busy
    }

    /// A job that runs cannot be replaced by another.
    fn is_running(&self) -> bool {
        matches!(self.state, "running" | "paused")
    }

    fn can_pause(&self) -> bool {
        matches!(self.state, "pending" | "running")
    }

    fn is_paused(&self) -> bool {
        self.state == "paused"
    }

    fn of(detail: Detail, config: &OrgConfig, now: Timestamp) -> Self {
        let at = |text: &Option<String>| Moment::parse(text.as_deref(), now);
        let busy = matches!(detail.state, "queued" | "accepted" | "pending" | "running" | "paused");
        let paused = detail.paused.as_ref().map(|pause| (&pause.since, &pause.reason));
        let held = detail.hold.as_ref().map(|hold| (&hold.since, &hold.reason));
        let rests = paused
            .or(held)
            .and_then(|(since, why)| Some((Moment::parse(Some(since), now)?, why.clone())));
        Self {
            badge: Badge::of_replay(detail.state),
            description: replay_description(detail.state),
            state: detail.state,
            busy,
            percent: detail.percent,
            window: at(&detail.start_at).zip(at(&detail.end_at)),
            accepted: at(&detail.accepted_at),
            updated: at(&detail.updated_at),
            actor: detail.actor.as_deref().map(|id| name_of(config, id)).unwrap_or_default(),
            counts: counts(&detail),
            rests,
            left: detail.eta_seconds.filter(|_| detail.state == "running").map(moment::span),
            event: at(&detail.current_event_at),
            failure: detail
                .failure
                .map(|failure| (failure.code, failure.reason, who_acts(failure.who_acts))),
            name: detail.name,
        }
    }
}

fn counts(detail: &Detail) -> Vec<(&'static str, String)> {
    let progress = &detail.progress;
    let mut counts = vec![
        ("Events sent", count(progress.events_sent)),
        ("Outside the range", count(progress.events_skipped)),
        ("Refused one by one", count(progress.events_quarantined)),
        ("Expired before sending", count(progress.events_expired)),
        ("Bytes sent", bytes(progress.bytes_sent)),
        ("Requests", count(progress.requests)),
    ];
    if let Some(estimate) = detail.estimated_events {
        counts.insert(0, ("Events to look at", count(estimate)));
    }
    counts
}

/// Who has to do something about a failure.
pub(super) fn who_acts(who: &str) -> &'static str {
    match who {
        "organization" => "You must act.",
        "operator" => "The operator of this deployment must act.",
        _ => "Nobody has to act.",
    }
}

/// Who asked: the token's name as long as it is known, or the name an identity provider has.
pub(super) fn name_of(config: &OrgConfig, actor: &str) -> String {
    if let Some(subject) = actor.strip_prefix("oidc:") {
        return subject.to_owned();
    }
    let token = actor
        .parse()
        .ok()
        .and_then(|id| config.tokens.get(&id).or_else(|| config.revoked.get(&id)));
    token.map_or_else(|| "a token that is no more".to_owned(), |token| token.name.clone())
}

pub(super) async fn show(visit: Visit, named: Named) -> Answer {
    let place = Place::find(named, visit.org, &visit.config)?;
    Ok(page::ok(&Page::read(&visit, place).await?))
}

pub(super) async fn send(visit: Visit, named: Named, form: Form) -> Answer {
    let place = Place::find(named, visit.org, &visit.config)?;
    let refused = match body(&form, visit.api().now()) {
        None => unknown_range(),
        Some(body) => {
            let key = key(&form);
            match at_once(&visit.signed, place.scope, key.as_deref(), &body).await {
                Ok(()) => return Ok(page::see(&format!("{}/replay?done=replay", place.base))),
                Err(problem) => Errors::from(problem, FIELDS)?,
            }
        }
    };
    let (status, errors) = refused;
    let page = Page { errors, ..Page::read(&visit, place).await?.typed(&form) };
    Ok(form::refused(status, &page))
}

/// Counts what would be sent; nothing is.
pub(super) async fn estimate(visit: Visit, named: Named, form: Form) -> Answer {
    let place = Place::find(named, visit.org, &visit.config)?;
    let counted = match body(&form, visit.api().now()) {
        None => Err(unknown_range()),
        Some(body) => match of_body(&visit.signed, place.scope, &body).await {
            Ok(view) => Ok(Estimated::of(&view, visit.api().now())),
            Err(problem) => Err(Errors::from(problem, FIELDS)?),
        },
    };
    let page = Page::read(&visit, place).await?.typed(&form);
    Ok(match counted {
        Ok(estimate) => page::ok(&Page { estimate: Some(estimate), ..page }),
        Err((status, errors)) => form::refused(status, &Page { errors, ..page }),
    })
}

/// The page again, with what the API refused.
pub(super) async fn refused(visit: &Visit, place: Place, problem: Problem) -> Answer {
    let (status, errors) = Errors::from(problem, FIELDS)?;
    Ok(form::refused(status, &Page { errors, ..Page::read(visit, place).await? }))
}

fn unknown_range() -> (StatusCode, Errors) {
    let wrong = Errors::one("range", "Replay Time Range must be one of the choices.");
    (StatusCode::BAD_REQUEST, wrong)
}

/// The same when one page is sent twice with the same range in it.
fn key(form: &Form) -> Option<String> {
    let names = ["key", "range", "start", "end", "name", "unacknowledged"];
    let parts = names.map(|name| form.text(name));
    (!form.text("key").is_empty()).then(|| parts.join(" "))
}

/// The window that a client of the JSON API would send. The menu sends a duration, so that the
/// browser's clock does not matter.
fn body(form: &Form, now: Timestamp) -> Option<Vec<u8>> {
    let range = form.text("range");
    let (start, end) = if range == CUSTOM {
        (moment::from_field(form.text("start")), moment::from_field(form.text("end")))
    } else {
        let (_, _, hours) = RANGES.iter().find(|(key, ..)| *key == range)?;
        ((now - Duration::from_hours(*hours)).to_string(), now.to_string())
    };
    let name = Some(form.text("name").trim()).filter(|name| !name.is_empty());
    let body = json!({
        "start_at": start,
        "end_at": end,
        "name": name,
        "unacknowledged_only": form.is_on("unacknowledged"),
    });
    Some(body.to_string().into_bytes())
}
