//! The sender: what the shell does around a lane.

use std::collections::BTreeSet;

use auditrelay_model::delivery::{DeliveryFact, LaneState};
use auditrelay_model::record::Position;
use auditrelay_webhook_sender_core::gate::Gate;
use auditrelay_webhook_sender_core::lane::{Course, Effect, Input, Lane, Rejoin, Request, Wants};

use crate::builders::moment;
use crate::world::{POLICY, World};

pub(crate) struct Sender {
    pub(crate) lane: Lane,
    pub(crate) gate: Gate<usize, u64>,
    pub(crate) reader: Option<usize>,
    pub(crate) held: BTreeSet<u64>,
    pub(crate) in_flight: Vec<Request>,
    pub(crate) timer: bool,
}

impl World {
    pub(crate) fn start(&mut self, gate: Gate<usize, u64>) {
        // The log is asked where a lane without a cursor begins.
        let beginning = || LaneState { cursor: Some(Position::default()), ..LaneState::default() };
        let state = self.stored.clone().unwrap_or_else(beginning);
        self.sender = Some(Sender {
            lane: Lane::new(Course::Live, state, self.switch, POLICY),
            gate,
            reader: None,
            held: BTreeSet::new(),
            in_flight: Vec::new(),
            timer: false,
        });
        self.tell(Input::Started);
    }

    pub(crate) fn lane_takes(&mut self) {
        let Some(sender) = &mut self.sender else { return };
        match sender.lane.wants() {
            _ if sender.gate.is_shut() && sender.lane.tail().is_some() => {
                self.tell(Input::Overflowed);
            }
            Wants::Nothing => {}
            Wants::FromShard => {
                if let Some((index, sequence)) = sender.gate.take() {
                    sender.held.insert(sequence);
                    self.tell(Input::Arrived(self.log[index].clone()));
                }
            }
            Wants::FromReader => self.read(),
        }
    }

    pub(crate) fn read(&mut self) {
        let Some(sender) = &mut self.sender else { return };
        let from = sender.lane.reads_from();
        let log = &self.log;
        let next = *sender
            .reader
            .get_or_insert_with(|| log.partition_point(|record| record.sequence < from));
        let index = next.max(self.expired);
        sender.reader = Some(index + 1);
        match self.log.get(index).cloned() {
            // The connection breaks and takes the record with it.
            Some(_) if self.hostile && self.lost.is_none() && self.random.percent(5) => {
                self.lost = Some(index);
            }
            Some(record) => {
                self.lost = self.lost.filter(|lost| *lost != index);
                self.tell(Input::Arrived(record));
            }
            None => {
                sender.reader = Some(self.log.len());
                self.tell(Input::Exhausted);
            }
        }
    }

    pub(crate) fn tell(&mut self, input: Input) {
        self.ids += 1;
        let moment = moment(self.ids);
        let Some(sender) = &mut self.sender else { return };
        for effect in sender.lane.handle(input, moment) {
            if self.hostile && self.random.percent(1) {
                return self.crash();
            }
            if !self.carry_out(effect) {
                return;
            }
        }
    }

    pub(crate) fn carry_out(&mut self, effect: Effect) -> bool {
        let Some(sender) = &mut self.sender else { return false };
        match effect {
            Effect::Store { fact, state, .. } => {
                match fact {
                    DeliveryFact::Quarantined(quarantined) => {
                        self.quarantined.insert(quarantined.at.number);
                    }
                    DeliveryFact::Held(_) => self.emptied += 1,
                    _ => {}
                }
                let cursor =
                    |state: &LaneState| state.cursor.map(|cursor| (cursor.epoch, cursor.number));
                let before = self.stored.as_ref().and_then(cursor);
                assert!(cursor(&state) >= before, "seed {}: a cursor goes back", self.seed);
                self.stored = Some(*state);
            }
            Effect::Done(sequence) => {
                // An acknowledgement may be lost.
                if sender.held.remove(&sequence) && !(self.hostile && self.random.percent(5)) {
                    self.acked.insert(sequence);
                }
            }
            Effect::Forget(sequences) => {
                for sequence in sequences {
                    sender.held.remove(&sequence);
                }
            }
            Effect::LeaveShard => {
                self.acked.extend(sender.gate.leave());
                self.acked.extend(std::mem::take(&mut sender.held));
            }
            Effect::AskRejoin => return self.ask_rejoin(),
            Effect::StopReading => sender.reader = None,
            Effect::Prepare(request) => {
                assert!(sender.lane.expects(request.batch.id), "seed {}", self.seed);
            }
            Effect::Send(request) => {
                sender.in_flight.push(request);
                let out = sender.in_flight.len();
                assert!(out <= self.in_flight, "seed {}: {out} requests", self.seed);
            }
            Effect::Wake(_) => sender.timer = true,
            Effect::Park(_) => panic!("a live lane stays"),
            Effect::End => self.sender = None,
        }
        true
    }

    pub(crate) fn ask_rejoin(&mut self) -> bool {
        let Some(sender) = &mut self.sender else { return false };
        let have = sender.lane.tail().unwrap_or_default();
        let answer = match sender.gate.rejoin(have) {
            Ok(()) => Rejoin::Welcome,
            Err(last)
                if self.log.iter().skip(self.expired).all(|r| r.sequence <= have.sequence) =>
            {
                assert!(sender.gate.reopen(last));
                Rejoin::WelcomeWithout { last }
            }
            Err(_) => Rejoin::NotYet,
        };
        self.tell(Input::Rejoin(answer));
        true
    }
}
