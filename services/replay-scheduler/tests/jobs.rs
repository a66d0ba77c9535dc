//! Replay jobs on a real nats-server; the sender's part is played by hand.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test panics")]

#[path = "jobs/support.rs"]
mod support;

#[path = "jobs/commands.rs"]
mod commands;
#[path = "jobs/consumers.rs"]
mod consumers;
#[path = "jobs/life.rs"]
mod life;
#[path = "jobs/planning.rs"]
mod planning;
