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

/// A gate that two tasks share.
#[derive(Debug)]
pub(crate) struct Door {
    gate: Mutex<Gate<(Pulled, Charge), Acker>>,
    changed: Notify,
    memory: Arc<Memory>,
}

/// A record on its way through a lane.
#[derive(Debug)]
pub(crate) struct Cargo {
    pub(crate) pulled: Pulled,
    pub(crate) acker: Acker,
    pub(crate) charge: Charge,
}

/// What a lane finds at its door.
#[derive(Debug)]
pub(crate) enum Found {
    Record(Box<Cargo>),
    /// More came than there was room for.
    Shut,
}

impl Door {
    pub(crate) fn new(gate: Gate<(Pulled, Charge), Acker>, memory: Arc<Memory>) -> Self {
        Self { gate: Mutex::new(gate), changed: Notify::new(), memory }
    }

    /// Never waits; what the lane does not want is returned to be acknowledged.
    pub(crate) fn offer(&self, pulled: Pulled) -> Option<Acker> {
        let (last, bytes, acker) = (last_position(&pulled), pulled.len(), pulled.acker());
        let crowded = self.memory.is_crowded();
        let record = (pulled, self.memory.charge(bytes));
        let mut gate = self.gate();
        let offered = if crowded {
            gate.offer_crowded(last, bytes, record, acker)
        } else {
            gate.offer(last, bytes, record, acker)
        };
        drop(gate);
        self.changed.notify_one();
        match offered {
            Offered::Taken => None,
            Offered::Skipped(acker) => Some(acker),
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
                if take && let Some(((pulled, charge), acker)) = gate.take() {
                    return Found::Record(Box::new(Cargo { pulled, acker, charge }));
                }
            }
            self.changed.notified().await;
        }
    }

    pub(crate) fn leave(&self) -> Vec<Acker> {
        self.gate().leave()
    }

    pub(crate) fn rejoin(&self, sequence: u64) -> Result<(), Position> {
        self.gate().rejoin(sequence)
    }

    pub(crate) fn reopen(&self, gone: Position) -> bool {
        self.gate().reopen(gone)
    }

    fn gate(&self) -> MutexGuard<'_, Gate<(Pulled, Charge), Acker>> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn last_position(pulled: &Pulled) -> Position {
    let head = &pulled.head;
    Position { epoch: head.epoch, number: head.last_number, sequence: head.sequence }
}
