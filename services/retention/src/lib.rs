//! auditrelay-retention
