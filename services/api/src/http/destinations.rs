//! `/v2/audit-log-destinations` and `/v3/…`: where SIEMs listen.

use std::sync::Arc;

use auditrelay_api_core::Action;
use auditrelay_api_core::authz::Ask;
use auditrelay_api_core::destination::{Draft, PatchDraft, View};
use auditrelay_api_core::filter::{Filter, Operator};
use auditrelay_api_core::page::{CursorMeta, CursorPage};
use auditrelay_api_core::query::Query;
use auditrelay_model::config::OrgConfig;
use auditrelay_model::destination::Destination;
use auditrelay_model::id::DestinationId;
use auditrelay_runtime::ids;
use auditrelay_runtime::problem::Problem;
use axum::extract::Request;
use http::{StatusCode, Uri};
use serde_json::json;

use super::request::{self, Id};
use super::response::{Answer, json, no_content, ok};
use crate::auth::Signed;
use crate::problems;

/// Everything, unless a page is asked for: most clients look at one answer only.
pub(super) async fn list(signed: Signed, uri: Uri) -> Answer {
    let org = signed.own(Ask::ReadConfig)?;
    let query = Query::parse(uri.query());
    let key = &signed.api.config.cursor_key;
    let page = CursorPage::parse(&query, key, org);
    let filter = Filter::parse(&query, &["name"], Operator::SIMPLE);
    let (page, filter) = match (page, filter) {
        (Ok(page), Ok(filter)) => (page, filter),
        (page, filter) => {
            let faults = [page.err(), filter.err()].into_iter().flatten().flatten();
            return Err(problems::invalid(&faults.collect::<Vec<_>>()));
        }
    };
    let config = signed.api.read(org).await?;
    let listed = config.destinations.values().filter(|destination| !destination.implicit);
    let wanted: Vec<&Destination> = listed
        .filter(|one| filter.admits(|field| (field == "name").then_some(one.name.as_str())))
        .collect();
    let cut = page.cut(&wanted, |destination| destination.id.uuid());
    let seal = |destination: &&Destination| key.seal(org, destination.id.uuid());
    let meta = CursorMeta::of(&cut, (uri.path(), &query), page, seal);
    let data: Vec<View> = cut.items.iter().map(|destination| View::from(*destination)).collect();
    Ok(ok(&json!({ "data": data, "meta": meta })))
}

pub(super) async fn create(signed: Signed, request: Request) -> Answer {
    signed.own(Ask::ChangeConfig)?;
    let body = request::json(request).await?;
    let (config, id) = make(&signed, &body).await?;
    Ok(json(StatusCode::CREATED, &view(&config, id)?))
}

/// Makes the destination that a body asks for.
pub(crate) async fn make(
    signed: &Signed,
    body: &[u8],
) -> Result<(Arc<OrgConfig>, DestinationId), Problem> {
    let org = signed.own(Ask::ChangeConfig)?;
    let draft = Draft::parse(body, &signed.api.config.rules);
    let draft = draft.map_err(|faults| problems::invalid(&faults))?;
    let id = DestinationId::from_uuid(ids::uuid_v7());
    let authorization = signed.api.seal(draft.authorization().expose(), id)?;
    let action = Action::CreateDestination(draft.sealed(id, authorization));
    Ok((signed.api.execute(org, signed, action).await?, id))
}

pub(super) async fn get(signed: Signed, Id(id): Id<DestinationId>) -> Answer {
    let org = signed.own(Ask::ReadConfig)?;
    let config = signed.api.read(org).await?;
    Ok(ok(&view(&config, id)?))
}

pub(super) async fn patch(signed: Signed, Id(id): Id<DestinationId>, request: Request) -> Answer {
    signed.own(Ask::ChangeConfig)?;
    let body = request::json(request).await?;
    let config = change(&signed, id, &body).await?;
    Ok(ok(&view(&config, id)?))
}

/// Changes a destination as a body asks.
pub(crate) async fn change(
    signed: &Signed,
    id: DestinationId,
    body: &[u8],
) -> Result<Arc<OrgConfig>, Problem> {
    let org = signed.own(Ask::ChangeConfig)?;
    let draft = PatchDraft::parse(body, &signed.api.config.rules);
    let draft = draft.map_err(|faults| problems::invalid(&faults))?;
    let secret = draft.authorization().map(|secret| signed.api.seal(secret.expose(), id));
    let patch = draft.sealed(secret.transpose()?, signed.api.config.new_host_needs_authorization);
    let action = Action::UpdateDestination(id, patch);
    signed.api.execute(org, signed, action).await
}

pub(super) async fn delete(signed: Signed, Id(id): Id<DestinationId>) -> Answer {
    remove(&signed, id).await?;
    Ok(no_content())
}

/// Deletes a destination that nobody uses.
pub(crate) async fn remove(signed: &Signed, id: DestinationId) -> Result<(), Problem> {
    let org = signed.own(Ask::ChangeConfig)?;
    signed.api.execute(org, signed, Action::DeleteDestination(id)).await.map(drop)
}

fn view(config: &OrgConfig, id: DestinationId) -> Result<View, Problem> {
    config.destinations.get(&id).map(View::from).ok_or_else(Problem::not_found)
}
