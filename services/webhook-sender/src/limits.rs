//! How fast destinations are served: for all of them, and for single ones.

use std::collections::HashMap;
use std::str::FromStr;

use auditrelay_model::id::DestinationId;

/// How fast one destination is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Most requests of one webhook that are out at the same time.
    pub in_flight: usize,
    /// Most events a second, of all its webhooks and replays together; none is no cap.
    pub events_per_second: Option<u64>,
}

/// Most requests of one webhook that may be out at the same time.
pub(crate) const IN_FLIGHT_MAX: usize = 64;

/// How fast destinations are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Where nothing else is said.
    pub all: Limit,
    /// What is said of single ones.
    pub single: Single,
}

/// `<destination>=<requests>/<events a second>`, separated by commas; 0 events are no cap.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Single(HashMap<DestinationId, Limit>);

/// The text says no limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a list like <destination id>=<requests>/<events a second>")]
pub struct NoLimits;

impl Limits {
    /// What holds for a destination.
    pub fn of(&self, destination: DestinationId) -> Limit {
        self.single.0.get(&destination).copied().unwrap_or(self.all)
    }
}

impl FromStr for Single {
    type Err = NoLimits;

    fn from_str(text: &str) -> Result<Self, NoLimits> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(one).collect::<Option<_>>().map(Self).ok_or(NoLimits)
    }
}

fn one(part: &str) -> Option<(DestinationId, Limit)> {
    let (destination, limit) = part.split_once('=')?;
    let (requests, events) = limit.split_once('/')?;
    let in_flight = requests.trim().parse().ok().filter(|n| (1..=IN_FLIGHT_MAX).contains(n))?;
    let events: u64 = events.trim().parse().ok()?;
    let limit = Limit { in_flight, events_per_second: Some(events).filter(|n| *n > 0) };
    Some((destination.trim().parse().ok()?, limit))
}

#[cfg(test)]
mod tests {
    use auditrelay_runtime::ids::uuid_v7;

    use super::*;

    #[test]
    fn single_destinations_differ_from_the_rest() {
        let id = DestinationId::from_uuid(uuid_v7());
        let all = Limit { in_flight: 1, events_per_second: None };
        let single = format!("{id}=4/1000, ").parse().unwrap();
        let limits = Limits { all, single };
        assert_eq!(limits.of(id), Limit { in_flight: 4, events_per_second: Some(1_000) });
        assert_eq!(limits.of(DestinationId::from_uuid(uuid_v7())), all);
    }

    #[test]
    fn nonsense_is_no_limit() {
        let id = uuid_v7();
        for text in ["x=1/1", &format!("{id}=0/1"), &format!("{id}=1"), &format!("{id}=65/1")] {
            assert_eq!(text.parse::<Single>(), Err(NoLimits), "{text}");
        }
        assert_eq!("".parse::<Single>(), Ok(Single::default()));
    }
}
