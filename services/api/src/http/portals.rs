//! `/v3/portals`: developer portals.

use std::sync::Arc;

use auditrelay_api_core::Action;
use auditrelay_api_core::authz::Ask;
use auditrelay_api_core::filter::{Filter, Operator};
use auditrelay_api_core::page::NumberedPage;
use auditrelay_api_core::portal::{self, Draft, FILTER_FIELDS, PortalPatch};
use auditrelay_api_core::query::Query;
use auditrelay_model::config::OrgConfig;
use auditrelay_model::id::PortalId;
use auditrelay_runtime::ids;
use auditrelay_runtime::problem::Problem;
use axum::extract::Request;
use http::{StatusCode, Uri};
use serde_json::{Map, Value, json};

use super::request::{self, Id};
use super::response::{Answer, json, no_content, ok};
use crate::auth::Signed;
use crate::problems;

pub(super) async fn list(signed: Signed, uri: Uri) -> Answer {
    let org = signed.own(Ask::ReadConfig)?;
    let query = Query::parse(uri.query());
    let page = NumberedPage::parse(&query);
    let filter = Filter::parse(&query, FILTER_FIELDS, Operator::ALL);
    let (page, filter) = match (page, filter) {
        (Ok(page), Ok(filter)) => (page, filter),
        (page, filter) => {
            let faults = [page.err(), filter.err()].into_iter().flatten().flatten();
            return Err(problems::invalid(&faults.collect::<Vec<_>>()));
        }
    };
    let config = signed.api.read(org).await?;
    let portals = portal::list(&config, &filter, query.get("sort"));
    let meta = json!({ "page": {
        "number": page.number, "size": page.size, "total": portals.len(),
    }});
    Ok(ok(&json!({ "data": page.cut(&portals), "meta": meta })))
}

pub(super) async fn create(signed: Signed, request: Request) -> Answer {
    signed.own(Ask::ChangeConfig)?;
    let body = request::json(request).await?;
    let (config, id) = make(&signed, &body).await?;
    Ok(json(StatusCode::CREATED, &view(&config, id)?))
}

/// Makes the portal that a body asks for.
pub(crate) async fn make(
    signed: &Signed,
    body: &[u8],
) -> Result<(Arc<OrgConfig>, PortalId), Problem> {
    let org = signed.own(Ask::ChangeConfig)?;
    let draft = Draft::parse(body).map_err(|faults| problems::invalid(&faults))?;
    let id = PortalId::from_uuid(ids::uuid_v7());
    let action = Action::CreatePortal(draft.portal(id));
    Ok((signed.api.execute(org, signed, action).await?, id))
}

pub(super) async fn get(signed: Signed, Id(id): Id<PortalId>) -> Answer {
    let org = signed.own(Ask::ReadConfig)?;
    let config = signed.api.read(org).await?;
    Ok(ok(&view(&config, id)?))
}

pub(super) async fn patch(signed: Signed, Id(id): Id<PortalId>, request: Request) -> Answer {
    let org = signed.own(Ask::ChangeConfig)?;
    let body = request::json(request).await?;
    let patch = PortalPatch::parse(&body).map_err(|faults| problems::invalid(&faults))?;
    let action = Action::UpdatePortal(id, patch);
    let config = signed.api.execute(org, &signed, action).await?;
    Ok(ok(&view(&config, id)?))
}

/// With or without `force`: its webhook and what hangs on it go with it.
pub(super) async fn delete(signed: Signed, Id(id): Id<PortalId>) -> Answer {
    let org = signed.own(Ask::ChangeConfig)?;
    signed.api.execute(org, &signed, Action::DeletePortal(id)).await?;
    Ok(no_content())
}

fn view(config: &OrgConfig, id: PortalId) -> Result<Map<String, Value>, Problem> {
    config.portals.get(&id).map(portal::view).ok_or_else(Problem::not_found)
}
