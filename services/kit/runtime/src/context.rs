//! What every service is given by the process around it.

use std::fmt;
use std::sync::Arc;

use auditrelay_model::Clock;

use crate::clock::SystemClock;
use crate::lifecycle::Drain;
use crate::metrics::Metrics;
use crate::readiness::Readiness;

/// Clock, metrics, readiness and drain of this process; clones share them.
#[derive(Clone)]
pub struct Context {
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where metrics are registered.
    pub metrics: Metrics,
    /// Where parts say whether they are ready.
    pub readiness: Readiness,
    /// Where background work is spawned and stopped.
    pub drain: Drain,
    /// The name of this process among its replicas.
    pub instance: String,
}

impl Context {
    /// A context with the system's clock.
    pub fn new(instance: String) -> Self {
        Self {
            clock: Arc::new(SystemClock),
            metrics: Metrics::default(),
            readiness: Readiness::default(),
            drain: Drain::new(),
            instance,
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("instance", &self.instance).finish_non_exhaustive()
    }
}
