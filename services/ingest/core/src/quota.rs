//! Quotas: how much an organization, and each of its tokens, may send.
//!
//! Each quota is a token bucket, kept as one number: when it will be full again. A full bucket is
//! the same as none, so forgetting it loses nothing; that keeps their number bounded. A request
//! that is larger than a whole bucket passes when the bucket is full, and is paid off afterwards:
//! nobody is refused for ever. Time is given in, as the distance from any fixed moment.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::time::Duration;

use auditrelay_model::id::{OrgId, TokenId};

mod bucket;

use bucket::{Bucket, Rate};

/// What may be sent in a second; none is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Allowance {
    /// Events.
    pub events: Option<NonZeroU64>,
    /// Bytes of unpacked bodies.
    pub bytes: Option<NonZeroU64>,
}

/// Every quota of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// For all tokens of an organization together.
    pub organization: Allowance,
    /// For each token.
    pub token: Allowance,
    /// What may come at once after a rest: as much as this long allows.
    pub burst: Duration,
}

/// The quotas by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quota {
    /// Events of an organization.
    OrganizationEvents,
    /// Bytes of an organization.
    OrganizationBytes,
    /// Events of a token.
    TokenEvents,
    /// Bytes of a token.
    TokenBytes,
}

impl Quota {
    /// Every quota.
    pub const ALL: [Self; 4] =
        [Self::OrganizationEvents, Self::OrganizationBytes, Self::TokenEvents, Self::TokenBytes];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OrganizationEvents => "org-events",
            Self::OrganizationBytes => "org-bytes",
            Self::TokenEvents => "token-events",
            Self::TokenBytes => "token-bytes",
        }
    }

    /// What it counts, as the field `RateLimit-Policy` names it.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::OrganizationEvents | Self::TokenEvents => "events",
            Self::OrganizationBytes | Self::TokenBytes => "content-bytes",
        }
    }

    const fn cost(self, cost: Cost) -> u64 {
        match self {
            Self::OrganizationEvents | Self::TokenEvents => cost.events,
            Self::OrganizationBytes | Self::TokenBytes => cost.bytes,
        }
    }
}

/// Whose quotas a request uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payer {
    /// The organization.
    pub org: OrgId,
    /// The token.
    pub token: TokenId,
}

/// What a request uses up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Its events.
    pub events: u64,
    /// Bytes of its unpacked body.
    pub bytes: u64,
}

/// How a quota stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Which one.
    pub quota: Quota,
    /// What a full bucket holds.
    pub limit: u64,
    /// How long an empty bucket takes to be full.
    pub window: Duration,
    /// What is left.
    pub remaining: u64,
    /// How long until it is full.
    pub reset: Duration,
}

/// A request that has to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The quota that makes it wait longest.
    pub quota: Quota,
    /// How long.
    pub wait: Duration,
}

/// The buckets of everybody who sent something of late.
#[derive(Debug)]
pub struct Quotas {
    rates: [Option<Rate>; 4],
    buckets: HashMap<Key, Bucket>,
    max_buckets: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Organization(OrgId, Quota),
    Token(TokenId, Quota),
}

impl Key {
    const fn of(payer: Payer, quota: Quota) -> Self {
        match quota {
            Quota::OrganizationEvents | Quota::OrganizationBytes => {
                Self::Organization(payer.org, quota)
            }
            Quota::TokenEvents | Quota::TokenBytes => Self::Token(payer.token, quota),
        }
    }
}

impl Quotas {
    /// Everybody's buckets are full. At most `max_buckets` are remembered.
    pub fn new(plan: Plan, max_buckets: usize) -> Self {
        let Plan { organization, token, burst } = plan;
        let rates = [organization.events, organization.bytes, token.events, token.bytes];
        let rates = rates.map(|per_second| per_second.map(|rate| Rate::new(rate, burst)));
        Self { rates, buckets: HashMap::new(), max_buckets: max_buckets.max(1) }
    }

    /// Whether there is any limit at all.
    pub fn is_limited(&self) -> bool {
        self.rates.iter().any(Option::is_some)
    }

    /// So many buckets are remembered.
    pub fn buckets(&self) -> usize {
        self.buckets.len()
    }

    /// Whether a request of that cost may pass now; nothing is used up.
    pub fn look(&self, now: Duration, payer: Payer, cost: Cost) -> Result<(), Refusal> {
        let waits = self.limited().filter_map(|(quota, rate)| {
            let wait = self.bucket(payer, quota).wait(now, rate, quota.cost(cost))?;
            Some(Refusal { quota, wait })
        });
        waits.max_by_key(|refusal| refusal.wait).map_or(Ok(()), Err)
    }

    /// Uses up what the request costs, of all quotas or, when one refuses, of none.
    pub fn take(&mut self, now: Duration, payer: Payer, cost: Cost) -> Result<(), Refusal> {
        self.look(now, payer, cost)?;
        self.change(now, payer, |bucket, rate, quota| bucket.take(now, rate, quota.cost(cost)));
        Ok(())
    }

    /// Uses up what a request costs that is refused for other reasons, as far as there is any.
    pub fn spend(&mut self, now: Duration, payer: Payer, cost: Cost) {
        self.change(now, payer, |bucket, rate, quota| bucket.spend(now, rate, quota.cost(cost)));
    }

    /// How the payer's quotas stand.
    pub fn standings(&self, now: Duration, payer: Payer) -> Vec<Standing> {
        let standing = |(quota, rate): (Quota, Rate)| {
            let bucket = self.bucket(payer, quota);
            let (limit, window) = (rate.limit(), rate.window());
            let (remaining, reset) = (bucket.remaining(now, rate), bucket.reset(now));
            Standing { quota, limit, window, remaining, reset }
        };
        self.limited().map(standing).collect()
    }

    fn limited(&self) -> impl Iterator<Item = (Quota, Rate)> + use<> {
        let rates = Quota::ALL.into_iter().zip(self.rates);
        rates.filter_map(|(quota, rate)| rate.map(|rate| (quota, rate)))
    }

    fn bucket(&self, payer: Payer, quota: Quota) -> Bucket {
        self.buckets.get(&Key::of(payer, quota)).copied().unwrap_or_default()
    }

    fn change(&mut self, now: Duration, payer: Payer, change: impl Fn(&mut Bucket, Rate, Quota)) {
        for (quota, rate) in self.limited() {
            let key = Key::of(payer, quota);
            if self.buckets.len() >= self.max_buckets && !self.buckets.contains_key(&key) {
                self.make_room(now);
            }
            change(self.buckets.entry(key).or_default(), rate, quota);
        }
    }

    /// Forgets what is full and, if nothing is, the sixteenth that is nearest to it: the least is
    /// given away, and looking through all of them happens seldom.
    fn make_room(&mut self, now: Duration) {
        self.buckets.retain(|_, bucket| !bucket.is_full(now));
        if self.buckets.len() < self.max_buckets {
            return;
        }
        let mut ends: Vec<Bucket> = self.buckets.values().copied().collect();
        let last = ends.len() / 16;
        let (_, last, _) = ends.select_nth_unstable(last);
        let last = *last;
        self.buckets.retain(|_, bucket| *bucket > last);
    }
}

#[cfg(test)]
mod tests;
