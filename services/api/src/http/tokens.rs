//! `/v1/organizations/{org}/tokens`: who may call.

use std::collections::BTreeMap;

use auditrelay_api_core::Action;
use auditrelay_api_core::authz::Ask;
use auditrelay_api_core::token::{Draft, View};
use auditrelay_model::Timestamp;
use auditrelay_model::id::{OrgId, TokenId};
use auditrelay_model::secret::Secret;
use auditrelay_model::token::Token;
use auditrelay_runtime::ids;
use auditrelay_runtime::problem::Problem;
use axum::extract::Request;
use http::StatusCode;
use serde::Serialize;
use serde_json::json;

use super::request::{self, Id, Ids};
use super::response::{Answer, json, no_content, ok};
use crate::auth::Signed;
use crate::problems;

/// A new token, with the text that is shown this once.
#[derive(Serialize)]
struct Issued<'a> {
    #[serde(flatten)]
    view: View,
    token: &'a str,
}

/// A token in a list.
#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    view: View,
    last_used_at: Option<String>,
}

fn last(uses: &BTreeMap<TokenId, Timestamp>, token: &Token) -> Option<String> {
    uses.get(&token.id).map(|at| at.to_rfc3339_seconds())
}

pub(super) async fn list(signed: Signed, Id(org): Id<OrgId>) -> Answer {
    signed.of(Ask::ReadTokens, org)?;
    let config = signed.api.read(org).await?;
    if config.name.is_none() {
        return Err(Problem::not_found());
    }
    let ids: Vec<TokenId> = config.tokens.keys().copied().collect();
    let uses = signed.api.streams.last_uses(org, &ids).await;
    let uses = uses.map_err(|error| problems::unread(&error))?;
    let listed = |token| Listed { view: View::from(token), last_used_at: last(&uses, token) };
    let data: Vec<Listed> = config.tokens.values().map(listed).collect();
    Ok(ok(&json!({ "data": data })))
}

pub(super) async fn issue(signed: Signed, Id(org): Id<OrgId>, request: Request) -> Answer {
    signed.of(Ask::ChangeTokens, org)?;
    let body = request::json(request).await?;
    let (view, text) = make(&signed, org, &body).await?;
    Ok(json(StatusCode::CREATED, &Issued { view, token: text.expose() }))
}

/// A new token, and its text, which is stored nowhere.
pub(crate) async fn make(
    signed: &Signed,
    org: OrgId,
    body: &[u8],
) -> Result<(View, Secret), Problem> {
    signed.of(Ask::ChangeTokens, org)?;
    let draft = Draft::parse(body, signed.api.now());
    let draft = draft.map_err(|faults| problems::invalid(&faults))?;
    let id = TokenId::from_uuid(ids::uuid_v7());
    let (text, token) = draft.issue(id, &signed.api.random()?);
    let view = View::from(&token);
    signed.api.execute(org, signed, Action::IssueToken(token)).await?;
    Ok((view, text))
}

pub(super) async fn revoke(signed: Signed, Ids(org, id): Ids<OrgId, TokenId>) -> Answer {
    end(&signed, org, id).await?;
    Ok(no_content())
}

/// Lets a token count no more.
pub(crate) async fn end(signed: &Signed, org: OrgId, id: TokenId) -> Result<(), Problem> {
    signed.of(Ask::ChangeTokens, org)?;
    signed.api.execute(org, signed, Action::RevokeToken(id)).await?;
    Ok(())
}
