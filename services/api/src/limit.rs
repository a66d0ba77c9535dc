//! Limits per key, remembered only while they matter.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use auditrelay_api_core::limit::{Bucket, Rate};
use auditrelay_model::Timestamp;

/// Most keys that are remembered; beyond it full buckets are forgotten.
const KEYS_MAX: usize = 10_000;

/// One bucket a key.
pub(crate) struct Limit<K> {
    rate: Rate,
    buckets: Mutex<HashMap<K, Bucket>>,
}

impl<K: Hash + Eq> Limit<K> {
    /// Full buckets.
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, buckets: Mutex::default() }
    }

    /// Takes a permit of the key, or says how long to wait for one.
    pub(crate) fn take(&self, key: K, now: Timestamp) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= KEYS_MAX {
            buckets.retain(|_, bucket| !bucket.is_full(now));
        }
        buckets.entry(key).or_insert_with(|| Bucket::full(now)).take(self.rate, now)
    }
}
