//! Runs one lane: brings it what happens and carries its effects out, one after the other.

mod arrival;
mod supply;

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;

use auditrelay_model::delivery::{DeliveryEvent, DeliveryFact, Lane as LaneName, LaneState};
use auditrelay_model::{Scope, Timestamp};
use auditrelay_streams::Acker;
use auditrelay_webhook_sender_core::lane::{Course, Effect, Input, Lane, Rejoin, Request, Switch};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::courier::{self, Parcel, Sent};
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
    pub(crate) receiver: Receiver,
    pub(crate) supply: Supply,
}

/// One lane at work.
pub(crate) struct Driver {
    sender: Arc<Sender>,
    scope: Scope,
    name: LaneName,
    machine: Lane,
    receiver: Receiver,
    journal: Journal,
    supply: Supply,
    /// What acknowledges the records that are in the machine.
    held: BTreeMap<u64, Vec<Acker>>,
    in_flight: Option<Flight>,
    /// When the last event that was sent had been accepted.
    newest_accepted_at: Timestamp,
    alarm: Option<Instant>,
    changes: watch::Receiver<u64>,
    draining: bool,
    standing: Option<&'static str>,
}

type Flight = Pin<Box<dyn Future<Output = Sent> + Send>>;

enum Flow {
    GoOn,
    End,
}

impl Driver {
    pub(crate) fn new(sender: Arc<Sender>, start: Start) -> Self {
        let Start { scope, name, course, state, last_fact, receiver, supply } = start;
        let mut changes = sender.configured.changes();
        // It may have changed since the receiver was looked up.
        changes.mark_changed();
        Self {
            machine: Lane::new(course, state, receiver.switch, sender.config.policy),
            journal: Journal::new(sender.streams.clone(), scope, name, last_fact),
            sender,
            scope,
            name,
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
            let wants = self.machine.wants();
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
                supplied = self.supply.next(wants, tail) => return self.supplied(supplied).await,
            }
        }
    }

    fn landed(&mut self, sent: Sent) -> Input {
        self.in_flight = None;
        match sent {
            Sent::TooLarge { fits } => Input::Cut { fits },
            Sent::Tried(tried) => {
                self.sender.telemetry.tried(self.name, &tried.outcome, tried.duration);
                Input::Tried(tried)
            }
        }
    }

    async fn supplied(&mut self, supplied: Supplied) -> Input {
        let (pulled, acker) = match supplied {
            Supplied::Overflowed => return Input::Overflowed,
            Supplied::Exhausted => return Input::Exhausted,
            Supplied::Record(record) => *record,
        };
        self.held.entry(pulled.head.sequence).or_default().push(acker);
        Input::Arrived(arrival::read(pulled, self.supply.window()).await)
    }

    /// The switch, when it changed. A replay keeps the receiver that it started with.
    fn look_at_configuration(&mut self) -> Option<Switch> {
        let now = self.sender.receiver(self.scope);
        if now.since != self.receiver.since {
            return Some(Switch::Gone);
        }
        let is_replay = matches!(self.name, LaneName::Replay(_));
        if now.switch == self.receiver.switch || is_replay && matches!(now.switch, Switch::On(_)) {
            return None;
        }
        self.receiver = now;
        Some(self.receiver.switch)
    }

    async fn handle(&mut self, input: Input) -> Result<Flow, Dispossessed> {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for effect in self.machine.handle(input, self.sender.moment()) {
                match effect {
                    Effect::Store { at, fact, state } => self.store(at, fact, *state).await?,
                    Effect::Done(sequence) => {
                        ack_all(self.held.remove(&sequence).unwrap_or_default()).await;
                    }
                    Effect::Forget(sequences) => {
                        self.held.retain(|sequence, _| !sequences.contains(sequence));
                    }
                    Effect::LeaveShard => self.leave_shard().await,
                    Effect::AskRejoin => inputs.push_back(Input::Rejoin(self.ask_rejoin().await)),
                    Effect::StopReading => self.supply.close(),
                    Effect::Send(request) => self.send(request),
                    Effect::Wake(after) => self.alarm = Some(Instant::now() + after),
                    Effect::End => return Ok(Flow::End),
                }
            }
        }
        Ok(Flow::GoOn)
    }

    async fn store(
        &mut self,
        at: Timestamp,
        fact: DeliveryFact,
        state: LaneState,
    ) -> Result<(), Dispossessed> {
        let event = DeliveryEvent {
            at,
            scope: self.scope,
            lane: self.name,
            sender: self.sender.context.instance.clone(),
            fact,
            state,
        };
        self.journal.store(&event).await?;
        self.sender.telemetry.stored(self.scope, self.name, &event.fact);
        if let DeliveryFact::Attempt(attempt) = &event.fact
            && attempt.delivered
        {
            let lag = at.since(self.newest_accepted_at);
            self.sender.telemetry.delivered(self.name, attempt.events, lag);
        }
        Ok(())
    }

    async fn leave_shard(&mut self) {
        let held = std::mem::take(&mut self.held).into_values().flatten();
        ack_all(held.chain(self.supply.leave_shard())).await;
    }

    async fn ask_rejoin(&mut self) -> Rejoin {
        let Some(door) = self.supply.door() else { return Rejoin::NotYet };
        let have = self.machine.tail().map_or(0, |tail| tail.sequence);
        let Err(skipped) = door.rejoin(have) else { return Rejoin::Welcome };
        // The reader found nothing more: was it too quick, or is it gone?
        match self.sender.streams.last_record(self.scope).await {
            Ok(last) if last.as_ref().is_none_or(|last| last.sequence <= have) => {
                if door.reopen(skipped) {
                    Rejoin::WelcomeWithout { last: skipped }
                } else {
                    Rejoin::NotYet
                }
            }
            Ok(_) | Err(_) => Rejoin::NotYet,
        }
    }

    fn send(&mut self, request: Request) {
        // The switch is on, so there is one.
        let Some(destination) = self.receiver.destination.clone() else { return };
        if let Some(newest) = request.batch.slices.last() {
            self.newest_accepted_at = newest.record.accepted_at;
        }
        let job = match self.name {
            LaneName::Live => None,
            LaneName::Replay(job) => Some(job),
        };
        let parcel = Parcel { request, scope: self.scope, destination, job };
        self.in_flight = Some(Box::pin(courier::send(Arc::clone(&self.sender), parcel)));
    }

    fn note_standing(&mut self) {
        let now = Some(self.machine.standing());
        if now != self.standing {
            self.sender.telemetry.moved(self.standing, now);
            self.standing = now;
        }
    }
}

async fn ack_all(ackers: impl IntoIterator<Item = Acker>) {
    for acker in ackers {
        acker.ack().await;
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
