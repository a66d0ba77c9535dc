//! What a process still waits for before it can serve.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The named parts of a process and why each is not ready; clones share their state.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<Mutex<BTreeMap<&'static str, Result<(), String>>>>);

impl Readiness {
    /// Says that `part` is ready, or why it is not.
    pub fn set(&self, part: &'static str, state: Result<(), String>) {
        let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let was_missing = parts.get(part).is_none_or(Result::is_err);
        let reason = state.as_ref().err().cloned();
        parts.insert(part, state);
        drop(parts);
        match reason {
            None if was_missing => tracing::info!(part, "ready"),
            Some(reason) if !was_missing => tracing::warn!(part, reason, "no longer ready"),
            None | Some(_) => {}
        }
    }

    /// The parts that are not ready, each with its reason, in the order of their names.
    pub fn missing(&self) -> Vec<(&'static str, String)> {
        let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        parts
            .iter()
            .filter_map(|(part, state)| Some((*part, state.as_ref().err()?.clone())))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_missing_until_it_says_that_it_is_ready() {
        let readiness = Readiness::default();
        assert!(readiness.missing().is_empty());
        readiness.set("broker", Err("not connected".to_owned()));
        assert_eq!(readiness.clone().missing(), [("broker", "not connected".to_owned())]);
        readiness.set("broker", Ok(()));
        assert!(readiness.missing().is_empty());
    }
}
