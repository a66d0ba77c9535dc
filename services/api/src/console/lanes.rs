//! What many lanes did last, remembered: a page reads only what is newer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use auditrelay_model::Scope;
use auditrelay_model::delivery::{Lane, LaneState};
use auditrelay_streams::{ReadError, Streams};
use prometheus_client::metrics::gauge::Gauge;

/// Lanes that are remembered, at most; when there are more, all are forgotten.
const LANES_MAX: usize = 20_000;

/// A lane as it was up to a sequence of DELIVERY.
#[derive(Clone)]
struct Seen {
    up_to: u64,
    state: Arc<LaneState>,
}

type Lanes = HashMap<(Scope, Lane), Seen>;

/// The lanes of all organizations that were looked at.
pub(crate) struct LaneMemory {
    lanes: Mutex<Lanes>,
    remembered: Gauge,
}

impl LaneMemory {
    /// Begins with nothing, and shows how much it remembers.
    pub(crate) fn new(remembered: Gauge) -> Self {
        Self { lanes: Mutex::default(), remembered }
    }

    /// The states of these lanes without what replays sent; lanes that never did anything are
    /// left out.
    pub(super) async fn read(
        &self,
        streams: &Streams,
        lanes: &[(Scope, Lane)],
    ) -> Result<HashMap<(Scope, Lane), Arc<LaneState>>, ReadError> {
        let seen = self.recall(lanes);
        let (known, unknown): (Vec<_>, Vec<_>) =
            lanes.iter().copied().partition(|lane| seen.contains_key(lane));
        let (known, unknown) =
            tokio::try_join!(newer(streams, &known, seen), newer(streams, &unknown, Lanes::new()))?;
        let found: Lanes = known.into_iter().chain(unknown).collect();
        self.keep(&found);
        Ok(found.into_iter().map(|(lane, seen)| (lane, seen.state)).collect())
    }

    fn recall(&self, lanes: &[(Scope, Lane)]) -> Lanes {
        let remembered = self.lock();
        let seen = lanes.iter().filter_map(|lane| Some((*lane, remembered.get(lane)?.clone())));
        seen.collect()
    }

    fn keep(&self, found: &Lanes) {
        let mut remembered = self.lock();
        if remembered.len() + found.len() > LANES_MAX {
            remembered.clear();
        }
        let some = found.iter().take(LANES_MAX);
        remembered.extend(some.map(|(lane, seen)| (*lane, seen.clone())));
        self.remembered.set(i64::try_from(remembered.len()).unwrap_or(i64::MAX));
    }

    fn lock(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The lanes as they are now, where so much of them was seen before.
async fn newer(
    streams: &Streams,
    lanes: &[(Scope, Lane)],
    mut seen: Lanes,
) -> Result<Lanes, ReadError> {
    let before = seen.values().map(|lane| lane.up_to).min().unwrap_or(0);
    let (mut facts, mut up_to) = streams.last_deliveries(lanes, before + 1).await?;
    // A replica that lags, or a stream that was restored: what is remembered may not be in it.
    if up_to.is_some_and(|up_to| up_to < before) {
        seen.clear();
        (facts, up_to) = streams.last_deliveries(lanes, 1).await?;
    }
    let Some(up_to) = up_to else { return Ok(seen) };
    for lane in seen.values_mut() {
        lane.up_to = lane.up_to.max(up_to);
    }
    for fact in facts {
        let state = Arc::new(LaneState { sent: None, ..fact.state });
        seen.insert((fact.scope, fact.lane), Seen { up_to, state });
    }
    Ok(seen)
}
