//! What waits to be delivered, in order: events, stretches outside a window, and stretches that
//! are gone.

use std::collections::VecDeque;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use auditrelay_model::Timestamp;
use auditrelay_model::id::BatchId;
use auditrelay_model::record::{Position, Record};
use auditrelay_model::replay::Selection;

use super::entry::{Entry, Item, Loss, slice_weight};
use crate::batch::{Batch, Caps, Slice, weight};

/// What waits to be delivered.
#[derive(Debug, Clone, Default)]
pub(super) struct Buffer {
    entries: VecDeque<Entry>,
    /// Events to send.
    events: usize,
    bytes: usize,
}

/// A stretch of the log: behind `after` and before `until`, where these are given.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Between {
    pub(super) after: Option<Position>,
    pub(super) until: Option<Position>,
}

impl Between {
    /// Whether any of the entry lies in it.
    fn leaves(self, entry: &Entry) -> bool {
        let (first, last) = ((entry.epoch, entry.first), (entry.epoch, entry.last));
        self.after.is_none_or(|after| last > (after.epoch, after.number))
            && self.until.is_none_or(|until| first < (until.epoch, until.number))
    }

    /// The events of an entry that lie in it; `range` are all of them.
    fn part(self, entry: &Entry, range: &Range<usize>) -> Range<usize> {
        let index = |number: u64| {
            let index = usize::try_from(number.saturating_sub(entry.first)).unwrap_or(usize::MAX);
            range.start.saturating_add(index).min(range.end)
        };
        let here = |place: &Position| place.epoch == entry.epoch;
        let start = self.after.filter(here).map_or(range.start, |after| index(after.number + 1));
        let end = self.until.filter(here).map_or(range.end, |until| index(until.number));
        start..end
    }
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
        if inside {
            self.events += slice.range.len();
            self.bytes += slice_weight(&slice);
        }
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

    /// When the oldest event in here was accepted.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        self.entries.iter().find_map(|entry| match &entry.item {
            Item::Run(slice) => Some(slice.record.accepted_at),
            Item::Passed | Item::Missing { .. } | Item::Corrupt(_) => None,
        })
    }

    /// Whether the event at `first` is the next that is to be dealt with.
    pub(super) fn is_at(&self, first: Position) -> bool {
        let at = self.entries.front().map(|entry| (entry.epoch, entry.first));
        at == Some((first.epoch, first.number))
    }

    /// Events in here that are to be sent, and about as many bytes as they take.
    pub(super) const fn load(&self) -> Caps {
        Caps { events: self.events, bytes: self.bytes }
    }

    /// The next events between two places, within `caps`, at least one; none where other than an
    /// event comes first that must be dealt with before.
    pub(super) fn batch(&self, between: Between, caps: Caps, id: BatchId) -> Option<Batch> {
        let mut batch: Option<Batch> = None;
        for entry in self.entries.iter().filter(|entry| between.leaves(entry)) {
            let slice = match &entry.item {
                Item::Run(slice) => slice,
                Item::Passed => continue,
                Item::Missing(_) | Item::Corrupt(_) => break,
            };
            if batch.as_ref().is_some_and(|batch| batch.first.epoch != entry.epoch) {
                break;
            }
            let range = between.part(entry, &slice.range);
            let whole = range.end == slice.range.end;
            let piece = Slice { record: Arc::clone(&slice.record), range };
            if !extend(&mut batch, entry, piece, caps, id) || !whole {
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
                let (before, weight) = (entry.events(), entry.cut(to.number));
                self.events = self.events.saturating_sub(before - entry.events());
                self.bytes = self.bytes.saturating_sub(weight);
                break;
            }
            if entry.ends_record && !matches!(entry.item, Item::Missing(_)) {
                finished.push(entry.sequence);
            }
            self.events = self.events.saturating_sub(entry.events());
            self.bytes = self.bytes.saturating_sub(entry.weight());
            self.entries.pop_front();
        }
        finished
    }

    /// Forgets everything; returns the records that were in here.
    pub(super) fn clear(&mut self) -> Vec<u64> {
        (self.events, self.bytes) = (0, 0);
        let mut sequences: Vec<u64> = self.entries.drain(..).map(|entry| entry.sequence).collect();
        sequences.dedup();
        sequences
    }
}

/// The place just before number `first` of the record at `sequence`.
pub const fn before(epoch: u64, first: u64, sequence: u64) -> Position {
    Position { epoch, number: first.saturating_sub(1), sequence: sequence.saturating_sub(1) }
}

/// Adds as many events of `piece` as fit; false when not all do.
fn extend(
    batch: &mut Option<Batch>,
    entry: &Entry,
    mut piece: Slice,
    caps: Caps,
    id: BatchId,
) -> bool {
    let (mut events, mut bytes) =
        batch.as_ref().map_or((0, 0), |batch| (batch.events, batch.weight));
    let wanted = piece.range.len();
    let taken = fitting(&piece, &mut events, &mut bytes, caps);
    if taken == 0 {
        return false;
    }
    let Item::Run(slice) = &entry.item else { return false };
    let index = (piece.range.start - slice.range.start) as u64;
    piece.range.end = piece.range.start + taken;
    let (first, last) = (entry.place(index), entry.place(index + taken as u64 - 1));
    match batch {
        None => {
            *batch = Some(Batch { id, slices: vec![piece], first, last, events, weight: bytes });
        }
        Some(batch) => {
            batch.slices.push(piece);
            (batch.last, batch.events, batch.weight) = (last, events, bytes);
        }
    }
    taken == wanted
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

#[cfg(test)]
#[path = "buffer_tests.rs"]
mod tests;
