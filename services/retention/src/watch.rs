//! What is really held, and what threatens it.

use std::collections::BTreeMap;

use auditrelay_model::delivery::{Lane, LaneState};
use auditrelay_model::{Scope, Timestamp};
use auditrelay_retention_core::coverage::Coverage;
use auditrelay_retention_core::policy::kept;
use auditrelay_retention_core::risk::{self, Risk, RiskKind};
use auditrelay_streams::{ReadError, RetentionFact, StreamName, StreamState};
use tokio::time::Instant;

use crate::keeper::{Keeper, Seen};
use crate::monitors;
use crate::telemetry::{Telemetry, Unsent};

/// Coverage is recorded at most this often: RETENTION keeps 30 days of it.
const COVERAGE_INTERVAL: std::time::Duration = std::time::Duration::from_mins(1);

/// Lanes looked up in one pass; each costs a read. What is left comes next time, oldest first.
const LOOKUPS_MAX: usize = 200;

/// Lanes behind whose events are counted in one pass; each costs a read.
const LANES_COUNTED_MAX: usize = 100;

/// What was told already.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    covered: Option<(Instant, StreamState)>,
    /// The last sequence of EVENTS that was ever seen.
    furthest: u64,
    risks: BTreeMap<RiskKind, String>,
}

impl Keeper {
    pub(crate) async fn look_out(&mut self, seen: &[Seen]) {
        let Some(events) = seen.iter().find(|seen| seen.name == StreamName::Events) else { return };
        self.record_coverage(events.state).await;
        self.count_unsent().await;
        let held = coverage(&events.state);
        let mut risks = Vec::new();
        risks.extend(risk::storage(&held, events.spec.max_bytes, &self.config.thresholds));
        risks.extend(risk::hole(&held));
        risks.extend(risk::cut(&held, self.watch.furthest));
        self.watch.furthest = self.watch.furthest.max(held.last_sequence);
        risks.extend(monitors::unsynced(&self.config.monitors).await);
        match self.expiring().await {
            Ok(expiring) => risks.extend(expiring),
            Err(error) => {
                tracing::warn!(%error, "lanes that are behind could not be looked up");
                return;
            }
        }
        self.tell(risks).await;
    }

    async fn record_coverage(&mut self, state: StreamState) {
        let is_due = self
            .watch
            .covered
            .is_none_or(|(at, told)| told != state && at.elapsed() >= COVERAGE_INTERVAL);
        if is_due && self.record(&RetentionFact::Coverage(state)).await {
            self.watch.covered = Some((Instant::now(), state));
        }
    }

    /// Each risk is told when it appears, and its end when it ends.
    async fn tell(&mut self, risks: Vec<Risk>) {
        let now: BTreeMap<_, _> = risks.into_iter().map(|risk| (risk.kind, risk.detail)).collect();
        for (kind, detail) in &now {
            if !self.watch.risks.contains_key(kind) {
                Telemetry::at_risk(kind.name(), detail);
                let (kind, detail) = (kind.name().to_owned(), detail.clone());
                self.record(&RetentionFact::Risk { kind, detail }).await;
            }
        }
        for kind in self.watch.risks.keys().filter(|kind| !now.contains_key(kind)) {
            Telemetry::risk_over(kind.name());
        }
        self.telemetry.count_risks(now.keys().map(|kind| kind.name()));
        self.watch.risks = now;
    }

    /// How many lanes are behind and by how much, the longest first.
    async fn count_unsent(&self) {
        let now = self.clock.now();
        let mut unsent = Unsent::default();
        let mut behind = Vec::new();
        for ((scope, lane), state) in self.delivery.all() {
            if lane != Lane::Live || state.stopped.is_some() {
                continue;
            }
            unsent.quarantined += state.totals.events_quarantined;
            if let Some(hold) = &state.hold {
                let held =
                    if hold.customer_must_act { &mut unsent.held } else { &mut unsent.waiting };
                *held += 1;
            }
            if let Some(since) = state.behind.as_ref().map(|behind| behind.since) {
                behind.push((since, scope, state.cursor.unwrap_or_default().number));
            }
        }
        behind.sort_unstable_by_key(|(since, scope, _)| (*since, *scope));
        unsent.lanes = behind.len();
        behind.truncate(LANES_COUNTED_MAX);
        for (since, scope, done) in behind {
            // What cannot be read now is counted the next time.
            let Ok(Some(last)) = self.streams.last_head(scope).await else { continue };
            let events = last.last_number.saturating_sub(done);
            unsent.behind.push((scope, now.since(since), events));
        }
        self.telemetry.unsent(&unsent);
    }

    async fn expiring(&self) -> Result<Vec<Risk>, ReadError> {
        let now = self.clock.now();
        let mut risks = Vec::new();
        for (scope, state) in self.lanes_long_behind(now) {
            let Some(oldest) = self.oldest_undelivered(scope, &state).await? else { continue };
            risks.extend(risk::expiry(scope, &state, oldest, now, kept(), &self.config.thresholds));
        }
        Ok(risks)
    }

    fn lanes_long_behind(&self, now: Timestamp) -> Vec<(Scope, LaneState)> {
        let is_long = |lane: Lane, state: &LaneState| {
            risk::may_expire(lane, state, now, kept(), &self.config.thresholds)
        };
        let mut lanes: Vec<_> = self
            .delivery
            .all()
            .into_iter()
            .filter(|((_, lane), state)| is_long(*lane, state))
            .map(|((scope, _), state)| (scope, LaneState::clone(&state)))
            .collect();
        lanes.sort_by_key(|(scope, state)| (state.behind.as_ref().map(|b| b.since), *scope));
        lanes.truncate(LOOKUPS_MAX);
        lanes
    }

    /// When the lane's oldest undelivered event was stored; none when nothing is left.
    async fn oldest_undelivered(
        &self,
        scope: Scope,
        state: &LaneState,
    ) -> Result<Option<Timestamp>, ReadError> {
        let cursor = state.cursor.unwrap_or_default();
        let Some(stored) = self.streams.next_head(scope, cursor.sequence).await? else {
            return Ok(None);
        };
        // The cursor may stand inside its record.
        let is_done = stored.sequence == cursor.sequence && stored.last_number <= cursor.number;
        if !is_done {
            return Ok(Some(stored.stored_at));
        }
        let next = self.streams.next_head(scope, cursor.sequence + 1).await?;
        Ok(next.map(|next| next.stored_at))
    }
}

const fn coverage(state: &StreamState) -> Coverage {
    Coverage {
        first_sequence: state.first_sequence,
        last_sequence: state.last_sequence,
        records: state.messages,
        bytes: state.bytes,
        oldest: state.oldest,
    }
}
