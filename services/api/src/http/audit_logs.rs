//! `/v3/audit-logs`, and our own below portals: stored events, page by page.

use std::time::Duration;

use auditrelay_api_core::Wrong;
use auditrelay_api_core::audit_log::item::{self, Item};
use auditrelay_api_core::audit_log::{At, Page, Wish};
use auditrelay_api_core::authz::Ask;
use auditrelay_api_core::fault::Fault;
use auditrelay_api_core::query::Query;
use auditrelay_model::Scope;
use auditrelay_model::id::{OrgId, PortalId};
use auditrelay_model::record::Position;
use auditrelay_runtime::problem::Problem;
use axum::response::Response;
use bytes::Bytes;
use http::Uri;
use serde::Serialize;
use serde_json::{Value, json};

use super::request::{Id, organization_scope, portal_scope};
use super::response::{Answer, ok_text};
use crate::api::Api;
use crate::auth::Signed;
use crate::problems;
use crate::pull::{self, Trouble};
use crate::turns::Turn;

/// Pages of one organization that are gathered at the same time.
const PULLS_MAX: usize = 4;
/// How soon to ask again when they all are.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// A page that is not gathered by then is given up.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn get(signed: Signed, uri: Uri) -> Answer {
    let (scope, _) = organization_scope(&signed, Ask::ReadEvents)?;
    show(&signed.api, scope, &uri).await
}

pub(super) async fn get_of_portal(signed: Signed, Id(portal): Id<PortalId>, uri: Uri) -> Answer {
    let (scope, _) = portal_scope(&signed, Ask::ReadEvents, portal).await?;
    show(&signed.api, scope, &uri).await
}

async fn show(api: &Api, scope: Scope, uri: &Uri) -> Answer {
    let wish = Wish::parse(uri.query(), scope, api.now(), &api.config.cursor_key);
    let wish = wish.map_err(|faults| problems::invalid(&faults))?;
    let page = pull::page(&api.streams, scope, wish.clone());
    let (page, turn) = gather(api, scope, wish.at, page).await?;
    written(api, scope, wish, uri, page, turn).await
}

/// Gathers a page, when it is the organization's turn, and in time. The turn is over when it is
/// dropped.
pub(crate) async fn gather(
    api: &Api,
    scope: Scope,
    at: At,
    page: impl Future<Output = Result<Page, Trouble>>,
) -> Result<(Page, Turn<OrgId>), Problem> {
    let turn = api.turns.take(scope.org(), PULLS_MAX);
    let turn = turn.ok_or_else(|| Problem::too_many_requests(AGAIN_AFTER))?;
    let late = || problems::unavailable("a page was not gathered in time");
    let gathered = async {
        let permit = api.pulls.acquire().await;
        let page = page.await;
        drop(permit);
        page
    };
    let page = tokio::time::timeout(PATIENCE, gathered).await.map_err(|_| late())?;
    let page = page.map_err(|trouble| refused(&trouble, at))?;
    Ok((page, turn))
}

fn refused(trouble: &Trouble, at: At) -> Problem {
    match trouble {
        Trouble::Unread(error) => problems::unread(error),
        Trouble::Expired => {
            let field = if matches!(at, At::Before(_)) { "page[before]" } else { "page[after]" };
            problems::invalid(&[Fault::query(field, Wrong::Cursor)])
        }
    }
}

/// A page as it is answered.
#[derive(Serialize)]
struct Body {
    data: Vec<Item>,
    meta: Value,
}

/// A page on its way to its reader. It is some megabytes, so the turn lasts as long as it is held:
/// who does not read what was asked for is given no more of it.
struct Held {
    text: Vec<u8>,
    _turn: Turn<OrgId>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.text
    }
}

/// Signing a thousand items takes a while, so it is done where it holds nobody up.
async fn written(
    api: &Api,
    scope: Scope,
    wish: Wish,
    uri: &Uri,
    page: Page,
    turn: Turn<OrgId>,
) -> Answer {
    let link = |name: &str, at: Option<Position>| {
        let cursor = wish.seal(&api.config.cursor_key, at?);
        let query = Query::parse(uri.query());
        let dropped = ["page[after]", "page[before]"];
        Some(format!("{}?{}", uri.path(), query.with(&dropped, &[(name, &cursor)])))
    };
    let next = link("page[after]", page.next);
    let previous = link("page[before]", page.previous);
    let meta = json!({ "page": { "next": next, "previous": previous, "size": wish.size } });
    let api = api.clone();
    let writing = tokio::task::spawn_blocking(move || -> Option<Response> {
        let key = api.config.signing.as_ref()?.current();
        let sign = |text: &[u8]| key.sign(text);
        let data = page.events.iter().map(|event| item::signed(scope, event, sign)).collect();
        let text = serde_json::to_vec(&Body { data, meta }).ok()?;
        Some(ok_text(Bytes::from_owner(Held { text, _turn: turn })))
    });
    writing.await.ok().flatten().ok_or_else(Problem::internal)
}
