//! Whoever takes an organization's log from a receiver is named to that receiver, once more and
//! last: somebody who wants not to be seen would begin with that.
//!
//! The change is an event of the log itself, but the lane rests before it comes to it, or sends it
//! to the next receiver already.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use auditrelay_model::config::OrgConfig;
use auditrelay_model::destination::Destination;
use auditrelay_model::event::{Access, AuditEvent, Detail};
use auditrelay_model::id::OrgId;
use auditrelay_model::record::Place;
use auditrelay_model::{Scope, Timestamp};
use auditrelay_streams::{ReadError, shard_of};
use auditrelay_webhook_sender_core::outcome::Outcome;
use auditrelay_webhook_sender_core::route::{CLOCK_MARGIN, goes_to};
use http::HeaderValue;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use crate::headers::LAST;
use crate::sender::Sender;
use crate::single::Single;

/// Receivers that are told at the same time.
const AT_ONCE: usize = 32;
/// How long the event may take to be in the log.
const PATIENCE: Duration = Duration::from_mins(1);
const LOOK_AGAIN: Duration = Duration::from_millis(250);
const LOOK_AGAIN_MAX: Duration = Duration::from_secs(5);
/// Records that are looked at together.
const RECORDS: usize = 100;
const TRIES: u32 = 5;
const TRY_AGAIN: Duration = Duration::from_secs(2);

/// Who gets the organizations' logs, as far as it was seen.
type Known = HashMap<OrgId, Bound>;

/// A receiver, and when something about it was changed last.
struct Bound {
    destination: Destination,
    changed_at: Timestamp,
}

/// Tells receivers until the soft stop.
pub(crate) async fn run(sender: Arc<Sender>) {
    let soft = sender.context.drain.soft.clone();
    let mut changes = sender.configured.changes();
    let (mut known, room) = (Known::new(), Arc::new(Semaphore::new(AT_ONCE)));
    loop {
        for (org, config) in sender.configured.all() {
            if let Some(farewell) = look(&mut known, org, &config)
                && sender.shards.holds(shard_of(farewell.scope))
            {
                farewell.begin(&sender, &room);
            }
        }
        tokio::select! {
            () = soft.cancelled() => return,
            changed = changes.changed() => if changed.is_err() { return },
        }
    }
}

/// Who was turned away since the last look, if anybody.
fn look(known: &mut Known, org: OrgId, config: &OrgConfig) -> Option<Farewell> {
    let scope = Scope::Organization(org);
    let old = known.remove(&org);
    if let Some((webhook, destination)) = config.enabled_destination(scope) {
        let changed_at = webhook.updated_at.max(destination.updated_at);
        if old.as_ref().is_none_or(|old| old.changed_at != changed_at) {
            known.insert(org, Bound { destination: destination.clone(), changed_at });
        } else if let Some(old) = old {
            known.insert(org, old);
            return None;
        }
    }
    let old = old.filter(|old| !goes_to(config, scope, &old.destination))?;
    let change = Change { after: old.changed_at, at: changed_at(config, scope, &old) };
    Some(Farewell { scope, destination: old.destination, change })
}

/// When the receiver was turned away; none when the webhook is gone, and with it what says so.
fn changed_at(config: &OrgConfig, scope: Scope, old: &Bound) -> Option<Timestamp> {
    let webhook = config.webhooks.get(&scope)?.updated_at;
    let destination = config.destinations.get(&old.destination.id);
    Some(destination.map_or(webhook, |destination| webhook.max(destination.updated_at)))
}

/// A receiver that got the log until a moment ago.
struct Farewell {
    scope: Scope,
    destination: Destination,
    change: Change,
}

/// The change that took it away.
struct Change {
    /// Changes that are known to be older are others.
    after: Timestamp,
    /// When; none where nothing is left that says it.
    at: Option<Timestamp>,
}

impl Farewell {
    fn begin(self, sender: &Arc<Sender>, room: &Arc<Semaphore>) {
        let Ok(place) = Arc::clone(room).try_acquire_owned() else {
            tracing::warn!(scope = %self.scope, "too many receivers are turned away at once");
            return;
        };
        let (sender, soft) = (Arc::clone(sender), sender.context.drain.soft.clone());
        sender.clone().context.drain.spawn("farewell", async move {
            let _place = place;
            tokio::select! {
                () = soft.cancelled() => {}
                () = self.say(&sender) => {}
            }
        });
    }

    async fn say(self, sender: &Sender) {
        let (scope, destination) = (self.scope, self.destination.id);
        let Some((event, place)) = self.wait_for_event(sender).await else {
            tracing::info!(%scope, "the log does not say who took it from its receiver");
            return;
        };
        for left in (0..TRIES).rev() {
            let told = self.send(sender, &event, place).await;
            match told {
                Ok(()) => {
                    tracing::info!(%scope, destination.id = %destination, "a receiver was told who took the log from it");
                    return;
                }
                Err(reason) if left == 0 => {
                    tracing::warn!(%scope, destination.id = %destination, reason, "a receiver was not told who took the log from it");
                }
                Err(_) => sleep(TRY_AGAIN).await,
            }
        }
    }

    async fn send(&self, sender: &Sender, event: &AuditEvent, place: Place) -> Result<(), String> {
        let single = Single {
            scope: self.scope,
            destination: &self.destination,
            event,
            place: Some(place),
            mark: (LAST, HeaderValue::from_static("true")),
        };
        let outgoing = single.outgoing(sender, sender.now());
        let outgoing = outgoing.map_err(|error| format!("{error:#}"))?;
        match sender.transport.post(outgoing).await {
            Outcome::Answered { status: 200..=299, .. } => Ok(()),
            Outcome::Answered { status, .. } => Err(format!("it answered {status}")),
            Outcome::Failed { message, .. } => Err(message),
        }
    }

    /// The event that tells of the change, once ingest has stored it.
    async fn wait_for_event(&self, sender: &Sender) -> Option<(AuditEvent, Place)> {
        let (begun, mut wait, mut from) = (Instant::now(), LOOK_AGAIN, None);
        while begun.elapsed() < PATIENCE {
            match self.look(sender, &mut from).await {
                Ok(Some(found)) => return Some(found),
                Ok(None) => {}
                Err(error) => tracing::debug!(%error, "the log cannot be read now"),
            }
            sleep(wait).await;
            wait = (wait * 2).min(LOOK_AGAIN_MAX);
        }
        None
    }

    /// Where to look from.
    async fn place(&self, sender: &Sender, from: Option<u64>) -> Result<Option<u64>, ReadError> {
        if from.is_some() {
            return Ok(from);
        }
        let since = self.change.at.unwrap_or(self.change.after) - CLOCK_MARGIN;
        let first = sender.streams.first_record_at(self.scope, since).await?;
        Ok(first.map(|first| first.sequence))
    }

    /// Looks at what was stored since the last look.
    async fn look(
        &self,
        sender: &Sender,
        from: &mut Option<u64>,
    ) -> Result<Option<(AuditEvent, Place)>, ReadError> {
        let Some(mut next) = self.place(sender, *from).await? else { return Ok(None) };
        loop {
            let (records, more) = sender.streams.records_from(self.scope, next, RECORDS).await?;
            for record in &records {
                next = record.head.sequence + 1;
                // What cannot be read is told of elsewhere.
                let Ok(decoded) = record.decode() else { continue };
                let numbered = (record.head.first_number..).zip(decoded.events);
                for (number, event) in numbered {
                    if self.change.is_told_by(&event) {
                        return Ok(Some((event, Place { epoch: record.head.epoch, number })));
                    }
                }
            }
            *from = Some(next);
            if !more || records.is_empty() {
                return Ok(None);
            }
        }
    }
}

impl Change {
    fn is_told_by(&self, event: &AuditEvent) -> bool {
        let Detail::Access(Access { query, .. }) = &event.detail else { return false };
        let removes = || query.contains(r#""what":"webhook""#) && !query.contains(r#""new":"#);
        event.is_trail()
            && self.at.map_or_else(|| event.ts > self.after && removes(), |at| event.ts == at)
    }
}
