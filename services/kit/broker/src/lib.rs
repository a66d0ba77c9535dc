//! Finds or provides a nats-server and runs it as a child: for the all-in-one and for tests.
//!
//! Cast: [`find_or_provide`] gives a [`Binary`] that is new enough; [`Broker::start`] runs it on a
//! store folder; between the two processes stands a small shell, the supervisor.
//!
//! Invariants: a server older than [`Version::FLOOR`] is refused, because it would silently obey
//! less; what is downloaded is pinned by its digest twice, as a package and as a binary; a store
//! belongs to one server at a time, for as long as that server lives; the server ends when the
//! process that started it ends, however that happens.

mod error;
mod find;
mod options;
mod provide;
mod server;
mod store;
mod version;

pub use error::BrokerError;
pub use find::{Binary, find_or_provide};
pub use options::BrokerOptions;
pub use server::{Broker, Ended};
pub use version::Version;
