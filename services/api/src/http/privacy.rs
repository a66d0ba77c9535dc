//! `/v1/privacy`: what of an organization's events is not stored as it came.

use auditrelay_api_core::Action;
use auditrelay_api_core::authz::Ask;
use auditrelay_api_core::privacy::{self, View};
use axum::extract::Request;

use super::request::{self, organization_scope};
use super::response::{Answer, ok};
use crate::auth::Signed;
use crate::problems;

pub(super) async fn get(signed: Signed) -> Answer {
    let (_, org) = organization_scope(&signed, Ask::ReadConfig)?;
    let config = signed.api.read(org).await?;
    Ok(ok(&View::from(&config.privacy)))
}

pub(super) async fn put(signed: Signed, request: Request) -> Answer {
    let (_, org) = organization_scope(&signed, Ask::ChangeConfig)?;
    let body = request::json(request).await?;
    let privacy = privacy::parse(&body).map_err(|faults| problems::invalid(&faults))?;
    let action = Action::ChangePrivacy(privacy);
    let config = signed.api.execute(org, &signed, action).await?;
    Ok(ok(&View::from(&config.privacy)))
}
