//! The real binary, run as people and scripts run it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a step of a test that cannot be taken fails it"
)]
#![expect(clippy::disallowed_methods, reason = "a test waits by the clock on the wall")]

mod clients;
mod demo;
mod dev;
mod kill;
mod process;
mod services;
mod system;
mod usage;
mod verify;
