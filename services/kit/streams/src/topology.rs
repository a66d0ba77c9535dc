//! The streams by name.

/// Every stream that the services share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StreamName {
    /// Records of audit events; written by ingest.
    Events,
    /// Facts of configuration; written by the api.
    Config,
    /// Facts of replay jobs; written by the replay-scheduler.
    Replay,
    /// Facts of delivery; written by the webhook-sender.
    Delivery,
    /// Uses of tokens and denied calls; below each service's name written by that service.
    Access,
    /// Facts about the streams; written by retention.
    Retention,
    /// Who holds a shard or a job; written by the webhook-sender.
    Leases,
}

impl StreamName {
    /// Every stream.
    pub const ALL: [Self; 7] = [
        Self::Events,
        Self::Config,
        Self::Replay,
        Self::Delivery,
        Self::Access,
        Self::Retention,
        Self::Leases,
    ];

    /// The name on the broker.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Events => "EVENTS",
            Self::Config => "CONFIG",
            Self::Replay => "REPLAY",
            Self::Delivery => "DELIVERY",
            Self::Access => "ACCESS",
            Self::Retention => "RETENTION",
            Self::Leases => "LEASES",
        }
    }

    /// All its subjects, as a filter.
    pub const fn subjects(self) -> &'static str {
        match self {
            Self::Events => "audit.events.>",
            Self::Config => "audit.config.>",
            Self::Replay => "audit.replay.>",
            Self::Delivery => "audit.delivery.>",
            Self::Access => "audit.access.>",
            Self::Retention => "audit.retention.>",
            Self::Leases => "audit.lease.>",
        }
    }
}

impl std::fmt::Display for StreamName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
