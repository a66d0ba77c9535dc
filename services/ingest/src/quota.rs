//! The gate of quotas: counts what comes and words what the core decides.
//!
//! Each instance counts for itself. The fields of the answers are those of the IETF's draft
//! "`RateLimit` header fields for HTTP": `RateLimit-Policy` says what may come, `RateLimit` what is
//! left of it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use auditrelay_ingest_core::quota::{Cost, Payer, Plan, Quotas, Standing};
use auditrelay_runtime::problem::Problem;
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

use crate::telemetry::Telemetry;

/// Buckets that are remembered, about 64 bytes each.
const MAX_BUCKETS: usize = 65_536;
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");

/// Lets requests pass or wait.
pub(crate) struct Gate {
    /// None without any limit: no request waits for the lock.
    quotas: Option<Mutex<Quotas>>,
    began: Instant,
    telemetry: Telemetry,
}

impl Gate {
    pub(crate) fn new(plan: Plan, telemetry: Telemetry) -> Self {
        let quotas = Quotas::new(plan, MAX_BUCKETS);
        let quotas = quotas.is_limited().then(|| Mutex::new(quotas));
        Self { quotas, began: Instant::now(), telemetry }
    }

    /// 429 when not even one event of so many bytes may come: its body need not be read.
    pub(crate) fn look(&self, payer: Payer, bytes: usize) -> Result<(), Problem> {
        let Some((quotas, now)) = self.quotas() else { return Ok(()) };
        let looked = quotas.look(now, payer, cost(1, bytes));
        looked.map_err(|refusal| {
            let standings = quotas.standings(now, payer);
            self.telemetry.over_quota(refusal.quota.name());
            too_many(refusal.wait, &standings)
        })
    }

    /// Lets a request pass and says how its quotas stand, or 429.
    pub(crate) fn take(
        &self,
        payer: Payer,
        events: usize,
        bytes: usize,
    ) -> Result<HeaderMap, Problem> {
        let Some((mut quotas, now)) = self.quotas() else { return Ok(HeaderMap::new()) };
        let taken = quotas.take(now, payer, cost(events, bytes));
        let standings = quotas.standings(now, payer);
        self.telemetry.quota_buckets.set(i64::try_from(quotas.buckets()).unwrap_or(i64::MAX));
        drop(quotas);
        match taken {
            Ok(()) => Ok(fields(&standings)),
            Err(refusal) => {
                self.telemetry.over_quota(refusal.quota.name());
                Err(too_many(refusal.wait, &standings))
            }
        }
    }

    /// A body was read for nothing: it counts all the same.
    pub(crate) fn spend(&self, payer: Payer, bytes: usize) {
        if let Some((mut quotas, now)) = self.quotas() {
            quotas.spend(now, payer, cost(0, bytes));
        }
    }

    fn quotas(&self) -> Option<(MutexGuard<'_, Quotas>, Duration)> {
        let quotas = self.quotas.as_ref()?;
        Some((quotas.lock().unwrap_or_else(PoisonError::into_inner), self.began.elapsed()))
    }
}

fn cost(events: usize, bytes: usize) -> Cost {
    Cost { events: events as u64, bytes: bytes as u64 }
}

fn too_many(wait: Duration, standings: &[Standing]) -> Problem {
    let mut problem = Problem::too_many_requests(wait);
    problem.headers.extend(fields(standings));
    problem
}

/// `RateLimit-Policy` and `RateLimit`, lists of RFC 9651 with one member for each quota.
fn fields(standings: &[Standing]) -> HeaderMap {
    let policy = standings.iter().map(|Standing { quota, limit, window, .. }| {
        let (name, unit, window) = (quota.name(), quota.unit(), seconds(*window));
        format!("\"{name}\";q={limit};qu=\"{unit}\";w={window}")
    });
    let state = standings.iter().map(|Standing { quota, remaining, reset, .. }| {
        format!("\"{}\";r={remaining};t={}", quota.name(), seconds(*reset))
    });
    let lists = [(POLICY, policy.collect::<Vec<_>>()), (STATE, state.collect())];
    lists
        .into_iter()
        .filter_map(|(name, list)| Some((name, HeaderValue::try_from(list.join(", ")).ok()?)))
        .collect()
}

/// Whole seconds, rounded up.
fn seconds(duration: Duration) -> u128 {
    duration.as_millis().div_ceil(1_000)
}

#[cfg(test)]
mod tests {
    use auditrelay_ingest_core::quota::Quota;

    use super::*;

    #[test]
    fn the_fields_list_every_quota() {
        let standing = Standing {
            quota: Quota::OrganizationEvents,
            limit: 100,
            window: Duration::from_secs(10),
            remaining: 7,
            reset: Duration::from_millis(9_300),
        };
        let other = Standing { quota: Quota::TokenBytes, ..standing };
        let fields = fields(&[standing, other]);
        assert_eq!(fields["ratelimit"], "\"org-events\";r=7;t=10, \"token-bytes\";r=7;t=10");
        assert_eq!(
            fields["ratelimit-policy"],
            "\"org-events\";q=100;qu=\"events\";w=10, \"token-bytes\";q=100;qu=\"content-bytes\";w=10"
        );
    }
}
