//! Where a lane's records come from: its shard's door, or a reader of its own.

use std::sync::Arc;

use auditrelay_model::replay::Selection;
use auditrelay_streams::Acker;
use auditrelay_webhook_sender_core::lane::Wants;

use crate::door::{Cargo, Door, Found};
use crate::source::Source;

/// Where a lane's records come from.
pub(crate) enum Supply {
    /// From the shard, or alone while the lane is behind.
    Live { door: Arc<Door>, source: Source },
    /// Alone.
    Replay { selection: Arc<Selection>, source: Source },
}

/// What a supply brings.
pub(super) enum Supplied {
    Record(Box<Cargo>),
    /// The lane's own reader has nothing more now.
    Exhausted,
    /// The shard's queue was full.
    Overflowed,
}

impl Supply {
    /// What comes next: at the door, or from a sequence on. Nothing is lost when this is dropped
    /// while it waits.
    pub(super) async fn next(&mut self, wants: Wants, from: u64, is_placed: bool) -> Supplied {
        match self {
            Self::Replay { source, .. } => read(source, wants, from).await,
            Self::Live { door, source } => tokio::select! {
                biased;
                found = door.next(wants == Wants::FromShard, is_placed) => match found {
                    Found::Record(record) => Supplied::Record(record),
                    Found::Shut => Supplied::Overflowed,
                },
                supplied = read(source, wants, from) => supplied,
            },
        }
    }

    pub(super) fn close(&mut self) {
        match self {
            Self::Live { source, .. } | Self::Replay { source, .. } => source.close(),
        }
    }

    /// What the shard gave and is now to be acknowledged.
    pub(super) fn leave_shard(&self) -> Vec<Acker> {
        self.door().map(|door| door.leave()).unwrap_or_default()
    }

    pub(super) fn door(&self) -> Option<&Arc<Door>> {
        match self {
            Self::Live { door, .. } => Some(door),
            Self::Replay { .. } => None,
        }
    }

    /// Records that it does not touch need not be read.
    pub(super) fn selection(&self) -> Option<&Selection> {
        match self {
            Self::Live { .. } => None,
            Self::Replay { selection, .. } => Some(selection),
        }
    }

    /// The oldest sequence that was held when the lane's own reading began.
    pub(super) fn oldest(&self) -> u64 {
        match self {
            Self::Live { source, .. } | Self::Replay { source, .. } => source.oldest(),
        }
    }
}

async fn read(source: &mut Source, wants: Wants, from: u64) -> Supplied {
    if wants != Wants::FromReader {
        return std::future::pending().await;
    }
    match source.next(from).await {
        None => Supplied::Exhausted,
        Some((pulled, charge)) => {
            let acker = pulled.acker();
            Supplied::Record(Box::new(Cargo { pulled, acker, charge, ticket: None }))
        }
    }
}
