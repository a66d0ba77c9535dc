//! What the services rely on, against a real nats-server.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

#[path = "broker/support.rs"]
mod support;

#[path = "broker/bundles.rs"]
mod bundles;
#[path = "broker/facts.rs"]
mod facts;
#[path = "broker/leases.rs"]
mod leases;
#[path = "broker/pages.rs"]
mod pages;
#[path = "broker/records.rs"]
mod records;
