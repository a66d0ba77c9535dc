//! Delivery without I/O: no clock, no randomness, no network.
//!
//! Cast: a [`lane::Lane`] is the work for one receiver, a machine that takes what happened and
//! says what to do. [`batch`] says how much goes into one request, [`judge`] what an answer means,
//! [`pace`] and [`bucket`] how fast a destination is served, [`shards`] which shards a sender takes,
//! [`slots`] which jobs, [`outcome`] what came of a request; [`gate`] stands between a shard and a
//! lane, [`route`] says who wants a record.
//!
//! Invariants, proved by `tests/simulation.rs`: an event is acknowledged only after the fact that
//! says it is done (or that its lane reads on alone) is stored; events leave in the order of their
//! numbers; whatever is lost, repeated or cut short, every event is delivered, counted as expired
//! or set aside by name, and a crash repeats at most one batch.

pub mod batch;
pub mod bucket;
pub mod gate;
pub mod judge;
pub mod lane;
pub mod message;
pub mod outcome;
pub mod pace;
pub mod route;
pub mod shards;
pub mod slots;
