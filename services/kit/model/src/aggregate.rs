//! Decide, then evolve.

use std::fmt;

/// State that is a fold of stored events, and the decisions that make new ones.
///
/// Both functions are synchronous and pure: whatever a decision needs to know beyond the state
/// (the time, an id, something looked up) travels in the command.
pub trait Aggregate {
    /// The folded state; the default is "nothing has happened".
    type State: Default + Clone;
    /// A request to change.
    type Command;
    /// A fact that changed something.
    type Event;
    /// A lawful refusal; not an error.
    type Denial;

    /// Chooses the facts that the command leads to; none when nothing would change.
    fn decide(
        state: &Self::State,
        command: &Self::Command,
    ) -> Result<Vec<Self::Event>, Self::Denial>;

    /// Applies a fact.
    fn evolve(state: Self::State, event: &Self::Event) -> Result<Self::State, Corrupt>;
}

/// A stored event that cannot follow the state before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("stored {event} cannot follow {state}")]
pub struct Corrupt {
    /// The state, in words.
    pub state: String,
    /// The event, in words.
    pub event: String,
}

impl Corrupt {
    /// Names the pair that does not fit.
    pub fn new(state: impl fmt::Display, event: impl fmt::Display) -> Self {
        Self { state: state.to_string(), event: event.to_string() }
    }
}
