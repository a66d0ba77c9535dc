//! auditrelay-runtime
