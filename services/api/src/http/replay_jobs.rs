//! `/v1/replay-jobs`: jobs as our own API has them, with a name, a filter, a target and a queue.

use std::cmp::Reverse;
use std::sync::Arc;

use auditrelay_api_core::authz::Ask;
use auditrelay_api_core::page::NumberedPage;
use auditrelay_api_core::query::Query;
use auditrelay_api_core::replay::{
    Detail, JobWish, Reason, Seen, check_target, overlaps, remainder,
};
use auditrelay_api_core::{Fault, Wrong};
use auditrelay_model::Scope;
use auditrelay_model::config::OrgConfig;
use auditrelay_model::delivery::LaneState;
use auditrelay_model::id::{JobId, OrgId, PortalId};
use auditrelay_model::replay::{Job, Jobs};
use auditrelay_runtime::problem::Problem;
use auditrelay_streams::ReplayAction;
use axum::extract::Request;
use http::{StatusCode, Uri};
use serde_json::{Value, json};

use super::progress::detail;
use super::replay::{command, idempotency_key, make};
use super::request::{self, Id, organization_scope, portal_scope};
use super::response::{Answer, json, ok};
use crate::api::CATCH_UP;
use crate::auth::Signed;
use crate::problems;

pub(super) async fn create(signed: Signed, request: Request) -> Answer {
    signed.own(Ask::Replay)?;
    let key = idempotency_key(request.headers());
    let wish = wish(&signed, request).await?;
    let (scope, config) = scope_of(&signed, Ask::Replay, wish.portal).await?;
    check_target(&config, scope, wish.terms.target).map_err(|denial| problems::denied(&denial))?;
    let (jobs, id) = begin(&signed, scope, key.as_deref(), &wish).await?;
    Ok(json(StatusCode::ACCEPTED, &made(&signed, scope, &jobs, id).await?))
}

/// One job for each portal that can have one; which cannot, and why, is told.
pub(super) async fn create_of_portals(signed: Signed, request: Request) -> Answer {
    let org = signed.own(Ask::Replay)?;
    let key = idempotency_key(request.headers());
    let wish = wish(&signed, request).await?;
    if wish.portal.is_some() {
        return Err(problems::invalid(&[Fault::body("portal_id", Wrong::Unknown)]));
    }
    let config = signed.api.read(org).await?;
    let (mut data, mut refused) = (Vec::new(), Vec::new());
    for portal in config.portals.keys().copied() {
        match one_of_many(&signed, &config, Scope::Portal(org, portal), key.as_deref(), &wish).await
        {
            Ok(job) => data.push(job),
            Err(problem) => {
                let problem: Value = serde_json::from_str(&problem.body("")).unwrap_or_default();
                refused.push(json!({ "portal_id": portal.to_string(), "problem": problem }));
            }
        }
    }
    Ok(json(StatusCode::ACCEPTED, &json!({ "data": data, "refused": refused })))
}

async fn one_of_many(
    signed: &Signed,
    config: &OrgConfig,
    scope: Scope,
    key: Option<&str>,
    wish: &JobWish,
) -> Result<Value, Problem> {
    check_target(config, scope, wish.terms.target).map_err(|denial| problems::denied(&denial))?;
    let (jobs, id) = begin(signed, scope, key, wish).await?;
    made(signed, scope, &jobs, id).await
}

pub(super) async fn wish(signed: &Signed, request: Request) -> Result<JobWish, Problem> {
    let body = request::json(request).await?;
    JobWish::parse(&body, signed.api.now()).map_err(|faults| problems::invalid(&faults))
}

/// Makes the job that a body asks for, on a log that the caller may replay; it does not wait for
/// another one to end.
pub(crate) async fn at_once(
    signed: &Signed,
    scope: Scope,
    key: Option<&str>,
    body: &[u8],
) -> Result<(), Problem> {
    signed.of(Ask::Replay, scope.org())?;
    let wish = JobWish::parse(body, signed.api.now());
    let wish = wish.map_err(|faults| problems::invalid(&faults))?;
    let config = signed.api.read(scope.org()).await?;
    check_target(&config, scope, wish.terms.target).map_err(|denial| problems::denied(&denial))?;
    let (window, terms) = (wish.window, wish.terms);
    let action = ReplayAction::Configure { window, terms, may_wait: false };
    make(signed, scope, key, action).await.map(drop)
}

async fn begin(
    signed: &Signed,
    scope: Scope,
    key: Option<&str>,
    wish: &JobWish,
) -> Result<(Arc<Jobs>, JobId), Problem> {
    let (window, terms) = (wish.window, wish.terms.clone());
    make(signed, scope, key, ReplayAction::Configure { window, terms, may_wait: true }).await
}

/// A new job, with the others that send the same again.
async fn made(signed: &Signed, scope: Scope, jobs: &Jobs, id: JobId) -> Result<Value, Problem> {
    let job = jobs.find(id).ok_or_else(Problem::not_found)?;
    let mut shown = serde_json::to_value(detail(signed, scope, jobs, Some(job)).await?)
        .map_err(|_| Problem::internal())?;
    if let Some(members) = shown.as_object_mut() {
        members.insert("overlaps".to_owned(), json!(overlaps(jobs, job.window, Some(job))));
    }
    Ok(shown)
}

/// The organization's jobs, the newest first: of every log, or of one.
pub(super) async fn list(signed: Signed, uri: Uri) -> Answer {
    let org = signed.own(Ask::ReadConfig)?;
    let query = Query::parse(uri.query());
    let page = NumberedPage::parse(&query).map_err(|faults| problems::invalid(&faults))?;
    let only = super::progress::scope_in_query(&signed, &query).await?;
    let all = known(&signed, org).await?;
    let now = signed.api.now();
    let mut found: Vec<(Scope, &Jobs, &Job)> = all
        .iter()
        .filter(|(scope, _)| only.is_none_or(|only| only == *scope))
        .flat_map(|(scope, jobs)| jobs.all().map(|job| (*scope, &**jobs, job)))
        .collect();
    found.sort_by_key(|(_, _, job)| Reverse((job.accepted_at, job.id)));
    let total = found.len();
    // What a job's own facts say is enough here: its lane is asked for one job at a time.
    let lane = LaneState::default();
    let data: Vec<Detail> = page
        .cut(&found)
        .iter()
        .map(|(scope, jobs, job)| {
            let seen = Seen { lane: &lane, now, place: jobs.place(job.id), event_at: None };
            Detail::of(*scope, job, &seen)
        })
        .collect();
    let meta = json!({ "page": { "number": page.number, "size": page.size, "total": total } });
    Ok(ok(&json!({ "data": data, "meta": meta })))
}

pub(super) async fn get(signed: Signed, Id(id): Id<JobId>) -> Answer {
    let (scope, jobs) = find(&signed, Ask::ReadConfig, id).await?;
    Ok(ok(&detail(&signed, scope, &jobs, jobs.find(id)).await?))
}

pub(super) async fn pause(signed: Signed, Id(id): Id<JobId>, request: Request) -> Answer {
    signed.own(Ask::Replay)?;
    let reason = reason(request, "paused by request").await?;
    shown(&signed, id, ReplayAction::Pause { reason }).await
}

pub(super) async fn resume(signed: Signed, Id(id): Id<JobId>) -> Answer {
    shown(&signed, id, ReplayAction::Resume).await
}

pub(super) async fn cancel(signed: Signed, Id(id): Id<JobId>, request: Request) -> Answer {
    signed.own(Ask::Replay)?;
    let reason = reason(request, "cancelled by request").await?;
    shown(&signed, id, ReplayAction::Cancel { reason }).await
}

pub(super) async fn retry(signed: Signed, Id(id): Id<JobId>, request: Request) -> Answer {
    let key = idempotency_key(request.headers());
    let (scope, jobs, new) = again(&signed, id, key.as_deref()).await?;
    Ok(json(StatusCode::ACCEPTED, &made(&signed, scope, &jobs, new).await?))
}

/// Makes a new job for what this one did not send.
pub(crate) async fn again(
    signed: &Signed,
    id: JobId,
    key: Option<&str>,
) -> Result<(Scope, Arc<Jobs>, JobId), Problem> {
    let (scope, jobs) = find(signed, Ask::Replay, id).await?;
    let job = jobs.find(id).ok_or_else(Problem::not_found)?;
    let (window, terms) = remainder(job, signed.api.now()).map_err(Problem::conflict)?;
    let config = signed.api.read(scope.org()).await?;
    check_target(&config, scope, terms.target).map_err(|denial| problems::denied(&denial))?;
    let action = ReplayAction::Configure { window, terms, may_wait: true };
    let (jobs, new) = make(signed, scope, key, action).await?;
    Ok((scope, jobs, new))
}

async fn shown(signed: &Signed, id: JobId, action: ReplayAction) -> Answer {
    let (scope, jobs) = change(signed, id, action).await?;
    Ok(ok(&detail(signed, scope, &jobs, jobs.find(id)).await?))
}

/// Pauses, resumes or cancels a job; one that has ended cannot be cancelled any more.
pub(crate) async fn change(
    signed: &Signed,
    id: JobId,
    action: ReplayAction,
) -> Result<(Scope, Arc<Jobs>), Problem> {
    let (scope, jobs) = find(signed, Ask::Replay, id).await?;
    let job = jobs.find(id).ok_or_else(Problem::not_found)?;
    if job.is_ended() && matches!(action, ReplayAction::Cancel { .. }) {
        return Err(Problem::conflict("The replay job has already ended"));
    }
    Ok((scope, command(signed, scope, id, action).await?))
}

/// No body gives no reason of its own.
async fn reason(request: Request, default: &str) -> Result<String, Problem> {
    let body = request::json(request).await?;
    let body: &[u8] = if body.is_empty() { b"{}" } else { &body };
    let reason = Reason::parse(body).map_err(|faults| problems::invalid(&faults))?;
    Ok(reason.0.unwrap_or_else(|| default.to_owned()))
}

/// The job with this id, in the caller's organization.
pub(super) async fn find(
    signed: &Signed,
    ask: Ask,
    id: JobId,
) -> Result<(Scope, Arc<Jobs>), Problem> {
    let org = signed.own(ask)?;
    let all = known(signed, org).await?;
    all.into_iter().find(|(_, jobs)| jobs.find(id).is_some()).ok_or_else(Problem::not_found)
}

/// All jobs of an organization with every fact that was stored before.
async fn known(signed: &Signed, org: OrgId) -> Result<Vec<(Scope, Arc<Jobs>)>, Problem> {
    let replays = &signed.api.replays;
    replays.caught_up(CATCH_UP).await.map_err(|error| problems::unread(&error))?;
    Ok(replays.all().into_iter().filter(|(scope, _)| scope.org() == org).collect())
}

/// The scope that is meant, and the configuration, if the caller may ask this there.
pub(super) async fn scope_of(
    signed: &Signed,
    ask: Ask,
    portal: Option<PortalId>,
) -> Result<(Scope, Arc<OrgConfig>), Problem> {
    if let Some(portal) = portal {
        portal_scope(signed, ask, portal).await
    } else {
        let (scope, org) = organization_scope(signed, ask)?;
        Ok((scope, signed.api.read(org).await?))
    }
}
