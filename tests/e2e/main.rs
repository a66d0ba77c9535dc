//! What the README promises, proven from outside: one file per promise.
//!
//! Every test has a system of its own (broker, services, SIEM) and talks to it as a customer would.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "this is test code")]

mod backup;
mod bad_input;
mod broker_contents;
mod cluster;
mod corruption;
mod delivery;
mod isolation;
mod ledger;
mod operators;
mod permissions;
mod quarantine;
mod receiver;
mod recovery;
mod replay;
mod replay_jobs;
mod replay_proofs;
mod restart;
mod shutdown;
mod trail;
mod upgrade;
mod wire;
