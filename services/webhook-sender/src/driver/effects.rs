//! Carrying out what a lane decides.

use std::collections::VecDeque;
use std::sync::Arc;

use auditrelay_model::Timestamp;
use auditrelay_model::delivery::{
    DeliveryEvent, DeliveryFact, Lane as LaneName, LaneState, Quarantined,
};
use auditrelay_model::quarantine::Parked;
use auditrelay_streams::Acker;
use auditrelay_webhook_sender_core::lane::{Effect, Input, Rejoin, Request};
use tokio::time::Instant;

use super::{Driver, Flow};
use crate::courier::{self, Parcel};
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
        if let DeliveryFact::Quarantined(refused) = &event.fact {
            self.park(&event, refused).await;
        }
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
}

async fn ack_all(ackers: impl IntoIterator<Item = Acker>) {
    for acker in ackers {
        acker.ack().await;
    }
}
