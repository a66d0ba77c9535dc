//! How webhooks are doing.

use auditrelay_api_core::authz::Ask;
use auditrelay_api_core::{delivery, status};
use auditrelay_model::Scope;
use auditrelay_model::config::OrgConfig;
use auditrelay_model::delivery::{Lane, LaneState};
use auditrelay_model::id::PortalId;
use auditrelay_model::replay::Job;
use auditrelay_runtime::problem::Problem;

use super::request::{Id, named_scope, organization_scope, portal_scope};
use super::response::{Answer, ok};
use crate::api::Api;
use crate::auth::Signed;

pub(super) async fn get(signed: Signed) -> Answer {
    let (scope, org) = organization_scope(&signed, Ask::ReadConfig)?;
    let config = signed.api.read(org).await?;
    Ok(ok(&read(&signed.api, &config, scope).await?.0))
}

pub(super) async fn get_of_portal(signed: Signed, Id(portal): Id<PortalId>) -> Answer {
    let (scope, config) = portal_scope(&signed, Ask::ReadConfig, portal).await?;
    Ok(ok(&read(&signed.api, &config, scope).await?.0))
}

/// Our own: the live lane in detail. The scope is `org` or a portal's id.
pub(super) async fn delivery(signed: Signed, Id(name): Id<String>) -> Answer {
    let (scope, config) = named_scope(&signed, Ask::ReadConfig, &name).await?;
    let (status, live) = read(&signed.api, &config, scope).await?;
    Ok(ok(&delivery::View::of(status, &live)))
}

/// The status, and the live lane that it was told from. Nothing is asked of the broker for a
/// webhook that does not exist.
pub(crate) async fn read(
    api: &Api,
    config: &OrgConfig,
    scope: Scope,
) -> Result<(status::View, LaneState), Problem> {
    let Some(webhook) = config.webhooks.get(&scope) else {
        return Ok((status::View::of(None, &[]), LaneState::default()));
    };
    let live = api.lane(scope, Lane::Live).await?;
    let jobs = api.jobs(scope).await?;
    // A job that goes elsewhere says nothing about the webhook.
    let is_here = |job: &&Job| job.terms.target.destination.is_none();
    let replay = match jobs.newest.as_ref().filter(is_here) {
        Some(job) => api.lane(scope, Lane::Replay(job.id)).await?,
        None => LaneState::default(),
    };
    Ok((status::View::of(Some(webhook), &[&live, &replay]), live))
}
