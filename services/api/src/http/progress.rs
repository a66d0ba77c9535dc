//! `/v1/replay-job`: our own view of a replay job, for progress bars, and its end on request.

use auditrelay_api_core::Wrong;
use auditrelay_api_core::authz::Ask;
use auditrelay_api_core::fault::Fault;
use auditrelay_api_core::query::Query;
use auditrelay_api_core::replay::{CancelRequest, Detail, Seen};
use auditrelay_model::delivery::{Lane, LaneState};
use auditrelay_model::id::{JobId, PortalId};
use auditrelay_model::record::Position;
use auditrelay_model::replay::{Job, Jobs, Phase};
use auditrelay_model::{Scope, Timestamp};
use auditrelay_runtime::problem::Problem;
use auditrelay_streams::ReplayAction;
use axum::extract::Request;
use http::Uri;

use super::replay::command;
use super::request::{self, Id, organization_scope, portal_scope};
use super::response::{Answer, ok};
use crate::auth::Signed;
use crate::problems;

pub(super) async fn get(signed: Signed, uri: Uri) -> Answer {
    let query = Query::parse(uri.query());
    let portal = scope_in_query(&signed, &query).await?;
    let own = || organization_scope(&signed, Ask::ReadConfig).map(|(scope, _)| scope);
    show(&signed, portal.map_or_else(own, Ok)?).await
}

/// The log of the portal that a query names; none when it names none.
pub(super) async fn scope_in_query(
    signed: &Signed,
    query: &Query,
) -> Result<Option<Scope>, Problem> {
    match query.get("portal_id").map(str::parse) {
        None => Ok(None),
        Some(Ok(portal)) => scope(signed, Ask::ReadConfig, Some(portal)).await.map(Some),
        Some(Err(_)) => {
            let fault = Fault::query("portal_id", Wrong::Invalid("is not a UUID"));
            Err(problems::invalid(&[fault]))
        }
    }
}

pub(super) async fn get_of_portal(signed: Signed, Id(portal): Id<PortalId>) -> Answer {
    show(&signed, scope(&signed, Ask::ReadConfig, Some(portal)).await?).await
}

pub(super) async fn cancel(signed: Signed, request: Request) -> Answer {
    signed.own(Ask::Replay)?;
    let wish = wish(request).await?;
    let scope = scope(&signed, Ask::Replay, wish.portal).await?;
    let job = end(&signed, scope, wish.reason).await?;
    show_one(&signed, scope, job).await
}

pub(super) async fn cancel_of_portal(
    signed: Signed,
    Id(portal): Id<PortalId>,
    request: Request,
) -> Answer {
    let scope = scope(&signed, Ask::Replay, Some(portal)).await?;
    let wish = wish(request).await?;
    let job = end(&signed, scope, wish.reason).await?;
    show_one(&signed, scope, job).await
}

async fn scope(signed: &Signed, ask: Ask, portal: Option<PortalId>) -> Result<Scope, Problem> {
    match portal {
        None => organization_scope(signed, ask).map(|(scope, _)| scope),
        Some(portal) => portal_scope(signed, ask, portal).await.map(|(scope, _)| scope),
    }
}

/// No body asks for nothing special.
async fn wish(request: Request) -> Result<CancelRequest, Problem> {
    let body = request::json(request).await?;
    let body: &[u8] = if body.is_empty() { b"{}" } else { &body };
    CancelRequest::parse(body).map_err(|faults| problems::invalid(&faults))
}

async fn show(signed: &Signed, scope: Scope) -> Answer {
    let jobs = signed.api.jobs(scope).await?;
    Ok(ok(&detail(signed, scope, &jobs, jobs.newest.as_ref()).await?))
}

async fn show_one(signed: &Signed, scope: Scope, job: JobId) -> Answer {
    let jobs = signed.api.jobs(scope).await?;
    Ok(ok(&detail(signed, scope, &jobs, jobs.find(job)).await?))
}

/// Ends the job that is there now; one that has ended already cannot end again.
async fn end(signed: &Signed, scope: Scope, reason: String) -> Result<JobId, Problem> {
    signed.of(Ask::Replay, scope.org())?;
    let jobs = signed.api.jobs(scope).await?;
    let job = jobs.newest.as_ref().ok_or_else(Problem::not_found)?;
    if job.is_ended() {
        return Err(Problem::conflict("The replay job has already ended"));
    }
    command(signed, scope, job.id, ReplayAction::Cancel { reason }).await?;
    Ok(job.id)
}

/// A job with what its lane knows.
pub(crate) async fn detail(
    signed: &Signed,
    scope: Scope,
    jobs: &Jobs,
    job: Option<&Job>,
) -> Result<Detail, Problem> {
    let Some(job) = job else { return Ok(Detail::unconfigured(scope)) };
    let lane = match job.phase {
        // An ended job knows all that its lane did.
        Phase::Completed(_) | Phase::Failed { .. } | Phase::Cancelled { .. } | Phase::Accepted => {
            LaneState::default()
        }
        Phase::Pending(_) | Phase::Running { .. } => {
            signed.api.lane(scope, Lane::Replay(job.id)).await?
        }
    };
    let event_at = match lane.cursor {
        Some(cursor) => event_behind(signed, scope, cursor).await?,
        None => None,
    };
    let seen = Seen { lane: &lane, now: signed.api.now(), place: jobs.place(job.id), event_at };
    Ok(Detail::of(scope, job, &seen))
}

/// When the event behind a cursor was; none when the cursor is at the log's end. A record that is
/// sent in parts stays ahead of the cursor's sequence until its last part is sent.
async fn event_behind(
    signed: &Signed,
    scope: Scope,
    cursor: Position,
) -> Result<Option<Timestamp>, Problem> {
    let next = signed.api.streams.next_readable_record(scope, cursor.sequence + 1).await;
    let record = next.map_err(|error| problems::unread(&error))?.map(|stored| stored.record);
    Ok(record.and_then(|record| {
        let sent = if record.epoch == cursor.epoch {
            (cursor.number + 1).saturating_sub(record.first_number)
        } else {
            0
        };
        let index = usize::try_from(sent).unwrap_or(usize::MAX);
        record.events.get(index).map(|event| event.ts)
    }))
}
