//! Memory for records that wait, over all lanes: many slow receivers together must not take more
//! than one does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Decoded, a record takes about so many times its stored bytes.
const DECODED_FACTOR: usize = 3;

/// What all waiting records may take together. It is overrun by at most a record a lane: each may
/// always hold one, or nothing would move.
#[derive(Debug)]
pub(crate) struct Memory {
    used: AtomicUsize,
    max: usize,
}

/// What one record takes, until this is dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    memory: Arc<Memory>,
    bytes: usize,
}

impl Memory {
    pub(crate) const fn new(max: usize) -> Self {
        Self { used: AtomicUsize::new(0), max }
    }

    /// Counts a record of so many stored bytes.
    pub(crate) fn charge(self: &Arc<Self>, stored_bytes: usize) -> Charge {
        let bytes = stored_bytes.saturating_mul(DECODED_FACTOR);
        self.used.fetch_add(bytes, Ordering::Relaxed);
        Charge { memory: Arc::clone(self), bytes }
    }

    /// Whether lanes that already hold something must take no more.
    pub(crate) fn is_crowded(&self) -> bool {
        self.used.load(Ordering::Relaxed) >= self.max
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.memory.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_makes_room() {
        let memory = Arc::new(Memory::new(100));
        let charges = [memory.charge(20), memory.charge(20)];
        assert!(memory.is_crowded());
        drop(charges);
        assert!(!memory.is_crowded());
    }
}
