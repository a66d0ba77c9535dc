//! What end-to-end tests are built of.
//!
//! Cast: a [`nats::Nats`] is a real nats-server on a store of its own; a [`stack::Stack`] is the whole system
//! in this process, each service of which can be stopped and started alone; a [`siem::Siem`] is a
//! real receiver at the other end; [`builders`] write events in one line; [`wait`] waits.
//!
//! Everything here panics when something is not as a test needs it: that is a failed test.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this is test code"
)]
#![expect(clippy::missing_panics_doc, reason = "everything here panics when a test has failed")]

pub mod builders;
pub mod nats;
pub mod siem;
pub mod stack;
pub mod wait;
