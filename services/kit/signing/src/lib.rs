//! auditrelay-signing
