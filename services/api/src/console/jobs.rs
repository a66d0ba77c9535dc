//! Replay jobs beside the one that is there now: what a new one would send, what older ones did,
//! and what can be done with each.

use askama::Template;
use askama::filters::HtmlSafe;
use auditrelay_api_core::authz::Ask;
use auditrelay_api_core::replay::{Detail, EstimateView, Seen};
use auditrelay_model::Timestamp;
use auditrelay_model::delivery::LaneState;
use auditrelay_model::id::JobId;
use auditrelay_runtime::problem::Problem;
use auditrelay_streams::ReplayAction;
use axum::extract::{FromRequestParts, RawPathParams};
use http::HeaderValue;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::request::Parts;

use super::form::Form;
use super::moment::{Moment, bytes, count, span};
use super::page;
use super::place::{Named, Place};
use super::replay::{name_of, refused, who_acts};
use super::visit::{Answer, Refusal, Visit};
use super::words::Badge;
use crate::api::Api;
use crate::http::replay_jobs::{again, change};
use crate::http::replay_report::written;

/// Jobs that are shown.
const SHOWN: usize = 20;
const REASON: &str = "in the console";

/// What a job would send.
#[derive(Template)]
#[template(path = "estimate.html")]
pub(super) struct Estimated {
    start: Option<Moment>,
    end: Option<Moment>,
    events: String,
    exact: bool,
    most: String,
    size: String,
    requests: String,
    takes: String,
    measured: bool,
    overlaps: usize,
    before: usize,
}

impl HtmlSafe for Estimated {}

impl Estimated {
    pub(super) fn of(view: &EstimateView, now: Timestamp) -> Self {
        Self {
            start: Moment::parse(Some(&view.start_at), now),
            end: Moment::parse(Some(&view.end_at), now),
            events: count(view.events),
            exact: view.exact,
            most: count(view.events_max),
            size: bytes(view.body_bytes),
            requests: count(view.batches),
            takes: span(view.eta_seconds),
            measured: view.rate == "measured",
            overlaps: view.overlaps.len(),
            before: view.jobs_before,
        }
    }
}

/// The jobs of a log, the newest first.
#[derive(Template)]
#[template(path = "history.html")]
pub(super) struct History {
    base: String,
    rows: Vec<Row>,
    may_change: bool,
    form_token: String,
}

impl HtmlSafe for History {}

struct Row {
    id: String,
    name: Option<String>,
    badge: Badge,
    why: Option<(String, &'static str)>,
    start: Option<Moment>,
    end: Option<Moment>,
    accepted: Option<Moment>,
    actor: String,
    sent: String,
    ended: bool,
    retries: bool,
}

impl History {
    pub(super) async fn read(visit: &Visit, place: &Place) -> Result<Self, Problem> {
        let jobs = visit.api().jobs(place.scope).await?;
        let (now, lane) = (visit.api().now(), LaneState::default());
        let mut all: Vec<_> = jobs.all().collect();
        all.sort_by_key(|job| std::cmp::Reverse((job.accepted_at, job.id)));
        let rows = all.into_iter().take(SHOWN).map(|job| {
            let seen = Seen { lane: &lane, now, place: jobs.place(job.id), event_at: None };
            Row::of(visit, Detail::of(place.scope, job, &seen), now)
        });
        Ok(Self {
            base: place.base.clone(),
            rows: rows.collect(),
            may_change: visit.may_change(),
            form_token: visit.session.form_token(visit.api())?,
        })
    }
}

impl Row {
    fn of(visit: &Visit, detail: Detail, now: Timestamp) -> Self {
        let at = |text: &Option<String>| Moment::parse(text.as_deref(), now);
        let actor = detail.actor.as_deref().map(|actor| name_of(&visit.config, actor));
        Self {
            badge: Badge::of_replay(detail.state),
            start: at(&detail.start_at),
            end: at(&detail.end_at),
            accepted: at(&detail.accepted_at),
            actor: actor.unwrap_or_default(),
            sent: count(detail.progress.events_sent),
            ended: matches!(detail.state, "completed" | "failed" | "cancelled"),
            retries: matches!(detail.state, "failed" | "cancelled"),
            why: detail.failure.map(|failure| (failure.reason, who_acts(failure.who_acts))),
            id: detail.id.unwrap_or_default(),
            name: detail.name,
        }
    }
}

/// The job in the path.
pub(super) struct Asked(JobId);

impl FromRequestParts<Api> for Asked {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refusal> {
        let params = RawPathParams::from_request_parts(parts, api).await;
        let params = params.map_err(|_| Problem::not_found())?;
        let found = params.iter().find(|(name, _)| *name == "job");
        let job = found.and_then(|(_, text)| text.parse().ok());
        Ok(Self(job.ok_or_else(Problem::not_found)?))
    }
}

pub(super) async fn cancel(visit: Visit, named: Named, _form: Form) -> Answer {
    let reason = format!("cancelled {REASON}");
    newest(visit, named, ReplayAction::Cancel { reason }, "cancelled").await
}

pub(super) async fn pause(visit: Visit, named: Named, _form: Form) -> Answer {
    let reason = format!("paused {REASON}");
    newest(visit, named, ReplayAction::Pause { reason }, "paused").await
}

pub(super) async fn resume(visit: Visit, named: Named, _form: Form) -> Answer {
    newest(visit, named, ReplayAction::Resume, "resumed").await
}

/// Changes the job that is there now.
async fn newest(visit: Visit, named: Named, action: ReplayAction, done: &str) -> Answer {
    visit.signed.own(Ask::Replay)?;
    let place = Place::find(named, visit.org, &visit.config)?;
    let jobs = visit.api().jobs(place.scope).await?;
    let job = jobs.newest.as_ref().ok_or_else(Problem::not_found)?;
    match change(&visit.signed, job.id, action).await {
        Ok(_) => Ok(page::see(&format!("{}/replay?done={done}", place.base))),
        Err(problem) => refused(&visit, place, problem).await,
    }
}

/// A new job for what an older one did not send.
pub(super) async fn retry(visit: Visit, named: Named, Asked(id): Asked, _form: Form) -> Answer {
    let place = Place::find(named, visit.org, &visit.config)?;
    match again(&visit.signed, id, None).await {
        Ok(_) => Ok(page::see(&format!("{}/replay?done=replay", place.base))),
        Err(problem) => refused(&visit, place, problem).await,
    }
}

/// The signed report, to be kept.
pub(super) async fn report(visit: Visit, Asked(id): Asked) -> Answer {
    let report = written(&visit.signed, id).await?;
    let text = serde_json::to_string_pretty(&report).map_err(|_| Problem::internal())?;
    let mut response = page::fragment(text);
    let name = format!("attachment; filename=\"replay-{id}.json\"");
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(name) = HeaderValue::try_from(name) {
        headers.insert(CONTENT_DISPOSITION, name);
    }
    Ok(response)
}
