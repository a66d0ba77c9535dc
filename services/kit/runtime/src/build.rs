//! What was built.

/// The version of every service.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit it was built from, where whoever built it said so in `AUDITRELAY_REVISION`.
pub const REVISION: &str = match option_env!("AUDITRELAY_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};
