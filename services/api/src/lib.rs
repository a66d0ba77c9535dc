//! The API: what people, Terraform and command lines talk to; writes CONFIG.
//!
//! Rooms: [`service`] (wiring), [`config`] (settings), `auth` (who is asking), `oidc` (whom an identity provider vouches for), `http` (every route
//! in one table, one file a resource below it), `console` (pages for people), `api` (what all
//! handlers share), `pull` (a page of a log), `problems` (how refusals read), `telemetry` (what
//! happened). What is allowed and what a command leads to is decided in `auditrelay-api-core`.
//!
//! Invariants: a read shows every write that was answered before it, on any replica; an answer to
//! a write is sent after the broker has it on disk; a destination's authorization value is sealed
//! before it leaves this process and is in no answer; who may ask is checked before anything that
//! was sent is looked at.

mod api;
mod auth;
pub mod config;
mod console;
mod http;
mod limit;
mod oidc;
mod problems;
mod pull;
pub mod service;
mod telemetry;
mod turns;

pub use config::Config;
pub use service::{Running, router, start};
