//! The formats that platforms speak already, each mapped to drafts.
//!
//! A format names its own properties, so that what is wrong is told in the sender's words
//! (`response.status`, not `status_code`). The maps are tables in `services/ingest/README.md`.

pub(crate) mod cloudevents;
pub(crate) mod httplog;
pub(crate) mod otlp;
pub(crate) mod publish;
mod raw;
mod wire;

#[cfg(test)]
mod tests;
