//! `/v1/webhooks/{org or portal id}/quarantine`: events that a receiver refused alone.

use std::time::Duration;

use auditrelay_api_core::audit_log::item;
use auditrelay_api_core::authz::Ask;
use auditrelay_api_core::quarantine::{Detail, Releases, View, Wish, parse_reason};
use auditrelay_api_core::query::Query;
use auditrelay_model::Scope;
use auditrelay_model::quarantine::{Parked, QuarantineAction, QuarantineCommand, Released};
use auditrelay_runtime::problem::Problem;
use auditrelay_runtime::telemetry;
use auditrelay_streams::{Backwards, QuarantineReply, ReadError, Streams};
use axum::extract::Request;
use http::Uri;

use super::newest_first::Page;
use super::request::{self, Id, Ids, named_scope};
use super::response::{Answer, ok};
use crate::auth::Signed;
use crate::problems;

/// Parked events that are looked at for one page.
const LOOKED_MAX: usize = 2_000;
/// A sender gives up after 25 seconds.
const TIMEOUT: Duration = Duration::from_secs(28);
/// How soon to ask again when no sender has time.
const BUSY_RETRY: Duration = Duration::from_secs(5);

pub(super) async fn list(signed: Signed, Id(name): Id<String>, uri: Uri) -> Answer {
    let (scope, _) = named_scope(&signed, Ask::ReadConfig, &name).await?;
    let query = Query::parse(uri.query());
    let wish = Wish::parse(&query).map_err(|faults| problems::invalid(&faults))?;
    let page = page(&signed.api.streams, scope, wish).await;
    let page = page.map_err(|error| problems::unread(&error))?;
    Ok(page.answer(&uri, &query, wish.size))
}

/// Parked events, the newest first.
pub(crate) async fn page(
    streams: &Streams,
    scope: Scope,
    wish: Wish,
) -> Result<Page<View>, ReadError> {
    let last = streams.last_parked(scope).await?;
    let high = wish.after.map_or(last, |after| last.min(after.saturating_sub(1)));
    let (releases, _) = streams.releases(scope).await?;
    let releases = Releases::of(&releases);
    let mut way = Backwards::new(1, high);
    let (mut data, mut looked, mut seen) = (Vec::new(), 0, None);
    while !way.is_done() {
        for (id, parked) in streams.parked_back(scope, &mut way).await?.iter().rev() {
            if data.len() == wish.size || looked == LOOKED_MAX {
                return Ok(Page { data, next: seen });
            }
            (looked, seen) = (looked + 1, Some(*id));
            let view = releases.view(*id, parked);
            if wish.state.is_none_or(|state| state == view.state) {
                data.push(view);
            }
        }
    }
    Ok(Page { data, next: None })
}

pub(super) async fn get(signed: Signed, Ids(name, id): Ids<String, u64>) -> Answer {
    let (scope, _) = named_scope(&signed, Ask::ReadEvents, &name).await?;
    Ok(ok(&show(&signed, scope, id).await?))
}

/// One parked event with all there is to know.
pub(crate) async fn show(signed: &Signed, scope: Scope, id: u64) -> Result<Detail, Problem> {
    signed.of(Ask::ReadEvents, scope.org())?;
    let unread = |error: ReadError| problems::unread(&error);
    let streams = &signed.api.streams;
    let parked = streams.parked(scope, id).await.map_err(unread)?;
    let parked = parked.ok_or_else(Problem::not_found)?;
    let (releases, _) = streams.releases(scope).await.map_err(unread)?;
    let event = event(signed, &parked).await.map_err(unread)?;
    Ok(Detail { view: Releases::of(&releases).view(id, &parked), event })
}

async fn event(signed: &Signed, parked: &Parked) -> Result<Option<item::Item>, ReadError> {
    let record = signed.api.streams.record_of(parked.scope, parked.position).await?;
    let Some(record) = record else { return Ok(None) };
    // It may be parked for that very reason.
    let Ok(decoded) = record.decode() else { return Ok(None) };
    let found = decoded.events.iter().find(|event| event.id == parked.event);
    let Some(key) = signed.api.config.signing.as_ref() else { return Ok(None) };
    Ok(found.map(|event| item::signed(parked.scope, event, |text| key.current().sign(text))))
}

pub(super) async fn resend(signed: Signed, Ids(name, id): Ids<String, u64>) -> Answer {
    let (scope, _) = named_scope(&signed, Ask::Replay, &name).await?;
    release(&signed, scope, id, QuarantineAction::Resend).await?;
    Ok(ok(&show(&signed, scope, id).await?))
}

pub(super) async fn discard(
    signed: Signed,
    Ids(name, id): Ids<String, u64>,
    request: Request,
) -> Answer {
    let (scope, _) = named_scope(&signed, Ask::Replay, &name).await?;
    let body = request::json(request).await?;
    let reason = parse_reason(&body).map_err(|faults| problems::invalid(&faults))?;
    release(&signed, scope, id, QuarantineAction::Discard { reason }).await?;
    Ok(ok(&show(&signed, scope, id).await?))
}

/// Asks a sender to send a parked event once more, or to discard it.
pub(crate) async fn release(
    signed: &Signed,
    scope: Scope,
    id: u64,
    action: QuarantineAction,
) -> Result<Released, Problem> {
    signed.of(Ask::Replay, scope.org())?;
    let api = &signed.api;
    api.request_limit.take(scope.org(), api.now()).map_err(Problem::too_many_requests)?;
    let name = match action {
        QuarantineAction::Resend => "resend",
        QuarantineAction::Discard { .. } => "discard",
    };
    let command = QuarantineCommand {
        scope,
        parked: id,
        actor: signed.actor(),
        traceparent: telemetry::traceparent(),
        action,
    };
    let reply = api.streams.ask(&command, TIMEOUT).await.map_err(|error| {
        api.telemetry.requested(name, "unanswered");
        tracing::warn!(%error, "no sender answers");
        Problem::unavailable("No webhook-sender answers", BUSY_RETRY)
    })?;
    match reply {
        QuarantineReply::Released(released) => {
            api.telemetry.requested(name, "stored");
            Ok(*released)
        }
        QuarantineReply::Denied { code, detail } => {
            api.telemetry.requested(name, "denied");
            Err(if code == "not_found" { Problem::not_found() } else { Problem::conflict(detail) })
        }
        QuarantineReply::Unavailable(reason) => {
            api.telemetry.requested(name, "unavailable");
            Err(problems::unavailable(&reason))
        }
    }
}
