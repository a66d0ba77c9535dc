//! How many requests of one key are worked on at the same time.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// Counts what is at work, by key.
pub(crate) struct Turns<K>(Arc<Mutex<HashMap<K, usize>>>);

/// Ends when it is dropped.
pub(crate) struct Turn<K: Hash + Eq> {
    key: K,
    turns: Arc<Mutex<HashMap<K, usize>>>,
}

impl<K> Default for Turns<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Hash + Eq + Clone> Turns<K> {
    /// Takes a turn, unless so many of the key's are taken.
    pub(crate) fn take(&self, key: K, max: usize) -> Option<Turn<K>> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(key.clone()).or_default();
        if *count >= max {
            return None;
        }
        *count += 1;
        Some(Turn { key, turns: Arc::clone(&self.0) })
    }
}

impl<K: Hash + Eq> Drop for Turn<K> {
    fn drop(&mut self) {
        let mut taken = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_comes_back_when_it_ends() {
        let turns = Turns::default();
        let first = turns.take("a", 2);
        let second = turns.take("a", 2);
        assert!(first.is_some() && second.is_some());
        assert!(turns.take("a", 2).is_none());
        assert!(turns.take("b", 2).is_some());
        drop(first);
        assert!(turns.take("a", 2).is_some());
        drop(second);
        assert!(turns.0.lock().unwrap().is_empty());
    }
}
