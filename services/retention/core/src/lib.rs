//! auditrelay-retention-core
