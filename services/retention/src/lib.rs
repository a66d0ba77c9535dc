//! Retention: keeps the streams what they must be, writes RETENTION.
//!
//! Rooms: [`service`] (wiring and the loop), `keeper` (observe → plan → carry out, one pass),
//! `watch` (coverage and risks), `monitors`
//! (what brokers say of themselves), `telemetry` (what happened). What must be true and what may be
//! changed is decided in `auditrelay-retention-core`.
//!
//! Invariants: streams are created and changed here and nowhere else; no pass deletes a stored
//! message; any number of replicas may run, because a pass that finds everything true does nothing.

pub mod config;
pub mod keeper;
mod monitors;
pub mod service;
mod telemetry;
mod watch;

pub use config::Config;
pub use keeper::Keeper;
pub use service::start;
