//! What the services rely on, against a real nats-server.

#[path = "broker/support.rs"]
mod support;

#[path = "broker/facts.rs"]
mod facts;
#[path = "broker/leases.rs"]
mod leases;
#[path = "broker/records.rs"]
mod records;
