//! Which events a job sends.

use std::sync::Arc;

use crate::Timestamp;
use crate::event::{AuditEvent, EventKind};
use crate::window::Window;

/// Which events a job sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// When they happened.
    pub window: Window,
    /// Their kinds; empty for all of them.
    pub kinds: Vec<EventKind>,
    /// Their numbers, in order; none for all of them.
    pub numbers: Option<Arc<[Stretch]>>,
}

/// Numbers that follow each other in one life of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stretch {
    /// The life of the chain.
    pub epoch: u64,
    /// The first number.
    pub first: u64,
    /// The last number.
    pub last: u64,
}

impl Stretch {
    /// Whether both have a number in common.
    pub const fn meets(self, other: Self) -> bool {
        self.epoch == other.epoch && self.first <= other.last && other.first <= self.last
    }
}

impl From<Window> for Selection {
    fn from(window: Window) -> Self {
        Self { window, kinds: Vec::new(), numbers: None }
    }
}

impl Selection {
    /// Whether the event with this number is sent.
    pub fn admits(&self, epoch: u64, number: u64, event: &AuditEvent) -> bool {
        self.window.contains(event.ts)
            && (self.kinds.is_empty() || self.kinds.contains(&event.kind()))
            && self.has_any(Stretch { epoch, first: number, last: number })
    }

    /// Whether any event of a record with these numbers and times may be sent.
    pub fn touches(&self, numbers: Stretch, first: Timestamp, last: Timestamp) -> bool {
        self.window.touches(first, last) && self.has_any(numbers)
    }

    fn has_any(&self, wanted: Stretch) -> bool {
        let Some(numbers) = &self.numbers else { return true };
        // The first stretch that does not end before the wanted one.
        let at =
            numbers.partition_point(|one| (one.epoch, one.last) < (wanted.epoch, wanted.first));
        numbers.get(at).is_some_and(|one| one.meets(wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch(epoch: u64, first: u64, last: u64) -> Stretch {
        Stretch { epoch, first, last }
    }

    #[test]
    fn a_selection_of_numbers_has_those_and_no_others() {
        let window = Window::stored(Timestamp::from_nanos(0), Timestamp::from_nanos(9));
        let numbers = [stretch(1, 5, 7), stretch(1, 9, 9), stretch(2, 1, 3)];
        let selection = Selection { numbers: Some(numbers.into()), ..window.into() };
        for epoch in 0..4 {
            for number in 0..12 {
                let one = stretch(epoch, number, number);
                let expected = numbers.iter().any(|stretch| stretch.meets(one));
                let touches = selection.touches(one, window.start(), window.end());
                assert_eq!(touches, expected, "{epoch} {number}");
            }
        }
        assert!(selection.touches(stretch(1, 6, 100), window.start(), window.end()));
        assert!(!selection.touches(stretch(1, 8, 8), window.start(), window.end()));
        let later = Timestamp::from_nanos(10);
        assert!(!selection.touches(stretch(1, 5, 5), later, later));
    }
}
