//! Where a shard hands records to one of its lanes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use auditrelay_model::record::Position;
use auditrelay_streams::{Acker, Pulled};
use auditrelay_webhook_sender_core::batch::Caps;
use auditrelay_webhook_sender_core::gate::{Gate, Offered};
use tokio::sync::Notify;

use crate::memory::{Charge, Memory};

/// Records that wait for a lane which is busy.
pub(crate) const ROOM: Caps = Caps { events: 64, bytes: 4 * 1024 * 1024 };

/// The broker stops a shard that has 4,096 records unacknowledged. Long before that, lanes with
/// more than their share of them must leave.
const UNACKNOWLEDGED_MAX: usize = 1_024;
const SHARE: usize = 8;

/// A gate that two tasks share.
#[derive(Debug)]
pub(crate) struct Door {
    gate: Mutex<Gate<Admitted, Acker>>,
    changed: Notify,
    memory: Arc<Memory>,
    shard: Count,
    lane: Count,
}

type Admitted = (Pulled, Charge, Ticket);

/// Counts its clones.
pub(crate) type Count = Arc<()>;

/// A record that the shard gave and that is not acknowledged, until this is dropped.
#[derive(Debug)]
pub(crate) struct Ticket {
    _shard: Count,
    _lane: Count,
}

/// A record on its way through a lane.
#[derive(Debug)]
pub(crate) struct Cargo {
    pub(crate) pulled: Pulled,
    pub(crate) acker: Acker,
    pub(crate) charge: Charge,
    /// None for a record from the lane's own reader.
    pub(crate) ticket: Option<Ticket>,
}

/// What a lane finds at its door.
#[derive(Debug)]
pub(crate) enum Found {
    Record(Box<Cargo>),
    /// More came than there was room for.
    Shut,
}

impl Door {
    pub(crate) fn new(gate: Gate<Admitted, Acker>, memory: Arc<Memory>, shard: Count) -> Self {
        let lane = Count::default();
        Self { gate: Mutex::new(gate), changed: Notify::new(), memory, shard, lane }
    }

    /// Never waits; what the lane does not want is returned to be acknowledged.
    pub(crate) fn offer(&self, pulled: Pulled) -> Option<Acker> {
        let (last, bytes, acker) = (last_position(&pulled), pulled.len(), pulled.acker());
        let most = self.most_waiting();
        let ticket = Ticket { _shard: Arc::clone(&self.shard), _lane: Arc::clone(&self.lane) };
        let record = (pulled, self.memory.charge(bytes), ticket);
        let offered = self.gate().offer(last, bytes, most, (record, acker));
        self.changed.notify_one();
        match offered {
            Offered::Taken => None,
            Offered::Skipped(acker) => Some(acker),
        }
    }

    fn most_waiting(&self) -> usize {
        let shard_is_crowded = Arc::strong_count(&self.shard) > UNACKNOWLEDGED_MAX;
        if shard_is_crowded && Arc::strong_count(&self.lane) > SHARE {
            0
        } else if self.memory.is_crowded() {
            1
        } else {
            usize::MAX
        }
    }

    /// The next record when `take`; that the gate is shut once the lane is `placed`, so that it
    /// knows from where to read on its own. Nothing is lost when this is dropped while it waits.
    pub(crate) async fn next(&self, take: bool, placed: bool) -> Found {
        loop {
            {
                let mut gate = self.gate();
                if gate.is_shut() && placed {
                    return Found::Shut;
                }
                if take && let Some(((pulled, charge, ticket), acker)) = gate.take() {
                    let ticket = Some(ticket);
                    return Found::Record(Box::new(Cargo { pulled, acker, charge, ticket }));
                }
            }
            self.changed.notified().await;
        }
    }

    pub(crate) fn leave(&self) -> Vec<Acker> {
        self.gate().leave()
    }

    /// Where the lives of the log before `epoch` ended, as far as the shard has seen it.
    pub(crate) fn ends_before(&self, epoch: u64) -> Vec<Position> {
        self.gate().ends_before(epoch)
    }

    pub(crate) fn rejoin(&self, has: Position) -> Result<(), Position> {
        self.gate().rejoin(has)
    }

    pub(crate) fn reopen(&self, gone: Position) -> bool {
        self.gate().reopen(gone)
    }

    fn gate(&self) -> MutexGuard<'_, Gate<Admitted, Acker>> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn last_position(pulled: &Pulled) -> Position {
    let head = &pulled.head;
    Position { epoch: head.epoch, number: head.last_number, sequence: head.sequence }
}
