//! What the API decides, without a network, a clock or chance.
//!
//! Cast: an HTTP request becomes a typed wish ([`destination::Draft`], [`portal::Draft`], …; every
//! mistake in it is collected as a [`Fault`]), the wish becomes a [`Command`], and [`decide`] turns
//! the command into facts for the organization's log, or into a [`Denial`]. [`authz`] says who may
//! ask at all; [`status`], [`replay`] and each resource's `View` say how state reads on the wire.
//!
//! Invariants: a destination's authorization value is nowhere in a `View`; an endpoint is kept byte
//! for byte as it was sent; names of destinations and portals are unique in their organization; a
//! destination that a webhook names cannot be deleted.

pub mod address;
pub mod attempt;
pub mod audit_log;
pub mod authz;
pub mod body;
pub mod command;
pub mod coverage;
pub mod delivery;
pub mod destination;
pub mod endpoint;
pub mod fault;
pub mod filter;
pub mod lag;
pub mod limit;
pub mod oidc;
pub mod openapi;
pub mod organization;
pub mod page;
pub mod portal;
pub mod privacy;
pub mod quarantine;
pub mod query;
pub mod replay;
pub mod status;
pub mod summary;
pub mod test_delivery;
pub mod text;
pub mod throughput;
pub mod token;
pub mod webhook;

pub use command::{Action, Command, Denial, decide};
pub use fault::{Fault, Wrong};
