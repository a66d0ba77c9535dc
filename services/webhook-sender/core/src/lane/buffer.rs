//! What waits to be delivered, in order: events, stretches outside a window, and stretches that
//! are gone.

use std::collections::VecDeque;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use auditrelay_model::id::BatchId;
use auditrelay_model::record::{Position, Record};
use auditrelay_model::replay::Selection;

use super::entry::{Entry, Item, Loss, slice_weight};
use crate::batch::{Batch, Caps, Slice, weight};

/// What waits to be delivered.
#[derive(Debug, Clone, Default)]
pub(super) struct Buffer {
    entries: VecDeque<Entry>,
    bytes: usize,
}

/// What lies at the front.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Front {
    Empty,
    /// An event to send.
    Event,
    /// Events outside the window, over as many entries as follow each other.
    Passed {
        to: Position,
        events: u64,
        entries: usize,
        last_in_buffer: bool,
    },
    /// Events that are gone from the stream.
    Missing(Missing),
    /// A record that cannot be read.
    Corrupt {
        from: Position,
        to: Position,
        reason: Arc<str>,
    },
}

/// Events that are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Missing {
    /// The last of them.
    pub(super) to: Position,
    pub(super) events: u64,
    /// How.
    pub(super) loss: Loss,
}

impl Buffer {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether another record may be taken in.
    pub(super) fn has_room(&self, room: Caps) -> bool {
        self.entries.len() < room.events && self.bytes < room.bytes
    }

    /// The last event that is in here.
    pub(super) fn tail(&self) -> Option<Position> {
        self.entries.back().map(Entry::end)
    }

    /// The place just before the first event in here.
    pub(super) fn before(&self) -> Option<Position> {
        self.entries.front().map(|entry| before(entry.epoch, entry.first, entry.sequence))
    }

    pub(super) fn push_record(
        &mut self,
        record: &Arc<Record>,
        sequence: u64,
        skip: usize,
        selection: Option<&Selection>,
    ) {
        let number = |index: usize| record.first_number + index as u64;
        let admitted = |index: usize| {
            selection.is_none_or(|selection| {
                let event = record.events.get(index);
                event.is_some_and(|event| selection.admits(record.epoch, number(index), event))
            })
        };
        let mut start = skip;
        while start < record.events.len() {
            let inside = admitted(start);
            let end = (start..record.events.len())
                .find(|index| admitted(*index) != inside)
                .unwrap_or(record.events.len());
            self.push_run(record, sequence, start..end, inside);
            start = end;
        }
    }

    fn push_run(&mut self, record: &Arc<Record>, sequence: u64, range: Range<usize>, inside: bool) {
        let number = |index: usize| record.first_number + index as u64;
        let slice = Slice { record: Arc::clone(record), range: range.clone() };
        self.bytes += if inside { slice_weight(&slice) } else { 0 };
        self.entries.push_back(Entry {
            epoch: record.epoch,
            first: number(range.start),
            last: number(range.end).saturating_sub(1),
            sequence,
            ends_record: range.end == record.events.len(),
            item: if inside { Item::Run(slice) } else { Item::Passed },
        });
    }

    /// These numbers of a record lie outside the window.
    pub(super) fn push_passed(&mut self, epoch: u64, numbers: RangeInclusive<u64>, sequence: u64) {
        self.push(epoch, numbers, sequence, Item::Passed);
    }

    /// These numbers are gone.
    pub(super) fn push_missing(
        &mut self,
        epoch: u64,
        numbers: RangeInclusive<u64>,
        sequence: u64,
        loss: Loss,
    ) {
        self.push(epoch, numbers, sequence, Item::Missing(loss));
    }

    /// These numbers cannot be read.
    pub(super) fn push_corrupt(
        &mut self,
        epoch: u64,
        numbers: RangeInclusive<u64>,
        sequence: u64,
        reason: &str,
    ) {
        self.push(epoch, numbers, sequence, Item::Corrupt(reason.into()));
    }

    fn push(&mut self, epoch: u64, numbers: RangeInclusive<u64>, sequence: u64, item: Item) {
        let (first, last) = numbers.into_inner();
        self.entries.push_back(Entry { epoch, first, last, sequence, ends_record: true, item });
    }

    pub(super) fn front(&self) -> Front {
        let Some(entry) = self.entries.front() else { return Front::Empty };
        match &entry.item {
            Item::Run(_) => Front::Event,
            Item::Missing(loss) => {
                Front::Missing(Missing { to: entry.end(), events: entry.count(), loss: *loss })
            }
            Item::Corrupt(reason) => Front::Corrupt {
                from: Position {
                    epoch: entry.epoch,
                    number: entry.first,
                    sequence: entry.sequence,
                },
                to: entry.end(),
                reason: Arc::clone(reason),
            },
            Item::Passed => self.front_passed(entry),
        }
    }

    fn front_passed(&self, front: &Entry) -> Front {
        let stretch = self
            .entries
            .iter()
            .take_while(|entry| matches!(entry.item, Item::Passed) && entry.epoch == front.epoch);
        let (mut to, mut events, mut entries) = (front.end(), 0, 0);
        for entry in stretch {
            to = entry.end();
            events += entry.count();
            entries += 1;
        }
        Front::Passed { to, events, entries, last_in_buffer: entries == self.entries.len() }
    }

    /// The next events within `caps`, at least one; none unless an event is at the front.
    pub(super) fn batch(&self, caps: Caps, id: BatchId) -> Option<Batch> {
        let front = self.entries.front()?;
        let mut batch: Option<Batch> = None;
        let (mut events, mut bytes) = (0, 0);
        for entry in self.entries.iter().take_while(|entry| entry.epoch == front.epoch) {
            let slice = match &entry.item {
                Item::Run(slice) => slice,
                Item::Passed => continue,
                Item::Missing(_) | Item::Corrupt(_) => break,
            };
            let taken = fitting(slice, &mut events, &mut bytes, caps);
            if taken == 0 {
                break;
            }
            let range = slice.range.start..slice.range.start + taken;
            let whole = range.end == slice.range.end;
            let last = entry.place(range.len() as u64 - 1);
            let piece = Slice { record: Arc::clone(&slice.record), range };
            match &mut batch {
                None => {
                    let first = entry.place(0);
                    batch = Some(Batch { id, slices: vec![piece], first, last, events });
                }
                Some(batch) => {
                    batch.slices.push(piece);
                    batch.last = last;
                    batch.events = events;
                }
            }
            if !whole {
                break;
            }
        }
        batch
    }

    /// Forgets everything up to and including `to`; returns the records finished with it.
    pub(super) fn advance(&mut self, to: Position) -> Vec<u64> {
        let mut finished = Vec::new();
        while let Some(entry) = self.entries.front_mut() {
            if (entry.epoch, entry.first) > (to.epoch, to.number) {
                break;
            }
            if (entry.epoch, entry.last) > (to.epoch, to.number) {
                self.bytes = self.bytes.saturating_sub(entry.cut(to.number));
                break;
            }
            if entry.ends_record && !matches!(entry.item, Item::Missing(_)) {
                finished.push(entry.sequence);
            }
            self.bytes = self.bytes.saturating_sub(entry.weight());
            self.entries.pop_front();
        }
        finished
    }

    /// Forgets everything; returns the records that were in here.
    pub(super) fn clear(&mut self) -> Vec<u64> {
        self.bytes = 0;
        let mut sequences: Vec<u64> = self.entries.drain(..).map(|entry| entry.sequence).collect();
        sequences.dedup();
        sequences
    }
}

/// The place just before number `first` of the record at `sequence`.
pub const fn before(epoch: u64, first: u64, sequence: u64) -> Position {
    Position { epoch, number: first.saturating_sub(1), sequence: sequence.saturating_sub(1) }
}

/// How many more events of `slice` fit; the first of a batch always does.
fn fitting(slice: &Slice, events: &mut usize, bytes: &mut usize, caps: Caps) -> usize {
    let mut taken = 0;
    for event in slice.record.events.get(slice.range.clone()).unwrap_or_default() {
        let more = *bytes + weight(event);
        if *events >= caps.events || (*events > 0 && more > caps.bytes) {
            break;
        }
        *events += 1;
        *bytes = more;
        taken += 1;
    }
    taken
}
