//! `/v1/webhooks/{org or portal id}/attempts`: the requests of the last seven days.

use auditrelay_api_core::attempt::{View, Wish};
use auditrelay_api_core::authz::Ask;
use auditrelay_api_core::query::Query;
use auditrelay_model::Scope;
use auditrelay_streams::{Backwards, ReadError, Streams};
use http::Uri;

use super::newest_first::Page;
use super::request::{Id, named_scope};
use super::response::Answer;
use crate::auth::Signed;
use crate::problems;

/// Facts that are looked at for one answer; most are attempts.
const FACTS_MAX: usize = 2_000;

pub(super) async fn list(signed: Signed, Id(name): Id<String>, uri: Uri) -> Answer {
    let (scope, _) = named_scope(&signed, Ask::ReadConfig, &name).await?;
    let query = Query::parse(uri.query());
    let wish = Wish::parse(&query).map_err(|faults| problems::invalid(&faults))?;
    let page = page(&signed.api.streams, scope, wish).await;
    let page = page.map_err(|error| problems::unread(&error))?;
    Ok(page.answer(&uri, &query, wish.size))
}

/// The attempts that are wished for. A page may be short, or empty, while more follow: a request
/// looks at a bounded number of facts.
pub(crate) async fn page(
    streams: &Streams,
    scope: Scope,
    wish: Wish,
) -> Result<Page<View>, ReadError> {
    let last = streams.newest_delivery(scope, wish.lane).await?;
    let last = last.map_or(0, |(sequence, _)| sequence);
    let high = wish.after.map_or(last, |after| last.min(after.saturating_sub(1)));
    let mut way = Backwards::new(1, high);
    let (mut data, mut looked, mut seen) = (Vec::new(), 0, None);
    while !way.is_done() {
        let facts = streams.delivery_back(scope, wish.lane, &mut way).await?;
        for (id, fact) in facts.iter().rev() {
            if wish.is_over(fact) {
                return Ok(Page { data, next: None });
            }
            if data.len() == wish.size || looked == FACTS_MAX {
                return Ok(Page { data, next: seen });
            }
            (looked, seen) = (looked + 1, Some(*id));
            if wish.wants(fact) {
                data.extend(View::of(*id, fact));
            }
        }
    }
    Ok(Page { data, next: None })
}
