//! `/v1/organizations`: for the operator of the deployment.

use auditrelay_api_core::authz::{Ask, Refusal, permits};
use auditrelay_api_core::organization::{View, parse};
use auditrelay_model::id::OrgId;
use auditrelay_runtime::ids;
use auditrelay_runtime::problem::Problem;
use axum::extract::Request;
use http::StatusCode;
use serde_json::json;

use super::request;
use super::response::{Answer, json, ok};
use crate::api::CATCH_UP;
use crate::auth::Signed;
use crate::problems;

pub(super) async fn list(signed: Signed) -> Answer {
    check(&signed)?;
    let caught_up = signed.api.configs.caught_up(CATCH_UP).await;
    caught_up.map_err(|error| problems::unread(&error))?;
    let mut all = signed.api.configs.all();
    all.sort_unstable_by_key(|(org, _)| *org);
    let data: Vec<View> = all.iter().filter_map(|(org, config)| View::of(*org, config)).collect();
    Ok(ok(&json!({ "data": data })))
}

pub(super) async fn create(signed: Signed, request: Request) -> Answer {
    check(&signed)?;
    let body = request::json(request).await?;
    let name = parse(&body).map_err(|faults| problems::invalid(&faults))?;
    let org = OrgId::from_uuid(ids::uuid_v7());
    let config = signed.api.begin(org, &signed, name).await?;
    let view = View::of(org, &config).ok_or_else(Problem::internal)?;
    Ok(json(StatusCode::CREATED, &view))
}

fn check(signed: &Signed) -> Result<(), Problem> {
    if permits(signed.caller, Ask::Organizations) {
        Ok(())
    } else {
        Err(signed.refuse(Refusal::Forbidden))
    }
}
