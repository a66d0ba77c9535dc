//! What threatens the seven days.

use std::time::Duration;

use auditrelay_model::Timestamp;
use auditrelay_model::delivery::{Lane, LaneState};
use auditrelay_model::scope::Scope;

use crate::coverage::Coverage;

/// Something threatens the seven days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Risk {
    /// Which kind.
    pub kind: RiskKind,
    /// What exactly, and what can be done.
    pub detail: String,
}

/// Kinds of risk, each with what it is about: one is told once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RiskKind {
    /// EVENTS is nearly full: new events will be refused.
    Storage,
    /// Records vanished from the middle of EVENTS.
    Hole,
    /// Records vanished from the end of EVENTS.
    Cut,
    /// A broker acknowledges what is not on disk.
    Sync,
    /// A lane's oldest event will expire before it is delivered.
    Expiry(Scope),
}

impl RiskKind {
    /// One lower-case word for machines.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Storage => "storage",
            Self::Hole => "hole",
            Self::Cut => "cut",
            Self::Sync => "sync",
            Self::Expiry(_) => "expiry",
        }
    }
}

/// When a threat is worth telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// Percent of `max_bytes`.
    pub storage_percent: u8,
    /// Time left before an event expires.
    pub expiry_margin: Duration,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { storage_percent: 80, expiry_margin: Duration::from_hours(48) }
    }
}

/// Whether EVENTS is nearly full; it has no limit of its own when `max_bytes` is not positive.
pub fn storage(held: &Coverage, max_bytes: i64, thresholds: &Thresholds) -> Option<Risk> {
    let most = u64::try_from(max_bytes).ok().filter(|most| *most > 0)?;
    let percent = u128::from(held.bytes) * 100 / u128::from(most);
    (percent >= u128::from(thresholds.storage_percent)).then(|| Risk {
        kind: RiskKind::Storage,
        detail: format!(
            "EVENTS holds {} of {most} bytes ({percent} %); at 100 % new events are refused: raise retention.events_max_bytes",
            held.bytes
        ),
    })
}

/// Whether there are brokers that acknowledge what is not on disk.
pub fn unsynced(brokers: &[&str]) -> Option<Risk> {
    (!brokers.is_empty()).then(|| Risk {
        kind: RiskKind::Sync,
        detail: format!(
            "sync_interval is not `always` at {}: what is accepted may be lost with the power",
            brokers.join(", ")
        ),
    })
}

/// Whether records vanished from the middle of EVENTS.
pub fn hole(held: &Coverage) -> Option<Risk> {
    (held.missing() > 0).then(|| Risk {
        kind: RiskKind::Hole,
        detail: format!(
            "{} records between {} and {} are gone from EVENTS; replays across them fail",
            held.missing(),
            held.first_sequence,
            held.last_sequence
        ),
    })
}

/// Whether records vanished from the end of EVENTS, which once went as far as `furthest`. Told until
/// it goes further again.
pub fn cut(held: &Coverage, furthest: u64) -> Option<Risk> {
    (held.last_sequence < furthest).then(|| Risk {
        kind: RiskKind::Cut,
        detail: format!(
            "EVENTS ended at {furthest} and ends at {}: the broker lost what came last; events that were accepted are gone",
            held.last_sequence
        ),
    })
}

/// Whether a live lane's oldest undelivered event may be near its end, so that it is worth looking
/// up. It was stored at the latest when the lane fell behind, or a moment before.
pub fn may_expire(
    lane: Lane,
    state: &LaneState,
    now: Timestamp,
    max_age: Duration,
    thresholds: &Thresholds,
) -> bool {
    let since = state.behind.as_ref().map(|behind| behind.since);
    match (lane, since) {
        (Lane::Live, Some(since)) if state.stopped.is_none() => {
            now.since(since) + thresholds.expiry_margin >= max_age
        }
        (Lane::Live | Lane::Replay(_), _) => false,
    }
}

/// Whether a lane's oldest undelivered event, stored at `oldest`, will soon expire.
pub fn expiry(
    scope: Scope,
    state: &LaneState,
    oldest: Timestamp,
    now: Timestamp,
    max_age: Duration,
    thresholds: &Thresholds,
) -> Option<Risk> {
    let left = (oldest + max_age).since(now);
    (left <= thresholds.expiry_margin).then(|| Risk {
        kind: RiskKind::Expiry(scope),
        detail: format!(
            "the oldest undelivered event of {scope} expires in {} h: {}",
            left.as_secs() / 3600,
            why(state)
        ),
    })
}

fn why(state: &LaneState) -> String {
    match (&state.hold, &state.behind) {
        (Some(hold), _) => {
            format!("its receiver takes nothing since {}: {}", hold.since, hold.reason)
        }
        (None, Some(behind)) => {
            format!("its lane is behind since {}: {}", behind.since, behind.reason)
        }
        (None, None) => "its lane is catching up".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use auditrelay_model::delivery::{Behind, Hold};
    use auditrelay_model::id::{JobId, OrgId};
    use uuid::Uuid;

    use super::*;

    const NOW: Timestamp = Timestamp::from_nanos(1_800_000_000_000_000_000);
    const MAX_AGE: Duration = Duration::from_hours(180);

    fn hours(n: u64) -> Duration {
        Duration::from_hours(n)
    }

    fn behind_since(hours_ago: u64) -> LaneState {
        let since = NOW - hours(hours_ago);
        LaneState {
            behind: Some(Behind { since, reason: "held".to_owned() }),
            hold: Some(Hold {
                reason: "HTTP 503".to_owned(),
                customer_must_act: false,
                since,
                probes: 0,
            }),
            ..LaneState::default()
        }
    }

    #[test]
    fn brokers_that_do_not_sync_are_named() {
        assert_eq!(unsynced(&[]), None);
        let risk = unsynced(&["http://a:8222", "http://b:8222"]).unwrap();
        assert_eq!(risk.kind.name(), "sync");
        assert!(risk.detail.contains("at http://a:8222, http://b:8222:"), "{}", risk.detail);
    }

    #[test]
    fn a_stream_that_fills_up_is_told_at_the_threshold() {
        let risk = |bytes, max_bytes| {
            let held = Coverage { bytes, ..Coverage::default() };
            storage(&held, max_bytes, &Thresholds::default()).is_some()
        };
        assert!(!risk(799, 1_000));
        assert!(risk(800, 1_000));
        assert!(risk(2_000, 1_000));
        assert!(!risk(800, -1) && !risk(800, 0));
    }

    #[test]
    fn a_hole_is_told() {
        let held =
            Coverage { first_sequence: 1, last_sequence: 9, records: 8, ..Coverage::default() };
        assert_eq!(hole(&held).map(|risk| risk.kind), Some(RiskKind::Hole));
        assert_eq!(hole(&Coverage { records: 9, ..held }), None);
    }

    #[test]
    fn a_stream_that_ends_earlier_than_it_did_is_told() {
        let held = Coverage { last_sequence: 9, ..Coverage::default() };
        assert_eq!((cut(&held, 0), cut(&held, 9)), (None, None));
        let told = cut(&held, 10).unwrap();
        assert_eq!(told.kind.name(), "cut");
        assert!(told.detail.contains("ended at 10 and ends at 9"), "{told:?}");
    }

    #[test]
    fn only_live_lanes_that_are_long_behind_are_looked_up() {
        let looked_up =
            |lane, state: &LaneState| may_expire(lane, state, NOW, MAX_AGE, &Thresholds::default());
        assert!(looked_up(Lane::Live, &behind_since(132)));
        assert!(!looked_up(Lane::Live, &behind_since(131)));
        assert!(!looked_up(Lane::Live, &LaneState::default()));
        assert!(!looked_up(Lane::Replay(JobId::from_uuid(Uuid::nil())), &behind_since(170)));
        let stopped = Some(("removed".to_owned(), "the webhook is gone".to_owned()));
        assert!(!looked_up(Lane::Live, &LaneState { stopped, ..behind_since(170) }));
    }

    #[test]
    fn an_event_near_its_end_is_told_with_the_reason() {
        let scope = Scope::Organization(OrgId::from_uuid(Uuid::nil()));
        let risk = |oldest_hours_ago| {
            let oldest = NOW - hours(oldest_hours_ago);
            expiry(scope, &behind_since(170), oldest, NOW, MAX_AGE, &Thresholds::default())
        };
        assert_eq!(risk(131), None);
        let told = risk(170).unwrap();
        assert_eq!(told.kind, RiskKind::Expiry(scope));
        assert!(
            told.detail.contains("expires in 10 h") && told.detail.contains("HTTP 503"),
            "{told:?}"
        );
        assert!(risk(500).is_some(), "an event that should be gone already");
    }
}
