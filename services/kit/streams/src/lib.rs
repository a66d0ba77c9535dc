//! The streams that the services share: the only crate that names the broker's client.
//!
//! Cast: [`Streams`] is the connection. Records go into EVENTS by [`Streams::append_record`] and
//! come out through a [`Reader`]. Facts are folded by a [`Projection`], which also carries
//! decisions out ([`Projection::execute`]). [`Streams::append_delivery`] stores what a lane did.
//! A [`Command`] that needs an answer is asked ([`Streams::ask`]) and listened for; a [`Lease`] says who works on what.
//!
//! Invariants: an append returns only when the broker has the message on disk; facts of one
//! aggregate are appended with the sequence they were decided on; every call has a time limit.

mod access;
mod address;
mod admin;
mod append;
mod ask;
mod bundle;
mod chain_end;
mod choice;
mod codec;
mod command;
mod connect;
mod delivery;
mod error;
mod facts;
pub mod failpoint;
mod fold;
mod follow;
mod header;
mod health;
mod lease;
mod pages;
mod patience;
mod projection;
mod quarantine;
mod reader;
mod record;
mod retention;
mod silence;
mod stored;
mod subject;
mod topology;

pub use access::AccessLog;
pub use admin::{Observed, StreamState};
pub use ask::{Command, Commands, Incoming, Wire};
pub use bundle::{BUNDLE_RECORDS_MAX, Bundled, Link};
pub use chain_end::{ChainEnd, LastLink};
pub use codec::readers_of;
pub use command::{Estimate, QuarantineReply, ReplayAction, ReplayCommand, ReplayReply, TestReply};
pub use connect::{
    CLIENT_LOG, ConnectError, NatsSettings, SERVER_VERSION_MIN, Streams, Tls, connect,
    connect_with, is_address,
};
pub use delivery::LaneEnd;
pub use error::{AppendError, ReadError};
pub use facts::{FactReader, StoredFact};
pub use fold::{AccessFold, ConfigFold, DeliveryFold, Fold, ReplayFold};
pub use health::{Followed, Look};
pub use lease::{LEASE_TTL, Lease};
pub use pages::{Backwards, Fetched, Start};
pub use patience::patiently;
pub use projection::{ExecuteError, Executed, Projection, Versioned};
pub use reader::{Acker, Pulled, Reader, Tampering, Undecodable};
pub use record::{Appended, EncodedRecord, RecordHead, StoredRecord, encoded_len};
pub use retention::RetentionFact;
pub use subject::{SHARDS, shard_of};
pub use topology::StreamName;
