//! What the README promises, proven from outside: one file per promise.
//!
//! Every test has a system of its own (broker, services, SIEM) and talks to it as a customer would.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "this is test code")]

mod bad_input;
mod corruption;
mod delivery;
mod ledger;
mod permissions;
mod quarantine;
mod recovery;
mod replay;
mod restart;
mod shutdown;
mod trail;
