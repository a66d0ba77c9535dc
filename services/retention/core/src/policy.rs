//! What the streams must be.

use std::time::Duration;

use auditrelay_model::stream::{Discard, Storage, StreamSpec};
use auditrelay_model::window::RETENTION;

/// Kept beyond the seven days that are promised, so that a replay of "the last 7 days" loses
/// nothing while it runs.
pub const REPLAY_ALLOWANCE: Duration = Duration::from_hours(12);

/// How long events and what was done with them are really kept.
pub fn kept() -> Duration {
    RETENTION + REPLAY_ALLOWANCE
}

const DAY: Duration = Duration::from_hours(24);

/// When a token was used last is known for a year and a month.
const ACCESS_KEPT: Duration = Duration::from_hours(24 * 400);

/// How long the broker remembers a message id: longer than any retry of an append.
const DUPLICATE_WINDOW: Duration = Duration::from_mins(2);

/// Consumers of EVENTS: the live shards, one a lane that is behind, one a replay job. The broker's
/// own default of 1,000 would refuse replays while many receivers are down; far more consumers
/// than this slow every reader, so that a refusal is the lesser evil.
const EVENTS_CONSUMERS: i32 = 10_000;

/// Consumers of the other streams: one a projection, a handful for each service replica.
const FOLDED_CONSUMERS: i32 = 1_000;

/// What an operator chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// Most bytes of EVENTS; none for as much as the broker's disk takes.
    pub events_max_bytes: Option<u64>,
    /// Copies of every stream in a cluster.
    pub replicas: usize,
}

/// What the streams must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    streams: Vec<Wanted>,
}

/// What one stream must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its settings.
    pub spec: StreamSpec,
    /// Whether its messages are worth nothing after a moment: its limits may then be lowered.
    pub is_transient: bool,
}

impl Policy {
    /// The policy under an operator's choice.
    pub fn new(choice: Choice) -> Self {
        let base = |name, subjects| base(name, subjects, choice.replicas);
        let max_bytes =
            choice.events_max_bytes.map_or(-1, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
        let lasting = [
            StreamSpec {
                max_age: kept(),
                max_bytes,
                max_consumers: EVENTS_CONSUMERS,
                allow_atomic: true,
                ..base("EVENTS", "audit.events.>")
            },
            base("CONFIG", "audit.config.>"),
            StreamSpec { max_messages_per_subject: 10_000, ..base("REPLAY", "audit.replay.>") },
            StreamSpec { max_age: kept(), ..base("DELIVERY", "audit.delivery.>") },
            StreamSpec {
                max_age: ACCESS_KEPT,
                max_messages_per_subject: 64,
                ..base("ACCESS", "audit.access.>")
            },
            StreamSpec { max_age: 30 * DAY, ..base("RETENTION", "audit.retention.>") },
        ];
        let leases = StreamSpec {
            max_age: DAY,
            max_messages_per_subject: 1,
            // A lease is given back by deleting it.
            deny_delete: false,
            allow_message_ttl: true,
            ..base("LEASES", "audit.lease.>")
        };
        let mut streams: Vec<_> =
            lasting.into_iter().map(|spec| Wanted { spec, is_transient: false }).collect();
        streams.push(Wanted { spec: leases, is_transient: true });
        Self { streams }
    }

    /// Every wanted stream.
    pub fn streams(&self) -> &[Wanted] {
        &self.streams
    }
}

/// What all streams share: on disk, refusing new messages at a limit (deleting the oldest would
/// shorten retention silently), deleted by age alone.
fn base(name: &str, subjects: &str, replicas: usize) -> StreamSpec {
    StreamSpec {
        name: name.to_owned(),
        subjects: vec![subjects.to_owned()],
        max_age: Duration::ZERO,
        max_bytes: -1,
        max_messages_per_subject: -1,
        max_consumers: FOLDED_CONSUMERS,
        discard: Discard::New,
        storage: Storage::File,
        replicas,
        // A member of a cluster that is killed may come back with the block it writes packed, and
        // then writes behind it what nobody can read (nats-server 2.15.1).
        compressed: false,
        allow_direct: true,
        deny_delete: true,
        duplicate_window: DUPLICATE_WINDOW,
        allow_message_ttl: false,
        allow_atomic: false,
        acks_before_write: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_outlive_the_promised_seven_days_and_are_never_discarded_to_make_room() {
        let policy = Policy::new(Choice { events_max_bytes: Some(1 << 30), replicas: 3 });
        let events = &policy.streams()[0].spec;
        assert_eq!(events.max_age, 7 * DAY + DAY / 2);
        assert_eq!((events.max_bytes, events.discard), (1 << 30, Discard::New));
        assert!(events.deny_delete && events.allow_direct);
        assert!(policy.streams().iter().all(|stream| stream.spec.replicas == 3));
        assert!(policy.streams().iter().all(|stream| !stream.spec.compressed));
    }

    #[test]
    fn configuration_and_jobs_are_kept_for_ever() {
        let policy = Policy::new(Choice { events_max_bytes: None, replicas: 1 });
        let for_ever: Vec<_> = policy
            .streams()
            .iter()
            .filter(|stream| stream.spec.max_age.is_zero())
            .map(|stream| stream.spec.name.as_str())
            .collect();
        assert_eq!(for_ever, ["CONFIG", "REPLAY"]);
        let config = policy.streams().iter().find(|stream| stream.spec.name == "CONFIG").unwrap();
        assert_eq!((config.spec.max_bytes, config.spec.max_messages_per_subject), (-1, -1));
    }
}
