//! The vocabulary of auditrelay: what every service means by the same word.
//!
//! Pure: no I/O, no clock, no randomness. Start with [`event::AuditEvent`] (what comes in),
//! [`config::OrgConfig`] (who gets it), [`delivery::LaneState`] (how far it has come) and
//! [`replay::Job`] (how it is recovered). State that several services read is folded here
//! (`evolve`); the decisions that lead to it (`decide`) belong to the one service that owns it.

pub mod access;
pub mod address;
pub mod aggregate;
pub mod backoff;
pub mod clock;
pub mod config;
pub mod delivery;
pub mod destination;
pub mod event;
pub mod id;
pub mod origin;
pub mod portal;
pub mod privacy;
pub mod quarantine;
pub mod reach;
pub mod record;
pub mod replay;
pub mod scope;
pub mod secret;
pub mod stream;
pub mod test_delivery;
pub mod text;
pub mod timestamp;
pub mod token;
pub mod webhook;
pub mod window;

pub use aggregate::{Aggregate, Corrupt};
pub use clock::Clock;
pub use scope::Scope;
pub use timestamp::Timestamp;
pub use window::Window;
