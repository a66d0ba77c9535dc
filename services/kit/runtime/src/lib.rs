//! The process around a service.
//!
//! Cast: [`settings`] reads the environment and the file and reports every mistake at once;
//! [`telemetry`] installs logs and trace ids; a [`context::Context`] carries what every service
//! needs (clock, metrics, readiness, drain); [`lifecycle`] stops it all in two phases; [`http`] and
//! [`problem`] are the outer skin of every HTTP surface; [`admin`] answers the operator.
//!
//! Invariants: time and ids are made only in [`clock`] and [`ids`]; no secret reaches a log, a
//! mistake or an answer; a first SIGTERM drains, a second one or the end of the grace ends.

pub mod admin;
pub mod build;
pub mod clock;
pub mod context;
pub mod http;
pub mod ids;
pub mod lifecycle;
pub mod metrics;
pub mod problem;
pub mod readiness;
pub mod settings;
pub mod telemetry;
