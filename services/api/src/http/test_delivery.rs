//! `/v1/destinations/{id}/test` and `/v1/destination-tests`: does it work?

use std::time::Duration;

use auditrelay_api_core::authz::Ask;
use auditrelay_api_core::destination::{PatchDraft, Trial, tried};
use auditrelay_api_core::test_delivery::View;
use auditrelay_model::Scope;
use auditrelay_model::destination::Destination;
use auditrelay_model::id::{DestinationId, OrgId};
use auditrelay_model::test_delivery::TestDelivery;
use auditrelay_runtime::problem::Problem;
use auditrelay_runtime::{ids, telemetry};
use auditrelay_streams::TestReply;
use axum::extract::Request;

use super::request::{self, Id};
use super::response::{Answer, ok};
use crate::auth::Signed;
use crate::problems;

/// A sender gives up after 15 seconds.
const TIMEOUT: Duration = Duration::from_secs(20);
/// How soon to ask again when no sender has time.
const BUSY_RETRY: Duration = Duration::from_secs(5);

pub(super) async fn stored(signed: Signed, Id(id): Id<DestinationId>, request: Request) -> Answer {
    signed.own(Ask::ChangeConfig)?;
    let body = request::json(request).await?;
    Ok(ok(&of_stored(&signed, id, &body).await?))
}

pub(super) async fn draft(signed: Signed, request: Request) -> Answer {
    signed.own(Ask::ChangeConfig)?;
    let body = request::json(request).await?;
    Ok(ok(&of_draft(&signed, &body).await?))
}

/// Tests a stored destination, as it is or as it would be after the changes in a body.
pub(crate) async fn of_stored(
    signed: &Signed,
    id: DestinationId,
    body: &[u8],
) -> Result<View, Problem> {
    let org = signed.own(Ask::ChangeConfig)?;
    let body = if body.is_empty() { b"{}" } else { body };
    let draft = PatchDraft::parse(body, &signed.api.config.rules);
    let draft = draft.map_err(|faults| problems::invalid(&faults))?;
    let secret = draft.authorization().map(|secret| signed.api.seal(secret.expose(), id));
    let patch = draft.sealed(secret.transpose()?, true);
    let config = signed.api.read(org).await?;
    let destination = tried(&config, id, &patch).map_err(|denial| problems::denied(&denial))?;
    test(signed, org, destination).await
}

/// Tests a destination that nobody has made, with its secret in the body.
pub(crate) async fn of_draft(signed: &Signed, body: &[u8]) -> Result<View, Problem> {
    let org = signed.own(Ask::ChangeConfig)?;
    let trial = Trial::parse(body, &signed.api.config.rules);
    let trial = trial.map_err(|faults| problems::invalid(&faults))?;
    let id = DestinationId::from_uuid(ids::uuid_v7());
    let secret = signed.api.seal(trial.authorization().expose(), id)?;
    test(signed, org, trial.sealed(id, secret, signed.api.now())).await
}

async fn test(signed: &Signed, org: OrgId, destination: Destination) -> Result<View, Problem> {
    let api = &signed.api;
    api.request_limit.take(org, api.now()).map_err(Problem::too_many_requests)?;
    let command = TestDelivery {
        scope: Scope::Organization(org),
        destination,
        actor: signed.actor(),
        traceparent: telemetry::traceparent(),
    };
    let reply = api.streams.ask(&command, TIMEOUT).await.map_err(|error| {
        api.telemetry.requested("test", "unanswered");
        tracing::warn!(%error, "no sender answers");
        Problem::unavailable("No webhook-sender answers", BUSY_RETRY)
    })?;
    match reply {
        TestReply::Report(report) => {
            let delivered = report.is_delivered();
            api.telemetry.requested("test", if delivered { "delivered" } else { "failed" });
            Ok(View::of(&report))
        }
        TestReply::Unavailable(reason) => {
            api.telemetry.requested("test", "unavailable");
            tracing::info!(reason, "no test delivery");
            Err(Problem::unavailable("The webhook-senders are busy", BUSY_RETRY))
        }
    }
}
