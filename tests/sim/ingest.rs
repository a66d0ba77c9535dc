//! The way in: producers that insist, two writers of one log, and a log whose answers are lost.

use std::collections::HashMap;
use std::time::Duration;

use auditrelay_ingest_core::chain::{self, End, Resolution, Tip};
use auditrelay_ingest_core::recent::Recent;
use auditrelay_ingest_core::record::{Backlog, Entry, Load, Outcome, Submission};
use auditrelay_model::event::{Access, AuditEvent, Detail};
use auditrelay_model::id::{EventId, OrgId, RecordId};
use auditrelay_model::record::Record;
use auditrelay_model::{Scope, Timestamp};
use uuid::Uuid;

use crate::random::Random;

/// The first millisecond: epochs are named by it.
const NOW: Timestamp = Timestamp::from_nanos(1_000_000);
const RECORD_BYTES: usize = 900;
const EVENT_BYTES: usize = 100;

/// Which producer asks, and which of its requests it is.
type Ticket = (usize, usize);

pub(crate) struct Ingest {
    seed: u64,
    random: Random,
    pub(crate) log: Vec<(u64, Record)>,
    writers: Vec<Writer>,
    producers: Vec<Producer>,
    ids: u128,
    hostile: bool,
}

/// One process that stores.
struct Writer {
    end: Option<End>,
    /// Records of the log that it has looked at.
    seen: usize,
    recent: Recent,
    backlog: Backlog<Ticket>,
    out: Option<(Record, Load<Ticket>)>,
}

#[derive(Default)]
struct Producer {
    requests: usize,
    open: Vec<EventId>,
    accepted: Vec<EventId>,
}

impl Writer {
    fn new() -> Self {
        let recent = Recent::new(Duration::from_mins(2), 10_000);
        Self { end: None, seen: 0, recent, backlog: Backlog::new(RECORD_BYTES), out: None }
    }

    /// Looks at the end of the log, and at what may be repeated.
    fn look(&mut self, log: &[(u64, Record)]) -> End {
        log[self.seen..].iter().for_each(|(_, record)| self.recent.learn(NOW, record));
        self.seen = log.len();
        let end = log.last().map_or(End::Nothing, |(sequence, record)| {
            End::At(Tip::of(record, digest(record), *sequence))
        });
        self.end = Some(end);
        end
    }
}

impl Ingest {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            random: Random(seed ^ 0x1234_5678),
            log: Vec::new(),
            writers: vec![Writer::new(), Writer::new()],
            producers: (0..3).map(|_| Producer::default()).collect(),
            ids: 0,
            hostile: true,
        }
    }

    /// One thing happens.
    pub(crate) fn step(&mut self) {
        let writer = self.random.below(self.writers.len());
        match self.random.below(100) {
            0..40 => self.ask(),
            40..97 => self.write(writer),
            _ => self.writers[writer] = Writer::new(),
        }
    }

    /// Nothing goes wrong any more, until nobody waits.
    pub(crate) fn settle(&mut self) {
        self.hostile = false;
        for _ in 0..1_000 {
            for producer in 0..self.producers.len() {
                if !self.producers[producer].open.is_empty() {
                    self.submit(producer);
                }
            }
            for writer in [0, 1, 0, 1] {
                self.write(writer);
            }
            if self.producers.iter().all(|producer| producer.open.is_empty()) {
                return;
            }
        }
        panic!("seed {}: a producer waits for ever", self.seed);
    }

    /// A producer sends something new, or what it was not answered about once more.
    fn ask(&mut self) {
        let index = self.random.below(self.producers.len());
        if self.producers[index].open.is_empty() {
            let count = 1 + self.random.below(4);
            self.producers[index].requests += 1;
            self.producers[index].open =
                (0..count).map(|_| EventId::from_uuid(self.id())).collect();
        }
        self.submit(index);
    }

    fn submit(&mut self, producer: usize) {
        let one = &self.producers[producer];
        let entry =
            |id: &EventId| Entry { event: event(*id), bytes: EVENT_BYTES, supplied_id: true };
        let entries = one.open.iter().map(entry).collect();
        let submission = Submission::new((producer, one.requests), None, entries);
        let writer = self.random.below(self.writers.len());
        self.writers[writer].backlog.push(submission);
    }

    fn write(&mut self, index: usize) {
        let id = RecordId::from_uuid(self.id());
        let writer = &mut self.writers[index];
        let end = match writer.end {
            Some(end) => end,
            None => writer.look(&self.log),
        };
        if writer.out.is_none() {
            let taken = writer.backlog.take(&writer.recent);
            writer.out = taken.load.map(|mut load| {
                let events = std::mem::take(&mut load.events);
                (chain::unnumbered(id, scope(), NOW, None, events), load)
            });
            self.answer(taken.answered);
        }
        self.append(index, end);
    }

    fn append(&mut self, index: usize, end: End) {
        let Some((mut record, load)) = self.writers[index].out.take() else { return };
        chain::number_behind(end.tip(), None, &mut record);
        let last = self.log.last().map_or(0, |(sequence, _)| *sequence);
        let (lost, unanswered) = (self.fails(), self.fails());
        let fits = last == end.expected_sequence();
        if fits && !lost {
            let sequence = last + 1 + self.random.below(3) as u64;
            self.log.push((sequence, record.clone()));
        }
        if lost || unanswered {
            // Nobody knows: it is tried again as it was.
            self.writers[index].out = Some((record, load));
        } else if fits {
            self.stored(index, &record, load);
        } else {
            self.meet(index, record, load);
        }
    }

    /// Somebody was first, perhaps this writer itself.
    fn meet(&mut self, index: usize, mut record: Record, mut load: Load<Ticket>) {
        let last = self.log.last().map(|(_, record)| record.id);
        let writer = &mut self.writers[index];
        match chain::resolve(record.id, last) {
            Resolution::Stored => return self.stored(index, &record, load),
            Resolution::Behind => drop(writer.look(&self.log)),
        }
        load.withdraw(&mut record, &writer.recent);
        if record.events.is_empty() {
            self.stored(index, &record, load);
        } else {
            writer.out = Some((record, load));
        }
    }

    fn stored(&mut self, index: usize, record: &Record, load: Load<Ticket>) {
        let writer = &mut self.writers[index];
        writer.look(&self.log);
        let answers = load.stored(record, &mut writer.recent, NOW);
        self.answer(answers);
    }

    fn answer(&mut self, answers: Vec<(Ticket, Outcome)>) {
        for ((index, request), outcome) in answers {
            let lost = self.fails();
            let producer = &mut self.producers[index];
            // The answer to an earlier try of the same request is as good.
            if lost || producer.requests != request || producer.open.is_empty() {
                continue;
            }
            let Outcome::Stored { ids, .. } = outcome else {
                panic!("seed {}: no key was given", self.seed)
            };
            assert_eq!(ids, producer.open, "seed {}", self.seed);
            producer.accepted.append(&mut producer.open);
        }
    }

    fn fails(&mut self) -> bool {
        self.hostile && self.random.percent(10)
    }

    fn id(&mut self) -> Uuid {
        self.ids += 1;
        Uuid::from_u128(self.ids)
    }

    /// What was accepted, with its number in the log.
    pub(crate) fn accepted(&self) -> Vec<(EventId, u64)> {
        let numbers = self.numbers();
        let all = self.producers.iter().flat_map(|producer| &producer.accepted);
        all.map(|id| (*id, numbers[id])).collect()
    }

    fn numbers(&self) -> HashMap<EventId, u64> {
        let numbered = |record: &Record| {
            let ids: Vec<_> = record.events.iter().map(|event| event.id).collect();
            ids.into_iter().zip(record.first_number..)
        };
        self.log.iter().flat_map(|(_, record)| numbered(record)).collect()
    }

    /// Stored once each, numbered without a gap, chained, and in the order of each producer.
    pub(crate) fn check(&self) {
        let seed = self.seed;
        let numbers = self.numbers();
        let events: usize = self.log.iter().map(|(_, record)| record.events.len()).sum();
        assert_eq!(numbers.len(), events, "seed {seed}: something is stored twice");
        for pair in self.log.windows(2) {
            let (before, after) = (&pair[0].1, &pair[1].1);
            assert_eq!(after.first_number, before.last_number() + 1, "seed {seed}");
            assert_eq!(after.previous_digest, Some(digest(before)), "seed {seed}");
        }
        for producer in &self.producers {
            assert!(producer.accepted.iter().is_sorted_by_key(|id| numbers[id]), "seed {seed}");
        }
    }
}

fn digest(record: &Record) -> auditrelay_model::record::Digest {
    let mut digest = [0; 32];
    digest[..16].copy_from_slice(record.id.uuid().as_bytes());
    digest
}

const fn scope() -> Scope {
    Scope::Organization(OrgId::from_uuid(Uuid::nil()))
}

fn event(id: EventId) -> AuditEvent {
    let access = Access { method: "GET".to_owned(), status_code: 200, query: String::new() };
    AuditEvent::new(id, NOW, Detail::Access(access))
}
