//! The real binary, run as people and scripts run it.

mod process;
mod usage;
