//! What is folded from which stream.

use auditrelay_model::access::AccessEvent;
use auditrelay_model::config::{ConfigEvent, OrgConfig};
use auditrelay_model::delivery::{DeliveryEvent, Lane, LaneState};
use auditrelay_model::id::OrgId;
use auditrelay_model::replay::{self, Jobs, ReplayEvent};
use auditrelay_model::{Corrupt, Scope};
use bytes::Bytes;

use crate::codec::{self, DecodeError};
use crate::error::ReadError;
use crate::subject;
use crate::topology::StreamName;

/// State per key, folded from the messages of one stream; every key has one subject.
pub trait Fold: Send + Sync + 'static {
    /// What the state belongs to.
    type Key: Clone + Eq + std::hash::Hash + Send + Sync + std::fmt::Debug + 'static;
    /// The folded state; the default is "nothing has happened".
    type State: Clone + Default + Send + Sync + 'static;
    /// A stored fact.
    type Event: Clone + Send + Sync + 'static;

    /// Where the facts are.
    const STREAM: StreamName;
    /// Whether the last fact alone tells the state, so that older ones need not be read.
    const LAST_IS_ENOUGH: bool = false;

    /// Whether a subject of the stream carries facts of this kind.
    fn concerns(_subject: &str) -> bool {
        true
    }
    /// The subject of a key's facts.
    fn subject(key: &Self::Key) -> String;
    /// The key of a subject.
    fn key(subject: &str) -> Option<Self::Key>;
    /// Reads a fact.
    fn decode(payload: &[u8]) -> Result<Self::Event, ReadError>;
    /// Writes a fact.
    fn encode(key: &Self::Key, event: &Self::Event) -> Bytes;
    /// Whether this version may write behind the fact without losing what it says.
    fn may_follow(_payload: &[u8]) -> bool {
        true
    }
    /// Applies a fact; one that cannot follow leaves the state as it was.
    fn evolve(state: &mut Self::State, event: &Self::Event) -> Result<(), Corrupt>;
}

fn unreadable(error: DecodeError) -> ReadError {
    match error {
        DecodeError::Newer(_) => ReadError::Newer(error.to_string()),
        DecodeError::Malformed(_) | DecodeError::Field(_) => ReadError::Corrupt(error.to_string()),
    }
}

/// The configuration of every organization.
#[derive(Debug)]
pub struct ConfigFold;

impl Fold for ConfigFold {
    type Key = OrgId;
    type State = OrgConfig;
    type Event = ConfigEvent;

    const STREAM: StreamName = StreamName::Config;

    fn subject(key: &OrgId) -> String {
        subject::config(*key)
    }

    fn key(subject: &str) -> Option<OrgId> {
        subject::org_at_end(subject)
    }

    fn decode(payload: &[u8]) -> Result<ConfigEvent, ReadError> {
        codec::config::decode(payload).map_err(unreadable)
    }

    fn may_follow(payload: &[u8]) -> bool {
        codec::may_follow(payload)
    }

    fn encode(key: &OrgId, event: &ConfigEvent) -> Bytes {
        codec::config::encode(*key, event).into()
    }

    fn evolve(state: &mut OrgConfig, event: &ConfigEvent) -> Result<(), Corrupt> {
        state.evolve(event)
    }
}

/// The replay jobs of every scope.
#[derive(Debug)]
pub struct ReplayFold;

impl Fold for ReplayFold {
    type Key = Scope;
    type State = Jobs;
    type Event = ReplayEvent;

    const STREAM: StreamName = StreamName::Replay;

    fn subject(key: &Scope) -> String {
        subject::replay(*key)
    }

    fn key(subject: &str) -> Option<Scope> {
        subject::scope_at_end(subject)
    }

    fn decode(payload: &[u8]) -> Result<ReplayEvent, ReadError> {
        codec::replay::decode(payload).map_err(unreadable)
    }

    fn may_follow(payload: &[u8]) -> bool {
        codec::may_follow(payload)
    }

    fn encode(_key: &Scope, event: &ReplayEvent) -> Bytes {
        codec::replay::encode(event).into()
    }

    fn evolve(state: &mut Jobs, event: &ReplayEvent) -> Result<(), Corrupt> {
        *state = replay::evolve(state.clone(), event)?;
        Ok(())
    }
}

/// How far every lane has come.
#[derive(Debug)]
pub struct DeliveryFold;

impl Fold for DeliveryFold {
    type Key = (Scope, Lane);
    type State = LaneState;
    type Event = DeliveryEvent;

    const STREAM: StreamName = StreamName::Delivery;
    const LAST_IS_ENOUGH: bool = true;

    fn concerns(subject: &str) -> bool {
        subject::is_lane(subject)
    }

    fn subject((scope, lane): &(Scope, Lane)) -> String {
        subject::delivery(*scope, *lane)
    }

    fn key(subject: &str) -> Option<(Scope, Lane)> {
        subject::lane_at_end(subject)
    }

    fn decode(payload: &[u8]) -> Result<DeliveryEvent, ReadError> {
        codec::delivery::decode(payload).map_err(unreadable)
    }

    fn encode(_key: &(Scope, Lane), event: &DeliveryEvent) -> Bytes {
        codec::delivery::encode(event).into()
    }

    fn evolve(state: &mut LaneState, event: &DeliveryEvent) -> Result<(), Corrupt> {
        state.clone_from(&event.state);
        Ok(())
    }
}

/// What was noticed about the callers of every organization: facts alone, which add up to nothing.
#[derive(Debug)]
pub struct AccessFold;

impl Fold for AccessFold {
    type Key = OrgId;
    type State = ();
    type Event = AccessEvent;

    const STREAM: StreamName = StreamName::Access;

    fn subject(key: &OrgId) -> String {
        format!("audit.access.*.{key}.>")
    }

    fn key(subject: &str) -> Option<OrgId> {
        subject::org_of_access(subject)
    }

    fn decode(payload: &[u8]) -> Result<AccessEvent, ReadError> {
        codec::access::decode(payload).map_err(unreadable)
    }

    fn encode(_key: &OrgId, event: &AccessEvent) -> Bytes {
        codec::access::encode(event).into()
    }

    fn evolve((): &mut (), _event: &AccessEvent) -> Result<(), Corrupt> {
        Ok(())
    }
}
