//! `/v1/replay-estimates`: what a job would send; nothing is stored, nothing is sent.

use auditrelay_api_core::authz::Ask;
use auditrelay_api_core::replay::{Counted, EstimateView, JobWish, check_target};
use auditrelay_model::Scope;
use auditrelay_model::config::OrgConfig;
use auditrelay_runtime::problem::Problem;
use auditrelay_streams::ReplayAction;
use axum::extract::Request;

use super::replay::estimate;
use super::replay_jobs::{scope_of, wish};
use super::response::{Answer, ok};
use crate::auth::Signed;
use crate::problems;

pub(super) async fn post(signed: Signed, request: Request) -> Answer {
    signed.own(Ask::Replay)?;
    let wish = wish(&signed, request).await?;
    let (scope, config) = scope_of(&signed, Ask::Replay, wish.portal).await?;
    Ok(ok(&count(&signed, scope, &config, wish).await?))
}

/// Counts what a body asks for on a log.
pub(crate) async fn of_body(
    signed: &Signed,
    scope: Scope,
    body: &[u8],
) -> Result<EstimateView, Problem> {
    signed.of(Ask::Replay, scope.org())?;
    let wish = JobWish::parse(body, signed.api.now());
    let wish = wish.map_err(|faults| problems::invalid(&faults))?;
    let config = signed.api.read(scope.org()).await?;
    count(signed, scope, &config, wish).await
}

async fn count(
    signed: &Signed,
    scope: Scope,
    config: &OrgConfig,
    wish: JobWish,
) -> Result<EstimateView, Problem> {
    check_target(config, scope, wish.terms.target).map_err(|denial| problems::denied(&denial))?;
    let limited = signed.api.replay_limit.take(scope, signed.api.now());
    limited.map_err(Problem::too_many_requests)?;
    let (window, terms) = (wish.window, wish.terms.clone());
    let found = estimate(signed, scope, ReplayAction::Estimate { window, terms }).await?;
    let counted = Counted {
        tally: found.tally,
        exact: found.exact,
        events_max: found.events_max,
        duration: found.duration,
        events_per_second: found.events_per_second,
        is_rate_measured: found.is_rate_measured,
    };
    let jobs = signed.api.jobs(scope).await?;
    Ok(EstimateView::of(scope, &wish, &counted, &jobs))
}
