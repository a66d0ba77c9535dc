//! Carrying out what a lane decides.

use std::collections::VecDeque;
use std::sync::Arc;

use auditrelay_model::Timestamp;
use auditrelay_model::delivery::{DeliveryEvent, DeliveryFact, LaneState, Quarantined};
use auditrelay_model::quarantine::Parked;
use auditrelay_streams::Acker;
use auditrelay_streams::failpoint::{Step, reach};
use auditrelay_webhook_sender_core::lane::{Effect, Input, Rejoin, Request};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

use super::{Driver, Ended, Flow};
use crate::courier::{self, Parcel};
use crate::letter;
use crate::report::Dispossessed;

impl Driver {
    pub(super) async fn handle(&mut self, input: Input) -> Result<Flow, Dispossessed> {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for effect in self.machine.handle(input, self.sender.moment()) {
                match effect {
                    Effect::Store { at, fact, state } => self.store(at, fact, *state).await?,
                    Effect::Done(sequence) => {
                        let done = self.held.remove(&sequence).unwrap_or_default();
                        ack_all(done.into_iter().map(|held| held.acker)).await;
                        reach(Step::Done);
                    }
                    Effect::Forget(sequences) => {
                        self.held.retain(|sequence, _| !sequences.contains(sequence));
                    }
                    Effect::LeaveShard => self.leave_shard().await,
                    Effect::AskRejoin => inputs.push_back(Input::Rejoin(self.ask_rejoin().await)),
                    Effect::StopReading => self.supply.close(),
                    Effect::Prepare(request) => self.prepare(request),
                    Effect::Send(request) => self.send(request),
                    Effect::Wake(after) => self.alarm = Some(Instant::now() + after),
                    Effect::Park(wait) => return Ok(Flow::End(Ended::Parked(wait))),
                    Effect::End => return Ok(Flow::End(Ended::ByItself)),
                }
            }
        }
        if self.ahead.as_ref().is_some_and(|(batch, _)| !self.machine.expects(*batch)) {
            self.ahead = None;
        }
        self.accepted.retain(|batch, _| self.machine.knows(*batch));
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
        if let DeliveryFact::Quarantined(refused) = &event.fact {
            self.park(&event, refused).await;
        }
        self.journal.store(&event).await?;
        self.sender.telemetry.stored(self.scope, self.name, &event.fact);
        if let DeliveryFact::Attempt(attempt) = &event.fact
            && attempt.delivered
        {
            let accepted_at = self.accepted.remove(&attempt.batch).unwrap_or(at);
            self.sender.telemetry.delivered(self.name, attempt.events, at.since(accepted_at));
        }
        Ok(())
    }

    /// Before the lane goes on, so that none is missing; a lane that is cut off in between does it
    /// again.
    async fn park(&mut self, event: &DeliveryEvent, refused: &Quarantined) {
        // Whoever refused it was there.
        let Some(destination) = &self.receiver.destination else { return };
        let parked = Parked {
            at: event.at,
            scope: event.scope,
            lane: event.lane,
            sender: event.sender.clone(),
            position: refused.at,
            event: refused.event,
            destination: destination.id,
            status: refused.status,
            message: refused.message.clone(),
        };
        self.journal.park(&parked).await;
    }

    /// What the machine keeps stays charged, and is acknowledged once more when it is done.
    async fn leave_shard(&mut self) {
        let mut all = self.supply.leave_shard();
        for held in self.held.values_mut().flatten() {
            held.ticket = None;
            all.push(held.acker.clone());
        }
        ack_all(all).await;
    }

    async fn ask_rejoin(&mut self) -> Rejoin {
        let Some(door) = self.supply.door() else { return Rejoin::NotYet };
        let have = self.machine.tail().unwrap_or_default();
        let Err(skipped) = door.rejoin(have) else { return Rejoin::Welcome };
        // The reader found nothing more: was it too quick, or is it gone?
        match self.sender.streams.last_place(self.scope).await {
            Ok(last) if last.is_none_or(|last| last.sequence <= have.sequence) => {
                if door.reopen(skipped) {
                    Rejoin::WelcomeWithout { last: skipped }
                } else {
                    Rejoin::NotYet
                }
            }
            Ok(_) | Err(_) => Rejoin::NotYet,
        }
    }

    fn prepare(&mut self, request: Request) {
        let batch = request.batch.id;
        let Some(parcel) = self.parcel(request) else { return };
        let writing = letter::write(Arc::clone(&self.sender), parcel.draft());
        self.ahead = Some((batch, AbortOnDropHandle::new(tokio::spawn(writing))));
    }

    fn send(&mut self, request: Request) {
        let batch = request.batch.id;
        if let Some(newest) = request.batch.slices.last() {
            self.accepted.insert(batch, newest.record.accepted_at);
        }
        let Some(parcel) = self.parcel(request) else { return };
        let ahead = self.ahead.take_if(|(ahead, _)| *ahead == batch).map(|(_, ahead)| ahead);
        let sending = courier::send(Arc::clone(&self.sender), parcel, ahead);
        self.out.spawn(async move { (batch, sending.await) }.in_current_span());
    }

    /// The switch is on when something is to be sent, so there is a destination.
    fn parcel(&mut self, request: Request) -> Option<Parcel> {
        let destination = self.receiver.destination.clone()?;
        let site = self.sender.destinations.site(destination.id);
        Some(Parcel { request, scope: self.scope, destination, lane: self.name, site })
    }
}

async fn ack_all(ackers: impl IntoIterator<Item = Acker>) {
    for acker in ackers {
        acker.ack().await;
    }
}
