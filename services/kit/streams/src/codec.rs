//! Wire ↔ model: the only place where both are visible. One file per package.

pub(crate) mod access;
pub(crate) mod config;
pub(crate) mod delivery;
pub(crate) mod event;
#[cfg(test)]
mod hostile_tests;
pub(crate) mod quarantine;
pub(crate) mod replay;
pub(crate) mod retention;
pub(crate) mod test_delivery;
mod types;

use prost::Message;

/// How many kinds of messages these bytes can be read as: for tests that try what no service of ours
/// would say.
pub fn readers_of(bytes: &[u8]) -> usize {
    let taken = [
        event::decode_record(bytes).is_ok(),
        access::decode(bytes).is_ok(),
        config::decode(bytes).is_ok(),
        delivery::decode(bytes).is_ok(),
        replay::decode(bytes).is_ok(),
        replay::decode_command(bytes).is_ok(),
        replay::decode_reply(bytes).is_ok(),
        quarantine::decode_parked(bytes).is_ok(),
        quarantine::decode_released(bytes).is_ok(),
        quarantine::decode_command(bytes).is_ok(),
        quarantine::decode_reply(bytes).is_ok(),
        test_delivery::decode_command(bytes).is_ok(),
        test_delivery::decode_reply(bytes).is_ok(),
    ];
    taken.into_iter().filter(|taken| *taken).count()
}

/// A stored message that does not say what it must.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    /// Not the protobuf message it should be.
    #[error("not a {0}")]
    Malformed(&'static str),
    /// A field without which it means nothing.
    #[error("{0} is missing or unreadable")]
    Field(&'static str),
    /// It says something for which this version has no word.
    #[error("{0} is of a newer version")]
    Newer(&'static str),
}

/// The step of the contract that this version knows. The next version that writes what this one
/// must not lose counts it up, and marks its facts with it.
const STEP: u32 = 1;

/// What every fact that is decided upon may carry, whatever else it is.
#[derive(Clone, PartialEq, Message)]
struct Marked {
    #[prost(uint32, tag = "9")]
    min_writer: u32,
}

/// Whether this version may write behind the fact without losing what it says.
pub(crate) fn may_follow(fact: &[u8]) -> bool {
    // What cannot be read at all is reported where it is read.
    Marked::decode(fact).map_or(true, |marked| marked.min_writer <= STEP)
}

/// Parses a text field.
fn parse<T: std::str::FromStr>(text: &str, field: &'static str) -> Result<T, DecodeError> {
    text.parse().map_err(|_| DecodeError::Field(field))
}

/// Takes what was said; a kind of it that is not known here looks as if nothing was.
fn known<T>(field: Option<T>, name: &'static str) -> Result<T, DecodeError> {
    field.ok_or(DecodeError::Newer(name))
}

/// Takes a field that must be set.
fn required<T>(field: Option<T>, name: &'static str) -> Result<T, DecodeError> {
    field.ok_or(DecodeError::Field(name))
}
