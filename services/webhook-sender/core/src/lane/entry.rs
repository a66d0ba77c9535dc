//! A stretch of one record that waits to be dealt with.

use std::sync::Arc;

use auditrelay_model::record::Position;

use crate::batch::{Slice, weight};

/// A stretch of one record.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) epoch: u64,
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) sequence: u64,
    /// The record is finished with it.
    pub(super) ends_record: bool,
    pub(super) item: Item,
}

/// How stored events went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    /// From the stream's beginning, as old as that: what retention does.
    Expired,
    /// From the stream's beginning, before their time.
    Early,
    /// Out of the middle of what is kept: retention does not do that.
    Hole,
}

#[derive(Debug, Clone)]
pub(super) enum Item {
    Run(Slice),
    Passed,
    Missing(Loss),
    Corrupt(Arc<str>),
}

impl Entry {
    pub(super) fn end(&self) -> Position {
        self.place(self.count() - 1)
    }

    pub(super) fn count(&self) -> u64 {
        self.last.saturating_sub(self.first) + 1
    }

    /// The place of its `index`-th event.
    pub(super) fn place(&self, index: u64) -> Position {
        let number = self.first + index;
        let done = self.ends_record && number >= self.last;
        let sequence = if done { self.sequence } else { self.sequence.saturating_sub(1) };
        Position { epoch: self.epoch, number, sequence }
    }

    /// Events to send.
    pub(super) fn events(&self) -> usize {
        match &self.item {
            Item::Run(slice) => slice.range.len(),
            Item::Passed | Item::Missing { .. } | Item::Corrupt(_) => 0,
        }
    }

    pub(super) fn weight(&self) -> usize {
        match &self.item {
            Item::Run(slice) => slice_weight(slice),
            Item::Passed | Item::Missing(_) | Item::Corrupt(_) => 0,
        }
    }

    /// Cuts off the events up to `number`; returns their weight.
    pub(super) fn cut(&mut self, number: u64) -> usize {
        let before = self.weight();
        let cut = usize::try_from((number + 1).saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.first = number + 1;
        if let Item::Run(slice) = &mut self.item {
            slice.range.start = slice.range.start.saturating_add(cut).min(slice.range.end);
        }
        before.saturating_sub(self.weight())
    }
}

pub(super) fn slice_weight(slice: &Slice) -> usize {
    slice.record.events.get(slice.range.clone()).unwrap_or_default().iter().map(weight).sum()
}
