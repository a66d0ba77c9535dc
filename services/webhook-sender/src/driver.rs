//! Runs one lane: brings it what happens and carries its effects out, one after the other.

mod arrival;
mod effects;
mod supply;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use auditrelay_model::delivery::{Lane as LaneName, LaneState};
use auditrelay_model::replay::Target;
use auditrelay_model::{Scope, Timestamp};
use auditrelay_streams::Acker;
use auditrelay_webhook_sender_core::lane::{Course, Input, Lane, Switch, Wants};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::courier::Sent;
use crate::door::{Cargo, Ticket};
use crate::memory::Charge;
use crate::report::{Dispossessed, Journal};
use crate::sender::{Receiver, Sender};
use supply::Supplied;

pub(crate) use supply::Supply;

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
    in_flight: Option<Flight>,
    /// When the last event that was sent had been accepted.
    newest_accepted_at: Timestamp,
    alarm: Option<Instant>,
    changes: watch::Receiver<u64>,
    draining: bool,
    standing: Option<&'static str>,
}

type Flight = Pin<Box<dyn Future<Output = Sent> + Send>>;

/// A record in the machine.
struct Held {
    acker: Acker,
    _charge: Charge,
    ticket: Option<Ticket>,
}

enum Flow {
    GoOn,
    End,
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
            in_flight: None,
            newest_accepted_at: Timestamp::default(),
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
        ended
    }

    async fn work(&mut self, soft: &CancellationToken) -> Result<Ended, Dispossessed> {
        let mut input = Input::Started;
        loop {
            if let Flow::End = self.handle(input).await? {
                return Ok(Ended::ByItself);
            }
            self.note_standing();
            input = self.next(soft).await;
        }
    }

    /// Waits for the next thing to happen. Every arm may be dropped while it waits.
    async fn next(&mut self, soft: &CancellationToken) -> Input {
        loop {
            let wants = self.wants();
            let tail = self.machine.tail();
            tokio::select! {
                biased;
                () = soft.cancelled(), if !self.draining => {
                    self.draining = true;
                    return Input::Drain;
                }
                sent = landed(&mut self.in_flight) => return self.landed(sent),
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
                supplied = self.supply.next(&self.sender.memory, wants, tail) => return self.supplied(supplied).await,
            }
        }
    }

    /// While memory is short, a lane that has something to do reads no more.
    fn wants(&self) -> Wants {
        match self.machine.wants() {
            Wants::FromReader if self.in_flight.is_some() && self.sender.memory.is_crowded() => {
                Wants::Nothing
            }
            wants => wants,
        }
    }

    fn landed(&mut self, sent: Sent) -> Input {
        self.in_flight = None;
        match sent {
            Sent::TooLarge { fits } => Input::Cut { fits },
            Sent::Tried(tried) => {
                self.sender.telemetry.tried(self.name, &tried.outcome);
                Input::Tried(tried)
            }
        }
    }

    async fn supplied(&mut self, supplied: Supplied) -> Input {
        let Cargo { pulled, acker, charge, ticket } = match supplied {
            Supplied::Overflowed => return Input::Overflowed,
            Supplied::Exhausted => return Input::Exhausted,
            Supplied::Record(cargo) => *cargo,
        };
        self.held.entry(pulled.head.sequence).or_default().push(Held {
            acker,
            _charge: charge,
            ticket,
        });
        Input::Arrived(arrival::read(pulled, &self.supply).await)
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

/// Ends when the request does; never when none is out.
async fn landed(flight: &mut Option<Flight>) -> Sent {
    match flight {
        Some(flight) => flight.as_mut().await,
        None => std::future::pending().await,
    }
}

async fn ring(alarm: Option<Instant>) {
    match alarm {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
