//! Which shards this sender works on: its fair share among the senders that live.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use auditrelay_streams::{Lease, ReadError};
use auditrelay_webhook_sender_core::shards::plan;
use tokio_util::sync::CancellationToken;

use crate::driver::Leash;
use crate::sender::Sender;
use crate::shard::Shard;

const LOOK_EVERY: Duration = Duration::from_secs(1);
const MEMBER: &str = "member-";

/// Takes shards and gives them up until the drain; then gives all up.
pub(crate) async fn run(sender: Arc<Sender>) {
    let mut shards = Shards { sender, held: BTreeMap::new(), membership: None };
    let soft = shards.sender.context.drain.soft.clone();
    loop {
        tokio::select! {
            biased;
            () = soft.cancelled() => break,
            looked = shards.look() => if let Err(error) = looked {
                tracing::warn!(%error, "shards stay as they are");
            }
        }
        tokio::select! {
            () = soft.cancelled() => break,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
    shards.give_up().await;
}

/// The shards that this sender holds, for all to see.
#[derive(Debug, Default)]
pub(crate) struct HeldShards(AtomicU64);

impl HeldShards {
    pub(crate) fn holds(&self, shard: u8) -> bool {
        self.0.load(Ordering::Relaxed) & bit(shard) != 0
    }

    fn add(&self, shard: u8) {
        self.0.fetch_or(bit(shard), Ordering::Relaxed);
    }

    fn remove(&self, shard: u8) {
        self.0.fetch_and(!bit(shard), Ordering::Relaxed);
    }
}

const fn bit(shard: u8) -> u64 {
    1 << (shard & 63)
}

struct Shards {
    sender: Arc<Sender>,
    held: BTreeMap<u8, Held>,
    membership: Option<Lease>,
}

struct Held {
    soft: CancellationToken,
    /// Cancelled when the lease is given back.
    ended: CancellationToken,
}

impl Shards {
    async fn look(&mut self) -> Result<(), ReadError> {
        self.held.retain(|_, held| !held.ended.is_cancelled());
        self.sender.telemetry.shards(self.held.len());
        self.sender.telemetry.lateness(self.sender.destinations.look(self.sender.now()));
        let members = self.members().await?;
        let numbers: BTreeSet<u8> = self.held.keys().copied().collect();
        let todo = plan(&numbers, members, self.preference());
        for number in todo.release {
            if let Some(held) = self.held.get(&number) {
                held.soft.cancel();
            }
        }
        let mut room = todo.room;
        for number in todo.try_take {
            if room > 0 && self.take(number).await? {
                room -= 1;
            }
        }
        Ok(())
    }

    /// Counts the living senders, this one included.
    async fn members(&mut self) -> Result<usize, ReadError> {
        let streams = &self.sender.streams;
        if self.membership.as_ref().is_none_or(|lease| lease.lost().is_cancelled()) {
            let name = format!("{MEMBER}{}", self.sender.context.instance);
            self.membership = streams.try_lease(&name, &self.sender.context.instance).await?;
        }
        let others_and_maybe_us = streams.count_leases(MEMBER).await?;
        Ok(others_and_maybe_us + usize::from(self.membership.is_none()))
    }

    async fn take(&mut self, number: u8) -> Result<bool, ReadError> {
        let name = format!("shard-{number}");
        let instance = &self.sender.context.instance;
        let Some(lease) = self.sender.streams.try_lease(&name, instance).await? else {
            return Ok(false);
        };
        let drain = &self.sender.context.drain;
        let held = Held { soft: drain.soft.child_token(), ended: CancellationToken::new() };
        let leash = Leash { soft: held.soft.clone(), hard: lease.lost() };
        let shard = Shard::new(Arc::clone(&self.sender), number, leash);
        let (sender, ended) = (Arc::clone(&self.sender), held.ended.clone().drop_guard());
        drain.spawn("shard", async move {
            let _ended = ended;
            tracing::info!(shard = number, "shard taken");
            sender.shards.add(number);
            shard.run().await;
            sender.shards.remove(number);
            // Acknowledgements first: whoever is next should not get those records again.
            if let Err(error) = sender.streams.flush().await {
                tracing::debug!(%error, "acknowledgements may be lost");
            }
            lease.release().await;
            tracing::info!(shard = number, "shard given up");
        });
        self.held.insert(number, held);
        Ok(true)
    }

    async fn give_up(self) {
        // First of all, so that the others count right.
        if let Some(membership) = self.membership {
            membership.release().await;
        }
        for held in self.held.into_values() {
            held.soft.cancel();
            held.ended.cancelled().await;
        }
    }

    /// Different senders begin at different shards.
    fn preference(&self) -> u64 {
        let bytes = self.sender.context.instance.bytes();
        bytes.fold(7, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)))
    }
}
