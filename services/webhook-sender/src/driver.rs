//! Runs one lane: brings it what happens and carries its effects out, one after the other.

mod arrival;
mod effects;
mod supply;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use auditrelay_model::delivery::{Lane as LaneName, LaneState};
use auditrelay_model::id::BatchId;
use auditrelay_model::record::Position;
use auditrelay_model::replay::Target;
use auditrelay_model::{Scope, Timestamp};
use auditrelay_streams::Acker;
use auditrelay_streams::failpoint::{Step, reach};
use auditrelay_webhook_sender_core::lane::{Course, Input, Lane, Switch, Wants};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, Interval};
use tokio_util::sync::CancellationToken;

use crate::courier::{Ahead, Sent};
use crate::destinations::Site;
use crate::door::{Cargo, Ticket};
use crate::memory::Charge;
use crate::report::{Dispossessed, Journal};
use crate::sender::{Receiver, Sender};
use supply::Supplied;

pub(crate) use supply::Supply;

/// How often a replay lane looks whether it is in the way.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How a lane is stopped.
#[derive(Debug, Clone)]
pub(crate) struct Leash {
    /// Nothing new is sent.
    pub(crate) soft: CancellationToken,
    /// Somebody else may hold the lane by now: everything is dropped.
    pub(crate) hard: CancellationToken,
}

/// How a lane ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was drained, stopped or complete.
    ByItself,
    /// It is to be started again after this time: its receiver is down.
    Parked(Duration),
    /// It was told to drop everything.
    CutOff,
    /// Another sender owns it.
    Dispossessed,
}

/// What a lane starts with.
pub(crate) struct Start {
    pub(crate) scope: Scope,
    pub(crate) name: LaneName,
    pub(crate) course: Course,
    pub(crate) state: LaneState,
    /// Sequence of the lane's last fact; 0 for none.
    pub(crate) last_fact: u64,
    /// Where it sends, as it was asked for.
    pub(crate) target: Target,
    pub(crate) receiver: Receiver,
    pub(crate) supply: Supply,
}

/// One lane at work.
pub(crate) struct Driver {
    sender: Arc<Sender>,
    scope: Scope,
    name: LaneName,
    machine: Lane,
    target: Target,
    receiver: Receiver,
    journal: Journal,
    supply: Supply,
    /// What acknowledges the records that are in the machine.
    held: BTreeMap<u64, Vec<Held>>,
    /// Requests that are out.
    out: JoinSet<(BatchId, Sent)>,
    /// The batch that goes out next, being written.
    ahead: Option<(BatchId, Ahead)>,
    /// When the newest events of the batches that are out had been accepted.
    accepted: HashMap<BatchId, Timestamp>,
    site: Option<Arc<Site>>,
    /// When a replay lane looks whether it is in the way.
    looks: Option<Interval>,
    alarm: Option<Instant>,
    changes: watch::Receiver<u64>,
    draining: bool,
    standing: Option<&'static str>,
}

/// A record in the machine.
struct Held {
    acker: Acker,
    _charge: Charge,
    ticket: Option<Ticket>,
}

enum Flow {
    GoOn,
    End(Ended),
}

impl Driver {
    pub(crate) fn new(sender: Arc<Sender>, start: Start) -> Self {
        let Start { scope, name, course, state, last_fact, target, receiver, supply } = start;
        let mut changes = sender.configured.changes();
        // It may have changed since the receiver was looked up.
        changes.mark_changed();
        Self {
            machine: Lane::new(course, state, receiver.switch, sender.config.policy),
            journal: Journal::new(sender.streams.clone(), scope, name, last_fact),
            sender,
            scope,
            name,
            target,
            receiver,
            supply,
            held: BTreeMap::new(),
            out: JoinSet::new(),
            ahead: None,
            accepted: HashMap::new(),
            site: None,
            looks: matches!(name, LaneName::Replay(_)).then(|| tokio::time::interval(LOOK_EVERY)),
            alarm: None,
            changes,
            draining: false,
            standing: None,
        }
    }

    /// Works until the lane ends or is stopped.
    pub(crate) async fn run(mut self, leash: Leash) -> Ended {
        let ended = tokio::select! {
            biased;
            () = leash.hard.cancelled() => Ended::CutOff,
            ended = self.work(&leash.soft) => ended.unwrap_or(Ended::Dispossessed),
        };
        self.sender.telemetry.moved(self.standing, None);
        self.note_oldest(None);
        ended
    }

    async fn work(&mut self, soft: &CancellationToken) -> Result<Ended, Dispossessed> {
        let mut input = Input::Started;
        loop {
            if let Flow::End(ended) = self.handle(input).await? {
                return Ok(ended);
            }
            self.note_standing();
            self.note_site();
            input = self.next(soft).await;
        }
    }

    /// Waits for the next thing to happen. Every arm may be dropped while it waits.
    async fn next(&mut self, soft: &CancellationToken) -> Input {
        loop {
            let wants = self.wants();
            let (from, is_placed) = (self.machine.reads_from(), self.machine.tail().is_some());
            tokio::select! {
                biased;
                () = soft.cancelled(), if !self.draining => {
                    self.draining = true;
                    return Input::Drain;
                }
                Some(sent) = self.out.join_next() => if let Some(input) = self.landed(sent) {
                    return input;
                },
                () = tick(&mut self.looks) => if let Some(yields) = self.look_at_live() {
                    return Input::Yield(yields);
                },
                () = ring(self.alarm) => {
                    self.alarm = None;
                    return Input::Woke;
                }
                changed = self.changes.changed() => {
                    // The projection lives as long as the sender.
                    drop(changed);
                    if let Some(switch) = self.look_at_configuration() {
                        return Input::Configured(switch);
                    }
                }
                supplied = self.supply.next(wants, from, is_placed) => {
                    return self.supplied(supplied).await;
                }
            }
        }
    }

    /// While memory is short, a lane that has something to send takes no more, wherever from.
    fn wants(&self) -> Wants {
        let has_something = !self.out.is_empty() || self.machine.oldest().is_some();
        if has_something && self.sender.memory.is_crowded() {
            return Wants::Nothing;
        }
        self.machine.wants()
    }

    fn landed(&mut self, ended: Result<(BatchId, Sent), JoinError>) -> Option<Input> {
        let (batch, sent) = match ended {
            Ok(ended) => ended,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is stopping.
                Err(_) => return None,
            },
        };
        Some(match sent {
            Sent::TooLarge { fits } => Input::Cut { batch, fits },
            Sent::Tried(tried) => {
                self.sender.telemetry.tried(self.name, &tried.outcome);
                Input::Tried(batch, tried)
            }
        })
    }

    /// Where earlier lives of the log ended, when the record begins a new one.
    fn ended_before(&self, epoch: u64) -> Vec<Position> {
        let is_new = self.machine.tail().is_some_and(|tail| tail.epoch < epoch);
        let door = self.supply.door().filter(|_| is_new);
        door.map(|door| door.ends_before(epoch)).unwrap_or_default()
    }

    async fn supplied(&mut self, supplied: Supplied) -> Input {
        let Cargo { pulled, acker, charge, ticket } = match supplied {
            Supplied::Overflowed => return Input::Overflowed,
            Supplied::Exhausted => return Input::Exhausted,
            Supplied::Record(cargo) => *cargo,
        };
        reach(Step::Pulled);
        self.held.entry(pulled.head.sequence).or_default().push(Held {
            acker,
            _charge: charge,
            ticket,
        });
        let ended = self.ended_before(pulled.head.epoch);
        Input::Arrived(arrival::read(pulled, &self.supply, ended).await)
    }

    /// The switch, when it changed. A replay keeps the receiver that it started with, until that
    /// one fails: what is changed then is meant to mend it.
    fn look_at_configuration(&mut self) -> Option<Switch> {
        let now = self.sender.receiver(self.scope, self.target);
        if now.since != self.receiver.since {
            return Some(Switch::Gone);
        }
        let keeps = matches!(self.name, LaneName::Replay(_)) && self.machine.state().hold.is_none();
        if now.switch == self.receiver.switch || keeps && matches!(now.switch, Switch::On(_)) {
            return None;
        }
        self.receiver = now;
        Some(self.receiver.switch)
    }

    /// Tells the other lanes of the destination how late this one is.
    fn note_site(&mut self) {
        let destination = self.receiver.destination.as_ref().map(|destination| destination.id);
        if self.site.as_ref().map(|site| site.destination()) != destination {
            self.note_oldest(None);
            self.site = destination.map(|id| self.sender.destinations.site(id));
        }
        match self.machine.oldest() {
            Some(at) => self.note_oldest(Some(at)),
            None if self.machine.state().behind.is_none() => self.note_oldest(None),
            // Nothing is in memory, but there is more to read.
            None => {}
        }
    }

    fn note_oldest(&self, accepted_at: Option<Timestamp>) {
        if let (LaneName::Live, Some(site)) = (self.name, &self.site) {
            site.note_oldest(self.scope, accepted_at);
        }
    }

    /// Whether a replay lane must make room from now on, or need not any more.
    fn look_at_live(&self) -> Option<bool> {
        let site = self.site.as_ref()?;
        let (yielding, most) =
            (self.machine.state().yielding.is_some(), self.sender.config.live_lag);
        // Half of it to go on, so that a lane does not change its mind at every event.
        let most = if yielding { most / 2 } else { most };
        let late = site.live_lag(self.sender.now()) > most;
        (late != yielding).then_some(late)
    }

    fn note_standing(&mut self) {
        let now = Some(self.machine.standing());
        if now != self.standing {
            self.sender.telemetry.moved(self.standing, now);
            self.standing = now;
            // What was passed over before may matter now.
            self.changes.mark_changed();
        }
    }
}

async fn tick(looks: &mut Option<Interval>) {
    match looks {
        Some(looks) => drop(looks.tick().await),
        None => std::future::pending().await,
    }
}

async fn ring(alarm: Option<Instant>) {
    match alarm {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
