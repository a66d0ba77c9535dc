//! `/v2/audit-log-replay-job`, `/v3/…` and that of portals.

use std::sync::Arc;
use std::time::Duration;

use auditrelay_api_core::authz::Ask;
use auditrelay_api_core::replay::{View, check_webhook, job_of_key, parse_window};
use auditrelay_model::Scope;
use auditrelay_model::id::{JobId, PortalId};
use auditrelay_model::replay::{Job, Jobs, Terms};
use auditrelay_runtime::problem::Problem;
use auditrelay_runtime::{ids, telemetry};
use auditrelay_streams::{Estimate, ReplayAction, ReplayCommand, ReplayReply};
use axum::extract::Request;
use http::{HeaderMap, StatusCode};

use super::request::{self, Id, organization_scope, portal_scope};
use super::response::{Answer, json, ok};
use crate::api::CATCH_UP;
use crate::auth::Signed;
use crate::problems;

/// How long the replay-scheduler may take to decide.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(5);
/// How long it may take to count what a job would send.
const ESTIMATE_TIMEOUT: Duration = Duration::from_secs(15);
/// A longer `Idempotency-Key` is none.
const KEY_BYTES_MAX: usize = 255;

pub(super) async fn get(signed: Signed) -> Answer {
    let (scope, _) = organization_scope(&signed, Ask::ReadConfig)?;
    Ok(ok(&View::of(signed.api.jobs(scope).await?.newest.as_ref())))
}

pub(super) async fn put(signed: Signed, request: Request) -> Answer {
    let (scope, _) = organization_scope(&signed, Ask::Replay)?;
    put_scope(&signed, scope, request).await
}

pub(super) async fn get_of_portal(signed: Signed, Id(portal): Id<PortalId>) -> Answer {
    let (scope, _) = portal_scope(&signed, Ask::ReadConfig, portal).await?;
    Ok(ok(&View::of(signed.api.jobs(scope).await?.newest.as_ref())))
}

pub(super) async fn put_of_portal(
    signed: Signed,
    Id(portal): Id<PortalId>,
    request: Request,
) -> Answer {
    let (scope, _) = portal_scope(&signed, Ask::Replay, portal).await?;
    put_scope(&signed, scope, request).await
}

async fn put_scope(signed: &Signed, scope: Scope, request: Request) -> Answer {
    let key = idempotency_key(request.headers());
    let body = request::json(request).await?;
    let job = configure(signed, scope, key.as_deref(), &body).await?;
    Ok(json(StatusCode::ACCEPTED, &View::of(job.as_ref())))
}

/// The window first, then the webhook, then the scheduler's own decision.
async fn configure(
    signed: &Signed,
    scope: Scope,
    key: Option<&str>,
    body: &[u8],
) -> Result<Option<Job>, Problem> {
    signed.of(Ask::Replay, scope.org())?;
    let window = parse_window(body, signed.api.now());
    let window = window.map_err(|faults| problems::invalid(&faults))?;
    let config = signed.api.read(scope.org()).await?;
    check_webhook(&config, scope).map_err(|denial| problems::denied(&denial))?;
    let (terms, may_wait) = (Terms::default(), false);
    let (jobs, _) =
        make(signed, scope, key, ReplayAction::Configure { window, terms, may_wait }).await?;
    Ok(jobs.newest.clone())
}

/// Makes a job, unless the request was carried out before; the scope's jobs then, and its id.
pub(super) async fn make(
    signed: &Signed,
    scope: Scope,
    key: Option<&str>,
    action: ReplayAction,
) -> Result<(Arc<Jobs>, JobId), Problem> {
    let new = match key {
        None => JobId::from_uuid(ids::uuid_v7()),
        Some(key) => {
            let id = job_of_key(scope, key);
            let jobs = signed.api.jobs(scope).await?;
            if jobs.find(id).is_some() {
                return Ok((jobs, id));
            }
            id
        }
    };
    let limited = signed.api.replay_limit.take(scope, signed.api.now());
    limited.map_err(Problem::too_many_requests)?;
    Ok((command(signed, scope, new, action).await?, new))
}

pub(super) fn idempotency_key(headers: &HeaderMap) -> Option<String> {
    let key = headers.get("idempotency-key")?.to_str().ok()?;
    (!key.is_empty() && key.len() <= KEY_BYTES_MAX).then(|| key.to_owned())
}

/// Asks the scheduler for a change and reads what came of it.
pub(super) async fn command(
    signed: &Signed,
    scope: Scope,
    job: JobId,
    action: ReplayAction,
) -> Result<Arc<Jobs>, Problem> {
    let name = action.name();
    let api = &signed.api;
    match ask(signed, scope, job, action, COMMAND_TIMEOUT).await? {
        ReplayReply::Stored { sequence } => {
            api.telemetry.commanded(name, "stored");
            let seen = api.replays.wait_for(sequence, CATCH_UP).await;
            seen.map_err(|error| problems::unread(&error))?;
            Ok(api.replays.get(&scope).state)
        }
        reply => Err(refused(signed, name, reply)),
    }
}

/// Asks the scheduler what a job would send.
pub(super) async fn estimate(
    signed: &Signed,
    scope: Scope,
    action: ReplayAction,
) -> Result<Estimate, Problem> {
    let name = action.name();
    let nobody = JobId::from_uuid(ids::uuid_v7());
    match ask(signed, scope, nobody, action, ESTIMATE_TIMEOUT).await? {
        ReplayReply::Estimated(estimate) => {
            signed.api.telemetry.commanded(name, "estimated");
            Ok(estimate)
        }
        reply => Err(refused(signed, name, reply)),
    }
}

async fn ask(
    signed: &Signed,
    scope: Scope,
    job: JobId,
    action: ReplayAction,
    timeout: Duration,
) -> Result<ReplayReply, Problem> {
    let name = action.name();
    let api = &signed.api;
    let command = ReplayCommand {
        scope,
        job,
        actor: signed.actor(),
        traceparent: telemetry::traceparent(),
        origin: Some(signed.origin.clone()),
        action,
    };
    let reply = api.streams.ask(&command, timeout).await;
    reply.map_err(|error| {
        api.telemetry.commanded(name, "unanswered");
        problems::unread(&error)
    })
}

fn refused(signed: &Signed, name: &'static str, reply: ReplayReply) -> Problem {
    let (result, problem) = match reply {
        ReplayReply::Denied { code, detail } => ("denied", denied(&code, detail)),
        ReplayReply::Unavailable(reason) => ("unavailable", problems::unavailable(&reason)),
        ReplayReply::Stored { .. } | ReplayReply::Estimated(_) => {
            ("unanswered", problems::unavailable("the answer is not what was asked for"))
        }
    };
    signed.api.telemetry.commanded(name, result);
    problem
}

fn denied(code: &str, detail: String) -> Problem {
    match code {
        "running" => Problem::conflict("A replay job is currently running"),
        "no_such_job" => Problem::not_found(),
        _ => Problem::conflict(detail),
    }
}
