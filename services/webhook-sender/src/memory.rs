//! Memory for records that wait, over all lanes: many slow receivers together must not take more
//! than one does.

use std::sync::Arc;

use prometheus_client::metrics::gauge::Gauge;

/// Decoded, a record takes about so many times its stored bytes.
const DECODED_FACTOR: usize = 3;

/// What all waiting records may take together. It is overrun by at most a record a lane: each may
/// always hold one, or nothing would move.
#[derive(Debug)]
pub(crate) struct Memory {
    /// Counts, and is what is shown.
    used: Gauge,
    max: i64,
}

/// What one record takes, until this is dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    memory: Arc<Memory>,
    bytes: i64,
}

impl Memory {
    pub(crate) fn new(max: usize, used: Gauge) -> Self {
        Self { used, max: signed(max) }
    }

    /// Counts a record of so many stored bytes.
    pub(crate) fn charge(self: &Arc<Self>, stored_bytes: usize) -> Charge {
        let bytes = signed(stored_bytes.saturating_mul(DECODED_FACTOR));
        self.used.inc_by(bytes);
        Charge { memory: Arc::clone(self), bytes }
    }

    /// Whether lanes that already hold something must take no more.
    pub(crate) fn is_crowded(&self) -> bool {
        self.used.get() >= self.max
    }
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.memory.used.dec_by(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_makes_room() {
        let memory = Arc::new(Memory::new(100, Gauge::default()));
        let charges = [memory.charge(20), memory.charge(20)];
        assert!(memory.is_crowded());
        drop(charges);
        assert!(!memory.is_crowded());
    }
}
