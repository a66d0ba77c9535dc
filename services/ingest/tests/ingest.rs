//! Ingest against a real nats-server: what it promises to producers.

#[cfg(test)]
#[path = "ingest/support.rs"]
mod support;

#[cfg(test)]
#[path = "ingest/access.rs"]
mod access;
#[cfg(test)]
#[path = "ingest/bodies.rs"]
mod bodies;
#[cfg(test)]
#[path = "ingest/bundles.rs"]
mod bundles;
#[cfg(test)]
#[path = "ingest/chain.rs"]
mod chain;
#[cfg(test)]
#[path = "ingest/connection.rs"]
mod connection;
#[cfg(test)]
#[path = "ingest/convoys.rs"]
mod convoys;
#[cfg(test)]
#[path = "ingest/damage.rs"]
mod damage;
#[cfg(test)]
#[path = "ingest/duplicates.rs"]
mod duplicates;
#[cfg(test)]
#[path = "ingest/formats.rs"]
mod formats;
#[cfg(test)]
#[path = "ingest/matrix.rs"]
mod matrix;
#[cfg(test)]
#[path = "ingest/pressure.rs"]
mod pressure;
#[cfg(test)]
#[path = "ingest/privacy.rs"]
mod privacy;
#[cfg(test)]
#[path = "ingest/quotas.rs"]
mod quotas;
