//! How far a live lane is behind its log, and when it last proved that it delivers.

use auditrelay_api_core::lag::Lag;
use auditrelay_model::delivery::{Lane, LaneState};
use auditrelay_model::webhook::Webhook;
use auditrelay_model::{Scope, Timestamp};
use auditrelay_streams::{ReadError, Start, Streams};

use super::coverage::{held, newest};

/// What waits for a webhook. Nothing waits before it could first send.
pub(super) async fn lag(
    streams: &Streams,
    scope: Scope,
    webhook: Option<&Webhook>,
    lane: &LaneState,
) -> Result<Lag, ReadError> {
    let Some(since) = webhook.and_then(|webhook| webhook.since) else {
        return Ok(Lag::default());
    };
    let around = async {
        let Some(cursor) = lane.cursor else {
            let first = streams.first_record_at(scope, since).await?;
            return Ok::<Vec<_>, ReadError>(first.iter().map(held).collect());
        };
        let (records, _) = streams.records_from(scope, cursor.sequence, 3).await?;
        Ok(records.iter().map(|record| held(&record.head)).collect())
    };
    let (around, newest) = tokio::try_join!(around, newest(streams, scope))?;
    Ok(Lag::of(lane.cursor, &around, newest))
}

/// When the receiver last took something. Facts carry what was delivered until then, which only
/// grows: the fact that reached today's number is found by halving, not by reading them all.
pub(super) async fn proof(
    streams: &Streams,
    scope: Scope,
    lane: &LaneState,
) -> Result<Option<Timestamp>, ReadError> {
    if let Some(last) = lane.last_attempt.as_ref().filter(|last| last.delivered) {
        return Ok(Some(last.at));
    }
    let delivered = lane.totals.events_delivered;
    let last = streams.newest_delivery(scope, Lane::Live).await?;
    let Some((mut high, _)) = last.filter(|_| delivered > 0) else { return Ok(None) };
    let mut low = 1;
    while low < high {
        let middle = low + (high - low) / 2;
        match streams.delivery_at(scope, Lane::Live, Start::Sequence(middle)).await? {
            Some((sequence, fact)) if fact.state.totals.events_delivered < delivered => {
                low = sequence + 1;
            }
            Some(_) | None => high = middle,
        }
    }
    let found = streams.delivery_at(scope, Lane::Live, Start::Sequence(low)).await?;
    // An older proof is not kept: the first fact that is left may be of something else.
    let proof =
        found.filter(|(_, fact)| fact.fact.attempt().is_some_and(|attempt| attempt.delivered));
    Ok(proof.map(|(_, fact)| fact.at))
}
