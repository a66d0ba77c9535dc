//! The real binary, run as people and scripts run it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a step of a test that cannot be taken fails it"
)]
#![expect(clippy::disallowed_methods, reason = "a test waits by the clock on the wall")]

mod canary;
mod clients;
mod collector;
mod demo;
mod dev;
mod fleet;
mod kill;
mod machine;
mod metrics;
mod process;
mod rolling;
mod scraped;
mod services;
mod system;
mod tap;
mod traces;
mod unusable;
mod usage;
mod verify;
