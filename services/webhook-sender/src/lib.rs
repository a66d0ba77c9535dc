//! Delivers audit events to receivers: in order, signed, until they are delivered or expire.
//!
//! Cast: `shards` takes this sender's share of the shards; a `shard` reads records and hands each
//! to its scope's lane; a `driver` runs one lane, whose decisions are made in the core, and carries
//! them out; `letter` is a batch written, signed and compressed, which `courier` sends over the
//! [`transport`]; `destinations` is what the lanes of one destination share; `report` stores what
//! the lane did. `replay` runs the lanes of replay jobs with the same driver. `farewell` tells
//! a receiver who took the log from it.
//!
//! Invariants: a record is acknowledged only after the fact that covers it is stored; facts are
//! stored by compare-and-set, so a sender that lost its lane stops at the next one; a lane never
//! makes its shard wait.

mod commands;
pub mod config;
mod courier;
mod destinations;
mod door;
mod driver;
mod farewell;
mod guard;
pub mod gzip;
mod headers;
mod lanes;
mod letter;
mod limits;
mod memory;
mod quarantine;
mod replay;
mod report;
pub mod resolver;
mod sender;
pub mod service;
mod shard;
mod shards;
mod single;
mod source;
mod standing;
mod telemetry;
mod test_delivery;
pub mod transport;
mod writing_pool;

pub use config::Config;
pub use service::start;
