//! Ingest: takes audit events in over HTTP and stores them in the log of their scope.
//!
//! Cast: [`http`] answers a request; it asks [`auth`] whose it is, lets the core
//! (`auditrelay_ingest_core`) admit its events, and hands them to the [`appender`], where one
//! writer per scope stores whatever waits as one record, and a request that needs several goes as a
//! bundle. [`room`] bounds what is held in memory, [`quota`] what comes in a second; [`health`] says
//! whether storing works. Beside them, [`trail`] stores what happens to organizations themselves.
//!
//! Invariants: a request is answered 202 only after the broker has all of its events on disk, and
//! a request with anything wrong in it stores nothing. One record of a scope is on its way at any
//! time; that and the expected sequence of every append keep the scope's numbers without a gap,
//! however many instances run.

mod appender;
mod auth;
mod config;
mod health;
mod http;
mod quota;
mod room;
mod service;
mod telemetry;
mod trail;

pub use config::Config;
pub use service::{Running, router, start};
