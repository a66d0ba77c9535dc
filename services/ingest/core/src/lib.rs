//! What ingest decides: is this event ours, whole and within limits, and where in the scope's
//! chain does it go?
//!
//! Pure: no I/O, no clock, no randomness. The cast, in the order an event meets it:
//! [`request`] reads a body, in whichever format, into [`draft::Draft`]s (syntax), [`admit`] turns each draft into an
//! event or into [`rejection::Rejection`]s (schema and meaning), [`recent`] knows what was stored
//! a moment ago (duplicates), [`record`] packs waiting requests into records (the group commit),
//! [`bundle`] spreads one over several, [`chain`] gives a record its number behind the scope's last one,
//! and [`convoy`] says which records share the way to the broker. Beside them,
//! [`privacy`] hides what is not to be stored, [`quota`] says who sends too much, and [`trail`] makes events of what
//! happens to an organization itself.

pub mod admit;
pub mod bundle;
pub mod chain;
pub mod convoy;
pub mod draft;
mod format;
pub mod privacy;
pub mod quota;
pub mod recent;
pub mod record;
pub mod rejection;
pub mod request;
pub mod trail;
