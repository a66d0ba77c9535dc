//! What a JetStream stream must be, as data.

use std::time::Duration;

/// The settings of a stream that matter to us, wanted or observed.
#[expect(clippy::struct_excessive_bools, reason = "they are the broker's own switches")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamSpec {
    /// Name on the broker.
    pub name: String,
    /// Subjects it keeps.
    pub subjects: Vec<String>,
    /// Messages older than this are deleted; zero keeps them for ever.
    pub max_age: Duration,
    /// Most bytes it keeps; -1 for no limit.
    pub max_bytes: i64,
    /// Most messages kept for one subject; -1 for no limit.
    pub max_messages_per_subject: i64,
    /// Most consumers; set by hand, because the broker's default is 1,000.
    pub max_consumers: i32,
    /// What happens at a limit.
    pub discard: Discard,
    /// On disk or only in memory.
    pub storage: Storage,
    /// Copies in a cluster.
    pub replicas: usize,
    /// S2 compression of full blocks.
    pub compressed: bool,
    /// Reads without a consumer, from any replica.
    pub allow_direct: bool,
    /// No message can be deleted by the API.
    pub deny_delete: bool,
    /// How long a message id is remembered.
    pub duplicate_window: Duration,
    /// Messages may carry a time to live of their own.
    pub allow_message_ttl: bool,
    /// Takes several messages together or none of them.
    pub allow_atomic: bool,
    /// Acknowledged before it is written: never for us.
    pub acks_before_write: bool,
}

/// What a full stream does with a new message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discard {
    /// Deletes the oldest: shortens retention silently.
    Old,
    /// Refuses the new one.
    New,
}

/// Where a stream is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// On disk.
    File,
    /// In memory only.
    Memory,
}
