//! The replay-scheduler: owns replay jobs, writes REPLAY.
//!
//! Rooms: [`service`] (wiring) starts the two loops, `commands` (answers the api) and `reactor`
//! (looks at every job that has not ended, asks the core what is next, carries it out). `planner`
//! looks up what a job reads, `estimate` counts it without sending it, `consumers` makes and removes what its lane reads through,
//! `telemetry` says what happened. What may happen is decided in `auditrelay-replay-scheduler-core`.
//!
//! Invariants: any number of schedulers may run, the expected sequence of the scope's subject
//! keeps them in order and a lost race is normal; a job's consumer exists before the job is
//! pending and is removed after it ended; whatever was interrupted is found again within seconds.

mod commands;
pub mod config;
mod consumers;
mod estimate;
mod planner;
mod reactor;
pub mod scheduler;
pub mod service;
mod telemetry;

pub use config::Config;
pub use scheduler::{Scheduler, Trouble};
pub use service::start;
