//! `/v1/webhooks/{org or portal id}/attempts`: the requests that were sent last.

use auditrelay_api_core::attempt::{View, parse_size};
use auditrelay_api_core::authz::Ask;
use auditrelay_api_core::query::Query;
use auditrelay_model::Scope;
use auditrelay_model::delivery::Lane;
use auditrelay_streams::{Backwards, ReadError, Streams};
use http::Uri;
use serde_json::json;

use super::request::{Id, named_scope};
use super::response::{Answer, ok};
use crate::auth::Signed;
use crate::problems;

/// Facts that are looked at for one answer; most are attempts.
const FACTS_MAX: usize = 2_000;

pub(super) async fn list(signed: Signed, Id(name): Id<String>, uri: Uri) -> Answer {
    let (scope, _) = named_scope(&signed, Ask::ReadConfig, &name).await?;
    let size = parse_size(&Query::parse(uri.query()));
    let size = size.map_err(|faults| problems::invalid(&faults))?;
    let attempts = newest(&signed.api.streams, scope, size).await;
    let attempts = attempts.map_err(|error| problems::unread(&error))?;
    Ok(ok(&json!({ "data": attempts })))
}

/// The live lane's newest attempts, the newest first.
pub(crate) async fn newest(
    streams: &Streams,
    scope: Scope,
    size: usize,
) -> Result<Vec<View>, ReadError> {
    let last = streams.last_delivery(scope, Lane::Live).await?;
    let mut way = Backwards::new(1, last.map_or(0, |(_, sequence)| sequence));
    let (mut attempts, mut looked) = (Vec::new(), 0);
    while !way.is_done() && attempts.len() < size && looked < FACTS_MAX {
        let facts = streams.delivery_back(scope, Lane::Live, &mut way).await?;
        looked += facts.len();
        attempts.extend(facts.iter().rev().filter_map(|(_, fact)| View::of(fact)));
    }
    attempts.truncate(size);
    Ok(attempts)
}
