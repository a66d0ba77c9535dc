//! One shard: reads its records in order and hands each to the lane of its scope.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use auditrelay_model::Scope;
use auditrelay_model::config::OrgConfig;
use auditrelay_model::id::OrgId;
use auditrelay_streams::{Pulled, ReadError, Reader, shard_of};
use auditrelay_webhook_sender_core::route;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::door::Count;
use crate::driver::Leash;
use crate::lanes::{self, Holding, LiveLane};
use crate::sender::Sender;
use crate::standing::{Standing, standing};
use crate::telemetry::Pause;

const TOGETHER: usize = 64;
const WAIT: Duration = Duration::from_secs(1);
/// How soon reading begins anew after it failed.
const AGAIN_AFTER: Duration = Duration::from_millis(250);
/// How often to look whether somebody has paused or changed the consumer.
const ASK_EVERY: Duration = Duration::from_secs(10);

/// One shard that this sender holds.
pub(crate) struct Shard {
    sender: Arc<Sender>,
    number: u8,
    lanes: HashMap<Scope, LiveLane>,
    holding: Holding,
    /// Set while an operator keeps the broker from handing records out.
    pause: Option<Pause>,
}

impl Shard {
    pub(crate) fn new(sender: Arc<Sender>, number: u8, leash: Leash) -> Self {
        let holding = Holding { leash, running: TaskTracker::new(), open: Count::default() };
        Self { sender, number, lanes: HashMap::new(), holding, pause: None }
    }

    /// Works until the leash is pulled; after a soft pull every lane has finished what it held.
    pub(crate) async fn run(mut self) {
        let (soft, hard) = (self.holding.leash.soft.clone(), self.holding.leash.hard.clone());
        tokio::select! {
            biased;
            () = hard.cancelled() => {}
            () = soft.cancelled() => {}
            // What was taken and not handed on comes again.
            () = self.work() => {}
        }
        self.holding.running.close();
        self.holding.running.wait().await;
    }

    async fn work(&mut self) {
        while let Err(error) = self.open_lanes_behind().await {
            self.said(&error).await;
        }
        loop {
            if let Err(error) = self.read().await {
                self.said(&error).await;
            }
        }
    }

    async fn said(&self, error: &ReadError) {
        tracing::warn!(shard = self.number, %error, "shard is read anew");
        tokio::time::sleep(AGAIN_AFTER).await;
    }

    /// Lanes that read on their own must do so although no new record may ever come.
    async fn open_lanes_behind(&mut self) -> Result<(), ReadError> {
        let configured = self.sender.configured.all();
        let scopes = configured.iter().flat_map(|(_, config)| config.webhooks.keys().copied());
        let mine: Vec<Scope> = scopes.filter(|scope| shard_of(*scope) == self.number).collect();
        for scope in mine {
            if self.lanes.contains_key(&scope) {
                continue;
            }
            let standing = standing(&self.sender, scope).await?;
            if let Some(standing) = standing.map(|found| found.of_found(self.sender.now()))
                && standing.state.behind.is_some()
            {
                self.open(scope, standing).await?;
            }
        }
        Ok(())
    }

    async fn open(&mut self, scope: Scope, standing: Standing) -> Result<(), ReadError> {
        let lane = lanes::open(&self.sender, scope, standing, &self.holding).await?;
        self.lanes.insert(scope, lane);
        Ok(())
    }

    async fn read(&mut self) -> Result<(), ReadError> {
        let mut reader = self.sender.streams.shard_reader(self.number).await?;
        let mut asked_at = Instant::now();
        loop {
            let pulled = reader.next(TOGETHER, WAIT).await?;
            if asked_at.elapsed() >= ASK_EVERY {
                asked_at = Instant::now();
                self.look_at(&reader).await?;
            }
            let mut asked = HashSet::new();
            for record in pulled {
                self.route(record, &mut asked).await?;
            }
        }
    }

    /// A reader whose consumer was changed is of no use: the next one sets it right.
    async fn look_at(&mut self, reader: &Reader) -> Result<(), ReadError> {
        let Some(seen) = reader.tampering().await else { return Ok(()) };
        if seen.is_changed {
            return Err(ReadError::Unavailable("somebody has changed its consumer".to_owned()));
        }
        self.paused(seen.paused_for);
        Ok(())
    }

    fn paused(&mut self, left: Option<Duration>) {
        match (left, &self.pause) {
            (Some(left), None) => {
                let (shard, seconds) = (self.number, left.as_secs());
                tracing::warn!(shard, seconds, "somebody has paused the consumer of this shard");
                self.pause = Some(self.sender.telemetry.paused());
            }
            (None, Some(_)) => {
                tracing::info!(shard = self.number, "the shard goes on");
                self.pause = None;
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
    }

    /// Hands a record to its lane, or acknowledges it when nobody wants it. That decision is never
    /// made on configuration that lags: `asked` are the organizations whose newest was read.
    async fn route(&mut self, pulled: Pulled, asked: &mut HashSet<OrgId>) -> Result<(), ReadError> {
        let (scope, stored_at) = (pulled.head.scope, pulled.head.stored_at);
        let wanted = |config: &OrgConfig| route::wanted(config, scope, stored_at);
        let org = scope.org();
        let mut config = self.sender.configured.get(&org).state;
        if !wanted(&config) && asked.insert(org) {
            config = self.sender.configured.read(&org).await?.state;
        }
        let skipped =
            if wanted(&config) { self.offer(pulled).await? } else { Some(pulled.acker()) };
        if let Some(acker) = skipped {
            acker.ack().await;
        }
        Ok(())
    }

    async fn offer(
        &mut self,
        pulled: Pulled,
    ) -> Result<Option<auditrelay_streams::Acker>, ReadError> {
        let scope = pulled.head.scope;
        if self.lanes.get(&scope).is_none_or(LiveLane::has_ended) {
            let Some(standing) = standing(&self.sender, scope).await? else {
                // Removed since it was looked at.
                return Ok(Some(pulled.acker()));
            };
            self.open(scope, standing).await?;
        }
        Ok(self.lanes.get(&scope).and_then(|lane| lane.door.offer(pulled)))
    }
}
