//! `/v1/replay-job`: our own view of a replay job, for progress bars, and its end on request.

use auditrelay_api_core::Wrong;
use auditrelay_api_core::authz::Ask;
use auditrelay_api_core::fault::Fault;
use auditrelay_api_core::query::Query;
use auditrelay_api_core::replay::{CancelRequest, Detail};
use auditrelay_model::Scope;
use auditrelay_model::delivery::{Lane, LaneState};
use auditrelay_model::id::PortalId;
use auditrelay_model::replay::Job;
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
    let portal = match query.get("portal_id").map(str::parse) {
        None => None,
        Some(Ok(portal)) => Some(portal),
        Some(Err(_)) => {
            let fault = Fault::query("portal_id", Wrong::Invalid("is not a UUID"));
            return Err(problems::invalid(&[fault]));
        }
    };
    show(&signed, scope(&signed, Ask::ReadConfig, portal).await?).await
}

pub(super) async fn get_of_portal(signed: Signed, Id(portal): Id<PortalId>) -> Answer {
    show(&signed, scope(&signed, Ask::ReadConfig, Some(portal)).await?).await
}

pub(super) async fn cancel(signed: Signed, request: Request) -> Answer {
    signed.own(Ask::Replay)?;
    let wish = wish(request).await?;
    let scope = scope(&signed, Ask::Replay, wish.portal).await?;
    let job = end(&signed, scope, wish.reason).await?;
    Ok(ok(&detail(&signed, scope, job.as_ref()).await?))
}

pub(super) async fn cancel_of_portal(
    signed: Signed,
    Id(portal): Id<PortalId>,
    request: Request,
) -> Answer {
    let scope = scope(&signed, Ask::Replay, Some(portal)).await?;
    let wish = wish(request).await?;
    let job = end(&signed, scope, wish.reason).await?;
    Ok(ok(&detail(&signed, scope, job.as_ref()).await?))
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
    let job = signed.api.job(scope).await?;
    Ok(ok(&detail(signed, scope, job.as_ref().as_ref()).await?))
}

/// Ends the job that is there now; one that has ended already cannot end again.
pub(crate) async fn end(
    signed: &Signed,
    scope: Scope,
    reason: String,
) -> Result<Option<Job>, Problem> {
    signed.of(Ask::Replay, scope.org())?;
    let job = signed.api.job(scope).await?;
    let job = job.as_ref().as_ref().ok_or_else(Problem::not_found)?;
    if job.is_ended() {
        return Err(Problem::conflict("The replay job has already ended"));
    }
    command(signed, scope, job.id, ReplayAction::Cancel { reason }).await
}

/// A job with what its lane knows.
pub(crate) async fn detail(
    signed: &Signed,
    scope: Scope,
    job: Option<&Job>,
) -> Result<Detail, Problem> {
    let lane = match job {
        Some(job) => signed.api.lane(scope, Lane::Replay(job.id)).await?,
        None => LaneState::default(),
    };
    Ok(Detail::of(job, &lane))
}
